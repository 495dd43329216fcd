"""One thing the doctor looked at."""

from __future__ import annotations

from dataclasses import dataclass
from enum import StrEnum


class Status(StrEnum):
    """How a check came out."""

    OK = "ok"
    WARN = "warn"
    FAIL = "fail"


@dataclass(frozen=True, slots=True)
class Check:
    """One thing that was looked at.

    Attributes
    ----------
    name : str
        What was looked at.
    status : Status
        How it came out.
    found : str
        What is there.
    advice : str
        What to do; empty when nothing needs doing.
    """

    name: str
    status: Status
    found: str
    advice: str = ""
