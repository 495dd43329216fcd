"""Says what is wrong with the settings: which one, what stands there, what would be right.

Before: pydantic's errors out of ``settings``. After: one line for each fault, on standard error.
"""

from __future__ import annotations

import os
from collections.abc import Iterable, Iterator, Sequence
from difflib import get_close_matches
from typing import Any, get_args

from pydantic import BaseModel, ValidationError

from hedgerow.app.secret_files import is_secret

PREFIX = "HEDGEROW_"
Place = tuple[int | str, ...]

# What a writer of TOML calls what pydantic names after Python.
_WORDS = {
    "bool_parsing": "it must be true or false",
    "bool_type": "it must be true or false",
    "dict_type": "it must be a table",
    "float_parsing": "it must be a number",
    "float_type": "it must be a number",
    "int_from_float": "it must be a whole number",
    "int_parsing": "it must be a whole number",
    "int_type": "it must be a whole number",
    "model_type": "it must be a table",
    "path_type": "it must be the name of a file, in quotes",
    "string_type": "it must be a text in quotes",
    "tuple_type": "it must be a list in brackets",
}


def explain(error: ValidationError, settings: type[BaseModel], file: str | None) -> str:
    """Write one line for each fault; a value is shown only where it cannot be a secret.

    Parameters
    ----------
    settings : type of BaseModel
        What was being read.
    file : str, optional
        The file of settings, if one was named.
    """
    faults = error.errors(include_url=False)
    lines = []
    for fault in faults:
        place: Place = fault["loc"]
        if any(len(other["loc"]) > len(place) > 0 and other["loc"][: len(place)] == place
               for other in faults):  # fmt: skip
            continue  # a list is wrong because an entry is
        name = ".".join(str(part) for part in place)
        where = _where(place, file)
        if fault["type"] == "extra_forbidden":
            near = _nearest(place, settings)
            hint = f"; did you mean {near}?" if near else ""
            lines.append(f"setting {name}: there is no setting of this name{hint}{where}")
            continue
        message = _WORDS.get(fault["type"]) or fault["msg"].removeprefix("Value error, ")
        message = message.replace("Input should be", "it must be")
        shown = repr(fault["input"]) if _may_be_shown(place, settings) else "(hidden)"
        if fault["type"] == "missing":
            lines.append(f"setting {name}: it must be given{where}")
        else:
            lines.append(f"setting {name or '(all)'} = {shown}: {message}{where}")
    return "\n".join(lines)


def misspelt(variables: Iterable[str], settings: type[BaseModel]) -> list[str]:
    """Say of variables that look like a setting's but are none's which one was probably meant.

    Others are left alone: whoever runs the service may have some of their own, as Kubernetes
    has for a service of its name.

    Examples
    --------
    >>> from hedgerow.app.settings import Settings
    >>> for line in misspelt(["HEDGEROW_KAFKA_BOOTSTRAP_SERVERS", "HEDGEROW_PORT"], Settings):
    ...     print(line)
    HEDGEROW_KAFKA_BOOTSTRAP_SERVERS is no setting's variable; did you mean \
HEDGEROW_KAFKA__BOOTSTRAP_SERVERS?
    """
    known = [*_variables(settings), "CONFIG"]
    sections = _sections(known)
    plain = {name.replace("__", "_"): name for name in known}
    lines = []
    for variable in sorted(variables):
        name = variable.removeprefix(PREFIX)
        if name == variable or name in known or name.partition("__")[0].lower() in sections:
            continue  # within a section the settings tell themselves
        collapsed = name.replace("__", "_")
        near = [collapsed] if collapsed in plain else get_close_matches(
            collapsed, plain, n=1, cutoff=0.85
        )  # fmt: skip
        if near:
            meant = f"{PREFIX}{plain[near[0]]}"
            lines.append(f"{variable} is no setting's variable; did you mean {meant}?")
    return lines


def _variables(settings: type[BaseModel], before: str = "") -> Iterator[str]:
    for name, field in settings.model_fields.items():
        variable = f"{before}{name.upper()}"
        yield variable
        if isinstance(field.annotation, type) and issubclass(field.annotation, BaseModel):
            yield from _variables(field.annotation, f"{variable}__")


def _sections(known: Iterable[str]) -> set[str]:
    """Return the names before the two underscores, in small letters."""
    return {head.lower() for head, mark, _ in (name.partition("__") for name in known) if mark}


def _where(place: Place, file: str | None) -> str:
    """Tell where the value stands: in a variable, which goes before the file, or in the file."""
    for length in range(len(place), 0, -1):
        variable = PREFIX + "__".join(str(part).upper() for part in place[:length])
        if variable in os.environ:
            return f" (in {variable})"
    return f" (in {file})" if file else ""


def _nearest(place: Place, settings: type[BaseModel]) -> str | None:
    """Return the name that was probably meant."""
    section = _section_at(place[:-1], settings)
    known: Sequence[str] = list(section.model_fields) if section else ()
    near = get_close_matches(str(place[-1]), known, n=1, cutoff=0.6)
    return ".".join([*(str(part) for part in place[:-1]), near[0]]) if near else None


def _section_at(place: Place, settings: type[BaseModel]) -> type[BaseModel] | None:
    """Return the section that stands at a place, in a list or not."""
    section = settings
    for part in place:
        if isinstance(part, int):
            continue  # an entry of the list before
        field = section.model_fields.get(part)
        inner = field and _model_in(field.annotation)
        if not inner:
            return None
        section = inner
    return section


def _model_in(annotation: Any) -> type[BaseModel] | None:
    for part in (annotation, *get_args(annotation)):
        if isinstance(part, type) and issubclass(part, BaseModel):
            return part
    return None


def _may_be_shown(place: Place, settings: type[BaseModel]) -> bool:
    """Tell whether the value at a place may be shown: it is no secret and holds none."""
    section = settings
    for depth, part in enumerate(place):
        field = section.model_fields.get(str(part))
        if field is None:  # an entry of a list, such as a profile: no secrets in there
            return depth > 0
        if is_secret(section, str(part)):
            return False
        inner = field.annotation
        if not (isinstance(inner, type) and issubclass(inner, BaseModel)):
            return True
        section = inner
    return False  # a whole section
