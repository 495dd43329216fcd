"""What every command prints with: results to stdout, progress and errors to stderr."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer
from rich.console import Console

if TYPE_CHECKING:
    from hedgerow.app.settings import Settings

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


def columns(headings: Sequence[str], rows: Sequence[Sequence[str]]) -> Iterator[str]:
    """Give the lines of a table of numbers, the headings first, as wide as they need to be.

    Examples
    --------
    >>> list(columns(["n", "series"], [["10", "7"]]))
    [' n  series', '10       7']
    """
    widths = [max(map(len, column)) for column in zip(headings, *rows, strict=True)]
    for row in (headings, *rows):
        yield "  ".join(cell.rjust(width) for cell, width in zip(row, widths, strict=True))
