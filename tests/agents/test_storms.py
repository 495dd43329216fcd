"""Storms of bad input: the worker stops where the log goes over a limit, and stops there again."""

from __future__ import annotations

import json
from collections.abc import Sequence

import pytest
from hypothesis import given
from hypothesis import strategies as st
from rig import PARTITION, Record, Rig, batch, log

from hedgerow.agents.errors import Storm
from hedgerow.agents.ports import Progress
from hedgerow.agents.storms import StormLimits
from hedgerow.models import CityModel, Profile

HOURLY = CityModel(profiles=(Profile("hourly", period_seconds=3600),))
LIMITS = StormLimits(max_run=3, max_ratio=0.5, window=10)


def messages(pattern: str) -> list[Record]:
    """Turn ``..x.`` into good and bad messages."""
    return log(
        b"{"
        if kind == "x"
        else json.dumps(
            {"sensor_id": "s1", "timestamp": 1_767_225_600 + 3600 * n, "value": n}
        ).encode()
        for n, kind in enumerate(pattern)
    )


def first_over(pattern: str, limits: StormLimits) -> int | None:
    """Count one message after the other, by hand."""
    run = bad = 0
    for at, kind in enumerate(pattern):
        if at % limits.window == 0:
            bad = 0
        if kind == ".":
            run = 0
            continue
        run, bad = run + 1, bad + 1
        if run > limits.max_run or bad > limits.max_ratio * limits.window:
            return at
    return None


@given(
    pattern=st.text("..x", max_size=60),
    cuts=st.lists(st.integers(0, 60), max_size=6),
)
def test_where_a_storm_stops_depends_on_the_log_alone(pattern: str, cuts: list[int]) -> None:
    edges = sorted({0, len(pattern), *(cut for cut in cuts if cut < len(pattern))})
    progress, found = Progress(), None
    for start, end in zip(edges, edges[1:], strict=False):
        part = pattern[start:end]
        failed = [at for at, kind in enumerate(part) if kind == "x"]
        progress, over = LIMITS.weigh(progress, len(part), failed)
        if over is not None:
            found = start + over
            break
    assert found == first_over(pattern, LIMITS)


async def storming(pattern: str, limits: StormLimits = LIMITS) -> Rig:
    rig = Rig(HOURLY, limits=limits)
    await rig.assign()
    await rig.feed(batch(messages(pattern)))
    return rig


@pytest.mark.parametrize(
    ("pattern", "stands_at", "said"),
    [
        ("..xxxx..", 5, "3 messages in a row before it.*dead_letters.max_run"),
        ("x." * 15, None, None),
        ("xx.xx.x.x.", 8, "5 of the last 8 before it.*dead_letters.max_ratio"),
        ("xxx.......xxx.xx.x.", 17, "5 of the last 7"),
    ],
)
async def test_it_stops_before_the_message_that_is_too_much(
    pattern: str, stands_at: int | None, said: str | None
) -> None:
    rig = await storming(pattern)
    holding = rig.holdings.get(PARTITION)
    assert holding is not None
    if stands_at is None or said is None:
        assert rig.failures == []
        return
    assert holding.next_offset == stands_at
    (reason,) = rig.failures
    assert isinstance(reason, Storm)
    with pytest.raises(Storm, match=said):
        raise reason
    assert f"offset {stands_at} of sensor-data/0" in str(reason)
    assert len(rig.emitter.of("dead-letters")) == pattern[:stands_at].count("x")
    assert rig.learner.counts.messages == stands_at


async def test_a_restart_stops_at_the_same_message_and_a_higher_limit_goes_on() -> None:
    pattern = "..xxxxx.."
    rig = await storming(pattern)
    await rig.save()
    rig.failures.clear()
    rig.restart()
    assert await rig.assign() == 5
    await rig.feed(batch(messages(pattern)[5:], start=5))
    assert isinstance(rig.failures[0], Storm)
    assert rig.learner.counts.messages == 5
    rig.failures.clear()
    rig.limits = StormLimits(max_run=0, max_ratio=1.0)
    rig.restart()
    await rig.feed_from(await rig.assign(), messages(pattern))
    assert rig.failures == []
    assert rig.learner.counts.messages == len(pattern)


async def test_a_flood_of_new_sensors_is_no_storm() -> None:
    rig = Rig(HOURLY, max_series=1, limits=LIMITS)
    await rig.assign()
    flood: Sequence[Record] = log(
        json.dumps({"sensor_id": f"s{n}", "timestamp": 1_767_225_600, "value": n}).encode()
        for n in range(30)
    )
    await rig.feed(batch(flood))
    assert rig.failures == []
    assert len(rig.emitter.of("dead-letters")) == 29
