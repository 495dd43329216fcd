"""Write ``docs/configuration.md`` from the settings' own types.

``python scripts/write_configuration_doc.py`` writes it, ``--check`` only says whether it is as it
should be (exit code 1 if not).
"""

from __future__ import annotations

import json
import sys
from collections.abc import Iterator
from enum import Enum
from pathlib import Path
from types import UnionType
from typing import Annotated, Any, Literal, Union, get_args, get_origin, get_type_hints

from annotated_types import BaseMetadata
from generated import ROOT, write_or_check
from pydantic import BaseModel, SecretStr
from pydantic.fields import FieldInfo
from pydantic_core import PydanticUndefined

from hedgerow.app.settings import ProfileSettings, Settings

PATH = ROOT / "docs" / "configuration.md"
INTRODUCTION = """\
<!-- Written by scripts/write_configuration_doc.py from the settings' types; edit there. -->
# Configuration

Nothing has to be configured. What is stands in a `city.toml`, named by `--config` or
`HEDGEROW_CONFIG`, and in environment variables, which stand over the file. `[kafka.tls]` in the
file is the section that the names below call `kafka.tls`, and `HEDGEROW_KAFKA__TLS__ENABLED` sets
its `enabled`: two underscores before each part. A list or a table is JSON in a variable. The file
with everything in it: [`city.example.toml`](../city.example.toml).

A secret has a neighbour that ends in `_file` and names a file which holds it; give one of the two
([security](security.md#logins)). A wrong name, type or value stops every command at its start with
code 2 and a sentence that names the setting, shows what stands there (secrets hidden) and says what
would be right:

```sh
HEDGEROW_HTTP__PORT=many hedgerow doctor   # leaves with 2
```

```text
hedgerow: setting http.port = 'many': it must be a whole number (in HEDGEROW_HTTP__PORT)
```
"""
PROFILES = """\
## Profiles

`[[profiles]]` says which series are learned how. Its patterns are matched against the series key,
`sensor` or `sensor/quantity`; the first profile that matches is used, and whatever matches none
gets the defaults. When a profile changes, what of its series' learning still fits is kept and the
rest begins anew; the log says which. As a variable, `HEDGEROW_PROFILES` is the whole list in JSON.

```toml
[[profiles]]
name = "parking"
match = ["parking-*"]
period_seconds = 1800
bound_upper = 500.0

[[profiles.river]]
name = "river.linear_model.PARegressor"
parameters = { C = 0.01 }
```
"""
LIMITS = {"ge": "≥ {}", "gt": "> {}", "le": "≤ {}", "lt": "< {}"}


def configuration_doc() -> str:
    """Give the whole text."""
    parts = [INTRODUCTION, "## Of a worker\n", _table(Settings, ())]
    for name, section in _sections(Settings):
        parts += _section(section, (name,))
    parts += [PROFILES, _table(ProfileSettings, None)]
    for name, section in _sections(ProfileSettings):
        parts += [f"### profiles.{name}\n", _summary(section), _table(section, None)]
    return "\n".join(parts)


def _section(section: type[BaseModel], path: tuple[str, ...]) -> Iterator[str]:
    yield f"## {'.'.join(path)}\n"
    yield _summary(section)
    yield _table(section, path)
    for name, inner in _sections(section):
        yield from _section(inner, (*path, name))


def _sections(model: type[BaseModel]) -> Iterator[tuple[str, type[BaseModel]]]:
    for name, field in model.model_fields.items():
        section = _section_of(field.annotation)
        if section is not None and section is not ProfileSettings:
            yield name, section


def _section_of(annotation: Any) -> type[BaseModel] | None:
    """Return the section that a field holds, alone or in a list."""
    for part in (annotation, *get_args(annotation)):
        if isinstance(part, type) and issubclass(part, BaseModel):
            return part
    return None


def _summary(section: type[BaseModel]) -> str:
    return " ".join((section.__doc__ or "").split("\n\n")[0].split()).replace("``", "`") + "\n"


def _table(section: type[BaseModel], path: tuple[str, ...] | None) -> str:
    """Write a section's own settings; without a path they are no variables."""
    hints = get_type_hints(section, include_extras=True)
    heads = ["setting", *([] if path is None else ["variable"]), "type", "default", "meaning"]
    rows = []
    for name, field in section.model_fields.items():
        if _section_of(field.annotation) is not None:
            continue
        if not field.description:
            where = f"{section.__module__}.{section.__name__}.{name}"
            raise SystemExit(f"{where} has no description; give it one: Field(..., description=)")
        variable = "HEDGEROW_" + "__".join((*(path or ()), name)).upper()
        rows.append(
            [
                f"`{name}`",
                *([] if path is None else [f"`{variable}`"]),
                _type(hints[name], field),
                _default(field),
                field.description,
            ]
        )
    lines = [heads, ["---"] * len(heads), *rows]
    return "".join("| " + " | ".join(line) + " |\n" for line in lines)


def _type(hint: Any, field: FieldInfo) -> str:
    limits = _limits(field.metadata)
    return _name(hint) + (f", {limits}" if limits else "")


def _limits(metadata: list[Any]) -> str:
    """Write what a number or a text is bound to."""
    parts = []
    for limit in metadata:
        if not isinstance(limit, BaseMetadata):
            continue
        for name, text in LIMITS.items():
            if (bound := getattr(limit, name, None)) is not None:
                parts.append(text.format(f"{bound:,g}" if bound < 1e6 else f"{bound:,}"))
        if (least := getattr(limit, "min_length", None)) is not None and least > 1:
            parts.append(f"at least {least} characters")
        if (most := getattr(limit, "max_length", None)) is not None:
            parts.append(f"at most {most} characters")
    return ", ".join(parts)


NAMES: dict[Any, str] = {
    str: "text",
    bool: "`true` or `false`",
    int: "whole number",
    float: "number",
    Path: "file",
    SecretStr: "secret",
}


def _name(hint: Any) -> str:
    """Name a type as a writer of settings sees it."""
    if hint in NAMES:
        return NAMES[hint]
    origin, parts = get_origin(hint), get_args(hint)
    if origin is Annotated:
        limits = _limits(list(getattr(parts[1], "metadata", ())))
        return _name(parts[0]) + (f", {limits}" if limits else "")
    if isinstance(hint, type) and issubclass(hint, Enum):
        return " or ".join(f"`{member.value}`" for member in hint)
    if origin is Literal:
        return " or ".join(f"`{part}`" for part in parts)
    if origin in {Union, UnionType}:
        return " or ".join(_name(part) for part in parts if part is not type(None))
    of = {tuple: ("list of", 0), dict: ("table of", 1)}[origin]  # a new kind of setting needs words
    return f"{of[0]}: {_name(parts[of[1]])}"


def _default(field: FieldInfo) -> str:
    value = field.default
    if value is PydanticUndefined:
        return "must be given"
    if value is None or value == "" or value in ((), {}):
        return ""
    if isinstance(value, SecretStr):
        value = value.get_secret_value()
    return f"`{json.dumps(value.value if isinstance(value, Enum) else value)}`"


if __name__ == "__main__":
    sys.exit(write_or_check(PATH, configuration_doc()))
