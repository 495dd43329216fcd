"""What a block may differ in from what was printed, and what it may not."""

from __future__ import annotations

import pytest
from docs.outputs import differences

TABLE = """\
series   scored     MAE   skill
───────────────────────────────
bridge    1,204    5.31  +12.5%
A1           60  0.0042   -3.1%
"""


@pytest.mark.parametrize(
    "printed",
    [
        TABLE,
        TABLE.replace("1,204", "   98").replace("5.31", "  53").replace("+12.5%", " -1.5%"),
        TABLE.replace("───────────────────────────────", "─────────────────────────────────"),
    ],
    ids=["the same", "other numbers", "a wider table"],
)
def test_numbers_may_vary_where_the_fence_says_so(printed: str) -> None:
    assert differences(TABLE, printed, varies=True) == []


@pytest.mark.parametrize(
    ("text", "becomes"),
    [
        ("MAE", "RMSE"),
        ("bridge", "tunnel"),
        ("+12.5%", " 12.5%"),
        ("+12.5%", "+12.5 "),
        ("1,204", "1204"),
        ("1,204    5.31", "1,204 5.31"),
        ("5.31", "   -"),
        ("A1 ", "A7 "),
        ("A1           60  0.0042   -3.1%\n", ""),
        ("A1  ", "A1 x"),
    ],
)
def test_words_layout_and_the_way_numbers_are_written_may_not(text: str, becomes: str) -> None:
    assert text in TABLE
    assert differences(TABLE, TABLE.replace(text, becomes), varies=True)


@pytest.mark.parametrize(
    ("shown", "printed", "same"),
    [
        ("at 2025-01-01T00:00:00Z 5", "at 2026-12-31T23:00:00Z 7", True),
        ("at 2025-01-01T00:00:00Z 5", "at 1735689600 7", False),
        ("level_0.3 66%", "level_0.3 70%", True),
        ("level_0.3 66%", "level_0.03 66%", False),
        ("sensor-data/3, at 4", "sensor-data/1, at 17", True),
        (" 9 alerts", "10 alerts", True),
        ("  said before", "said before", False),
    ],
)
def test_names_and_times_are_no_numbers(shown: str, printed: str, same: bool) -> None:
    assert (differences(shown, printed, varies=True) == []) is same
