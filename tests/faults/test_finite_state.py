"""Whatever finite numbers sensors send: no NaN and no infinity ever enters a snapshot."""

from __future__ import annotations

import sys

import numpy as np
import pytest
from faults.judge.chunks import not_finite, open_chunk
from hypothesis import example, given, settings
from hypothesis import strategies as st

from hedgerow.models import CityModel, Learner, Profile, RawChunk, encode_chunk

START, TICK = 1_767_225_600_000, 300_000
LARGEST, TINY = sys.float_info.max, 5e-324
CITY = CityModel((Profile("all", period_seconds=300, bound_upper=1e6, horizons=(1, 3, 12)),))
values = st.one_of(
    st.floats(allow_nan=False, allow_infinity=False),
    st.sampled_from([0.0, -0.0, 1.0, 1e9, -1e9, 1e308, -1e308, LARGEST, TINY, -TINY, 1e-310]),
)
gaps = st.sampled_from([0, 1, 1, 1, 1, -1, 2, 288, 288 * 7, 10**5])


@settings(max_examples=100, deadline=None)
@given(readings=st.lists(st.tuples(gaps, values), min_size=1, max_size=150))
@example(readings=[(1, 1e308), (1, -1e308)] * 60)
@example(readings=[(1, TINY), (1, 0.0), (1, -TINY)] * 40)
@example(readings=[(1, 7.5)] * 150)
@example(readings=[(1, 50.0)] * 60 + [(1, 1e9)] + [(1, 50.0)] * 60)
@example(readings=[(1, 1e9 * (n % 2)) for n in range(150)])
def test_no_nan_and_no_infinity_enters_a_snapshot(readings: list[tuple[int, float]]) -> None:
    slots = np.cumsum([gap for gap, _ in readings], dtype=np.int64)
    count = len(readings)
    learner = Learner(CITY)

    learner.step(
        ["s"] * count,
        [""] * count,
        START + np.maximum(slots, 0) * TICK,
        np.array([value for _, value in readings], np.float64),
        np.arange(count),
    )

    chunks = {name: encode_chunk(raw) for name, raw in learner.capture().chunks.items()}
    assert any(name.startswith("rows/") for name in chunks)
    assert not_finite(chunks) == []


@pytest.mark.parametrize(
    ("field", "number", "found"),
    [("clock", np.nan, "NaN"), ("ring", np.nan, ""), ("ring", np.inf, "infinite")],
)
def test_a_number_that_is_not_finite_is_found(field: str, number: float, found: str) -> None:
    learner = Learner(CITY)
    learner.step(["s"], [""], np.array([START]), np.array([1.0]), np.array([0]))
    chunks = dict(learner.capture().chunks)
    layout = open_chunk(encode_chunk(chunks["layout/0000"])).meta["fields"]
    rows = chunks["rows/0000/00000"].arrays["rows"].copy()
    rows[0, next(offset for name, offset, *_ in layout if name == field)] = number
    chunks["rows/0000/00000"] = RawChunk(
        "rows/0000/00000", {**chunks["rows/0000/00000"].arrays, "rows": rows}
    )
    assert " ".join(not_finite({n: encode_chunk(c) for n, c in chunks.items()})).endswith(found)
