"""Whether a part is on this machine: skip with its name, in CI fail."""

from __future__ import annotations

import os
import shutil

import pytest


def in_ci() -> bool:
    return os.environ.get("CI") == "true"


def require(missing: str | None) -> None:
    """Skip what needs a missing part, naming it; in CI that is a failure."""
    if missing is None:
        return
    if in_ci():
        pytest.fail(f"missing: {missing}; in CI every part must be there")
    pytest.skip(f"missing: {missing}")


def without(*programs: str) -> str | None:
    """Name the programs that are not on the ``PATH``, ``None`` if all are."""
    absent = [program for program in programs if shutil.which(program) is None]
    return " and ".join(absent) or None
