"""What every command prints with: results to stdout, progress and errors to stderr."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer
from rich.cells import cell_len
from rich.console import Console

if TYPE_CHECKING:
    from hedgerow.app.settings import Settings

WIDEST_NAME = 48  # columns of a terminal
# Markup is off: sensor ids and messages come from outside and may hold brackets.
results = Console(markup=False, highlight=False, soft_wrap=True)
errors = Console(markup=False, highlight=False, soft_wrap=True, stderr=True)

ConfigOption = Annotated[
    Path | None,
    typer.Option(
        "--config",
        "-c",
        help="Settings file (city.toml). HEDGEROW_CONFIG names it otherwise.",
        show_default=False,
    ),
]
JsonOption = Annotated[bool, typer.Option("--json", help="One JSON document.")]


def read_settings(config: Path | None) -> Settings:
    """Read the settings; pydantic is imported only now."""
    from hedgerow.app.settings import load_settings  # noqa: PLC0415

    return load_settings(config)


def printable(text: str) -> str:
    r"""Make a foreign text safe for a terminal.

    Examples
    --------
    >>> printable("ok\x1b[2J")
    'ok?[2J'
    """
    return "".join(c if c.isprintable() or c == "\n" else "?" for c in text)


def columns(
    headings: Sequence[str], rows: Sequence[Sequence[str]], *, names: int = 0
) -> Iterator[str]:
    """Give the lines of a table, the headings first, as wide as they need to be.

    Parameters
    ----------
    names : int
        How many of the first columns are no numbers and begin at the left; a name that is longer
        than others should have to make room for moves its own line alone.

    Examples
    --------
    >>> list(columns(["n", "series"], [["10", "7"]]))
    [' n  series', '10       7']
    >>> list(columns(["name", "n"], [["a", "100"]], names=1))
    ['name    n', 'a     100']
    >>> list(columns(["name", "n"], [["🚦", "1"], ["a", "2"]], names=1))
    ['name  n', '🚦    1', 'a     2']
    """
    widths = [max(map(cell_len, column)) for column in zip(headings, *rows, strict=True)]
    widths[:names] = [min(width, WIDEST_NAME) for width in widths[:names]]
    for row in (headings, *rows):
        line = []
        for place, (cell, width) in enumerate(zip(row, widths, strict=True)):
            room = " " * (width - cell_len(cell))
            line.append(cell + room if place < names else room + cell)
        yield "  ".join(line).rstrip()


def print_table(headings: Sequence[str], rows: Sequence[Sequence[str]]) -> None:
    """Print a table of numbers."""
    heading, *lines = columns(headings, rows)
    results.print(heading, style="bold")
    for line in lines:
        results.print(line)
