"""The progress bar: what stays of it on a terminal, in a file, and where nothing came."""

from __future__ import annotations

import io

import pytest
from rich.console import Console

from hedgerow.app.cli.progress import ReplayProgress


def drawn(readings: int, *, fails: bool = False) -> str:
    """Return what stands in a file after so many readings."""
    file = io.StringIO()
    try:
        with ReplayProgress(Console(file=file, width=100), "learning x.csv") as bar:
            if readings:
                bar.show(1.0, readings)
            if fails:
                raise KeyboardInterrupt
    except KeyboardInterrupt:
        pass
    return file.getvalue()


def test_in_a_file_the_end_stands() -> None:
    assert "100% 1,344 readings" in drawn(1_344)


@pytest.mark.parametrize("fails", [False, True])
def test_where_no_reading_came_nothing_stands(fails: bool) -> None:
    assert drawn(0, fails=fails) == ""


def test_who_interrupts_is_told_how_far_it_came() -> None:
    assert "1,344 readings" in drawn(1_344, fails=True)
