"""Kernels baked into an image: used, never written, and missed without harm."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

import pytest

MODULE = """\
import sys
import numba

@numba.njit(cache=True)
def twice(x):
    return x + x

assert twice({argument}) == 2 * {argument}
print(sum(twice.stats.cache_hits.values()), sum(twice.stats.cache_misses.values()))
"""


def run(script: Path, cache: Path, temporary: Path, *, baked: bool) -> tuple[int, int]:
    """Run the script, and return its cache's hits and misses."""
    env = {**os.environ, "NUMBA_CACHE_DIR": str(cache), "TMPDIR": str(temporary)}
    if baked:
        env["NUMBA_CACHE_LOCATOR_CLASSES"] = "hedgerow.app.service.kernel_cache.BakedCache"
    done = subprocess.run(
        [sys.executable, str(script)], env=env, capture_output=True, text=True, timeout=120,
        check=True,
    )  # fmt: skip
    hits, misses = done.stdout.split()
    return int(hits), int(misses)


def contents(folder: Path) -> dict[str, tuple[int, bytes]]:
    files = [path for path in folder.rglob("*") if path.is_file()]
    return {str(path): (path.stat().st_mtime_ns, path.read_bytes()) for path in files}


@pytest.fixture
def places(tmp_path: Path) -> tuple[Path, Path, Path]:
    script, cache, temporary = tmp_path / "script.py", tmp_path / "baked", tmp_path / "tmp"
    script.write_text(MODULE.format(argument="7"), "utf-8")
    temporary.mkdir()
    assert run(script, cache, temporary, baked=False) == (0, 1)
    return script, cache, temporary


def test_baked_kernels_are_used_and_left_as_they_are(places: tuple[Path, Path, Path]) -> None:
    script, cache, temporary = places
    before = contents(cache)
    assert before
    assert run(script, cache, temporary, baked=True) == (1, 0)
    assert contents(cache) == before
    assert list(temporary.iterdir()) == []  # nothing is left behind


def test_what_was_not_baked_is_compiled_and_left_out(places: tuple[Path, Path, Path]) -> None:
    script, cache, temporary = places
    before = contents(cache)
    script.write_text(MODULE.format(argument="0.5"), "utf-8")
    assert run(script, cache, temporary, baked=True) == (0, 1)
    assert contents(cache) == before
