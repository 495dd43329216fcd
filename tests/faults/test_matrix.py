"""The matrix plugin, run by pytest over a file of cases."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

import pytest
from faults.matrix import Result, page

CASES = """
import pytest

@pytest.mark.parametrize("point", ["here", "there"])
@pytest.mark.faults(row=1, case="killed {point}", injections="kill", outcome="sound")
def test_case(point, measured):
    measured("{:.1f} s", 1.25)
    assert point == "here"

@pytest.mark.faults(row=2, case="left", injections="none", outcome="sound")
def test_skipped():
    pytest.skip("no server")

def test_no_case():
    pass
"""


CONFTEST = """
from faults.matrix import Matrix, add_option, measured

def pytest_addoption(parser):
    add_option(parser)

def pytest_configure(config):
    config.addinivalue_line("markers", "faults: a case")
    config.pluginmanager.register(Matrix(config), "fault-matrix")
"""


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    (tmp_path / "conftest.py").write_text(CONFTEST)
    (tmp_path / "test_cases.py").write_text(CASES)
    (tmp_path / "pytest.ini").write_text("[pytest]\n")
    return tmp_path


def run(folder: Path, *more: str) -> str:
    """Run the cases, and return the page."""
    environment = {**os.environ, "PYTHONPATH": str(Path(__file__).parents[1])}
    environment.pop("PYTEST_XDIST_WORKER", None)
    command = [sys.executable, "-m", "pytest", "-q", "--fault-matrix=page.md", *more]
    subprocess.run(command, cwd=folder, env=environment, check=False, capture_output=True)
    return (folder / "page.md").read_text()


def test_every_case_is_a_line_with_its_verdict(folder: Path) -> None:
    text = run(folder)
    assert "| killed here | kill | sound | 1.2 s | 0 | passed" in text
    assert "| killed there | kill | sound | 1.2 s | 0 | FAILED" in text
    assert "| left | none | sound |  | 0 | not run" in text
    assert "1 of 3 cases passed" in text


def test_a_case_run_again_replaces_its_line_and_keeps_the_others(folder: Path) -> None:
    run(folder)
    (folder / "test_cases.py").write_text(CASES.replace('== "here"', '== "there"'))
    text = run(folder, "-k", "there")
    assert "| killed there | kill | sound | 1.2 s | 0 | passed" in text
    assert "2 of 3 cases passed" in text


def test_rows_come_in_their_order() -> None:
    lines = [Result(row, f"case {row}", "i", "o", "passed", 1.0) for row in (5, 1)]
    text = page(sorted(lines, key=lambda result: result.row))
    assert text.index("## 1. A worker killed") < text.index("## 5. Poison")
