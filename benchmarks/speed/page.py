"""``docs/performance.md``, from what the parts left in ``build/bench``."""

from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path

from rich.markdown import Markdown

from benchmarks.speed.bench import KEPT
from benchmarks.speed.goals import goals
from benchmarks.speed.limits import limits
from benchmarks.speed.parts.order import SECTIONS
from benchmarks.speed.table import Kept, blocks

MARK = "<!-- Written by `make bench`; the words stand in benchmarks/speed. -->\n"


def kept(part: str) -> Kept | None:
    """Return what a part left, ``None`` if it was never measured."""
    path = KEPT / f"speed-{part}.json"
    if not path.is_file():
        return None
    found: Kept = json.loads(path.read_text("utf-8"))
    return found


def table(part: str) -> Markdown:
    """Show one part on the terminal."""
    found = kept(part)
    return Markdown(SECTIONS[part](found) if found else f"{part} was not measured.")


def write(path: Path) -> None:
    """Write the page from everything that was measured at full size."""
    everything = {name: kept(name) for name in SECTIONS}
    parts = {name: found for name, found in everything.items() if found and found["size"] >= 1}
    path.write_text(document(parts, SECTIONS), "utf-8")


def document(parts: dict[str, Kept], sections: dict[str, Callable[[Kept], str]]) -> str:
    """Put the page together; a part that was not measured is named as missing.

    Raises
    ------
    RuntimeError
        If nothing was measured.
    """
    if not parts:
        raise RuntimeError("nothing was measured yet; run `make bench`")
    newest = max(parts.values(), key=lambda part: part["measured_at"])
    about = newest["machine"]
    machine = (
        f"{about['cores']} cores of {about['cpu']}, {about['memory_gb']} GB, {about['system']}, "
        f"Python {about['python']}"
    )
    versions = ", ".join(f"{name} {number}" for name, number in newest["versions"].items())
    introduction = f"""All of it was measured by `make bench` on one machine: {machine}. Broker:
        {newest["broker"]}; state: {newest["redis"]}; both on the same cores as what is measured.
        CPU µs a reading are those of one process, user and system, all threads; they are the steady
        figure, while wall-clock rates depend on who else wants the cores. {versions}."""
    text = [MARK + blocks("Performance", introduction, goals(parts)).removeprefix("#")]
    text += limits(parts)
    for name, section in sections.items():
        part = parts.get(name)
        if part is None:
            text.append(f"*Not measured yet: {name}.*\n")
            continue
        load = part["machine"]["load"][0]
        text.append(section(part))
        text.append(f"<sub>{name}: {part['measured_at']}, load at the end {load}</sub>\n")
    return "\n".join(text)
