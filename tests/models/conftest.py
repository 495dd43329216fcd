"""Stale machine code must not pass for the new."""

from __future__ import annotations

import os
from pathlib import Path

import hedgerow.models

_FOLDER = Path(hedgerow.models.__file__).parent
_COMPILED = ("arithmetic", "episodes", "features", "layout", "zone")


def pytest_configure() -> None:
    # numba caches the kernel by the time stamp of kernel.py alone.
    kernel = _FOLDER / "kernel.py"
    newest = max((_FOLDER / f"{name}.py").stat().st_mtime for name in _COMPILED)
    if newest > kernel.stat().st_mtime:
        os.utime(kernel)
