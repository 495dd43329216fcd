"""How numbers are put into sentences, for commands and pages alike."""

from __future__ import annotations


def counted(number: int, noun: str) -> str:
    """Write a number and what it counts.

    Examples
    --------
    >>> counted(1, "reading"), counted(1344, "reading"), counted(0, "row")
    ('1 reading', '1,344 readings', '0 rows')
    """
    return f"{number:,} {noun}" if number == 1 else f"{number:,} {noun}s"
