"""Tables in Markdown, of what the parts left."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

Kept = dict[str, Any]  # what a part left in build/bench, as JSON


def grid(head: Sequence[str], rows: Sequence[Sequence[str]]) -> str:
    """Write a Markdown table: the first column to the left, the rest to the right.

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
