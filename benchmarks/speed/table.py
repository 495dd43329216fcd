"""Sections and tables in Markdown, of what the parts left."""

from __future__ import annotations

from collections.abc import Sequence
from textwrap import dedent, fill
from typing import Any

Kept = dict[str, Any]  # what a part left in build/bench, as JSON
WIDTH = 100


def blocks(title: str, *texts: str) -> str:
    """Write a section: a heading, then tables as they are and paragraphs wrapped.

    Examples
    --------
    >>> print(blocks("Start", "It takes\\n   a second.", "| a |"))
    ## Start
    <BLANKLINE>
    It takes a second.
    <BLANKLINE>
    | a |
    <BLANKLINE>
    """
    written = [
        text if text.startswith("|") else fill(" ".join(dedent(text).split()), WIDTH)
        for text in texts
    ]
    return "\n\n".join([f"## {title}", *written]) + "\n"


def grid(head: Sequence[str], rows: Sequence[Sequence[str]]) -> str:
    """Write a table: the first column to the left, the rest to the right.

    Examples
    --------
    >>> print(grid(["a", "b"], [["x", "1"]]))
    | a | b |
    |---|---:|
    | x | 1 |
    """
    lines = ["| " + " | ".join(head) + " |", "|---" + "|---:" * (len(head) - 1) + "|"]
    lines += ["| " + " | ".join(row) + " |" for row in rows]
    return "\n".join(lines)


def percent(share: float) -> str:
    """Write a share.

    Examples
    --------
    >>> percent(0.0123)
    '1.2 %'
    """
    return f"{share * 100:.1f} %"
