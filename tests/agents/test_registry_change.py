"""A registry takes effect where a checkpoint begins, and nothing is published before it is kept."""

from __future__ import annotations

import asyncio
import json
from collections.abc import Sequence
from contextlib import suppress

import pytest
from fakes import FakeRegistry
from hypothesis import given, settings
from hypothesis import strategies as st
from rig import PARTITION, Record, Rig, batch, log

from hedgerow.agents import holdings as module
from hedgerow.agents.ports import Partition
from hedgerow.models import EMPTY, CityModel, Profile, Registry, SensorFacts

CITY = CityModel(
    (
        Profile("roads", kinds=("road",), horizons=(2,), period_seconds=3600),
        Profile("hourly", period_seconds=3600, horizons=(1, 3), bound_upper=1000.0),
    )
)
HOURS = 60
LOW = Registry({"s1": SensorFacts(bound_upper=15.0)})
ROAD = Registry({"s1": SensorFacts(kind="road"), "s2": SensorFacts(period_seconds=7200.0)})
REGISTRIES = (EMPTY, LOW, ROAD)


def hours(count: int) -> list[Record]:
    return log(
        json.dumps(
            {"sensor_id": f"s{1 + h % 2}", "timestamp": 1_767_225_600 + 1800 * h, "value": h % 24}
        ).encode()
        for h in range(count)
    )


def rig_with(known: Registry | None) -> Rig:
    return Rig(CITY, registry=FakeRegistry(known))


def tell(rig: Rig, known: Registry | None) -> None:
    assert isinstance(rig.registry, FakeRegistry)
    rig.registry.known = known


def offset_of(rig: Rig) -> int:
    holding = rig.holdings.get(PARTITION)
    assert holding is not None
    return holding.next_offset


async def learned(rig: Rig, first: int, end: int) -> None:
    await rig.feed(batch(hours(HOURS)[first:end], start=first))


@pytest.fixture
def patient(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(module, "RETRY_SECONDS", 0.001)


# ---------------------------------------------------------------- when it takes effect


async def test_a_new_registry_waits_for_the_next_checkpoint() -> None:
    rig = rig_with(EMPTY)
    await rig.assign()
    await learned(rig, 0, 30)
    tell(rig, LOW)
    await learned(rig, 30, 36)
    assert rig.meter.alerts["bound:open"] == 0
    assert rig.learner.registry == EMPTY

    await rig.checkpoint()
    await learned(rig, 36, 50)

    assert rig.learner.registry is LOW
    assert rig.meter.alerts["bound:open"] == 1


async def test_a_partition_without_news_takes_it_too_and_stores_it() -> None:
    rig = rig_with(EMPTY)
    await rig.assign()
    await learned(rig, 0, 30)
    await rig.checkpoint()
    tell(rig, ROAD)
    await rig.checkpoint()

    rig.restart()
    tell(rig, None)

    assert await rig.assign() == 30
    assert rig.learner.registry == ROAD
    rig.restart()
    tell(rig, ROAD)
    await rig.assign()
    assert rig.learner.registry is ROAD, "known, so not read again"


async def test_a_replay_goes_by_the_registry_of_then() -> None:
    rig = rig_with(EMPTY)
    await rig.assign()
    await learned(rig, 0, 20)
    await rig.checkpoint()
    await learned(rig, 20, 40)
    published = rig.emitter.of("predictions")[20:] + rig.emitter.of("alerts")

    rig.restart()
    tell(rig, LOW)
    rig.emitter.records.clear()
    assert await rig.assign(log_end=40) == 20
    await learned(rig, 20, 30)
    await rig.checkpoint()
    await learned(rig, 30, 40)

    assert rig.learner.registry == EMPTY
    assert rig.emitter.of("predictions") + rig.emitter.of("alerts") == published
    await rig.checkpoint()
    assert rig.learner.registry is LOW


async def test_the_last_checkpoint_before_leaving_takes_no_other() -> None:
    rig = rig_with(EMPTY)
    await rig.assign()
    await learned(rig, 0, 20)
    tell(rig, LOW)
    await rig.save()
    assert rig.learner.registry == EMPTY


async def test_a_partition_that_has_not_begun_is_not_saved() -> None:
    rig = rig_with(LOW)

    async def earliest(partitions: Sequence[Partition]) -> dict[Partition, int]:
        await rig.save()
        await rig.checkpoint()
        return dict.fromkeys(partitions, 0)

    await rig.holdings.assign([PARTITION], earliest)
    assert PARTITION not in rig.store.rows or rig.store.rows[PARTITION].stored is None


async def test_a_registry_that_breaks_the_learner_stops_the_worker(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    rig = rig_with(EMPTY)
    await rig.assign()
    await learned(rig, 0, 20)
    await rig.checkpoint()
    stored = rig.store.rows[PARTITION].stored

    def broken(*_: object) -> None:
        raise ZeroDivisionError("a bug")

    monkeypatch.setattr(rig.learner, "by_registry", broken, raising=False)
    tell(rig, LOW)
    await rig.checkpoint()
    await learned(rig, 20, 30)

    assert [type(failure) for failure in rig.failures] == [ZeroDivisionError]
    assert rig.holdings.get(PARTITION) is None
    assert rig.store.rows[PARTITION].stored is stored


@pytest.mark.parametrize("known", [None, LOW])
async def test_what_cannot_be_read_changes_nothing(known: Registry | None) -> None:
    rig = rig_with(LOW)
    await rig.assign()
    await learned(rig, 0, 10)
    await rig.checkpoint()
    tell(rig, known)
    stored = rig.store.rows[PARTITION].stored
    await rig.checkpoint()
    await learned(rig, 10, 20)
    await rig.checkpoint()

    assert rig.learner.registry is LOW
    assert stored is not None
    after = rig.store.rows[PARTITION].stored
    assert after is not None
    assert after.chunks["registry"] is stored.chunks["registry"]


async def test_an_emptied_registry_is_a_change() -> None:
    rig = rig_with(LOW)
    await rig.assign()
    await learned(rig, 0, 10)
    tell(rig, EMPTY)
    await rig.checkpoint()

    assert rig.learner.registry == EMPTY
    stored = rig.store.rows[PARTITION].stored
    assert stored is not None
    assert "registry" not in stored.chunks


# ---------------------------------------------------------------- nothing by one that may be lost


async def test_a_new_partition_stores_its_registry_before_it_publishes(patient: None) -> None:
    rig = rig_with(LOW)
    await rig.assign()
    rig.store.full = True
    feeding = asyncio.ensure_future(learned(rig, 0, 10))
    await asyncio.sleep(0.05)
    assert rig.emitter.records == []

    rig.store.full = False
    await feeding

    assert rig.emitter.records != []
    stored = rig.store.rows[PARTITION].stored
    assert stored is not None
    assert "registry" in stored.chunks


async def test_while_a_change_is_not_stored_nothing_is_published(patient: None) -> None:
    rig = rig_with(EMPTY)
    await rig.assign()
    await learned(rig, 0, 30)
    await rig.checkpoint()
    published = len(rig.emitter.records)
    tell(rig, LOW)
    rig.store.full = True
    await rig.checkpoint()
    feeding = asyncio.ensure_future(learned(rig, 30, 50))
    await asyncio.sleep(0.05)
    assert len(rig.emitter.records) == published

    feeding.cancel()  # killed there
    with suppress(asyncio.CancelledError):
        await feeding
    rig.store.full = False
    rig.restart()

    assert await rig.assign() == 30
    assert rig.learner.registry == EMPTY, "the store never heard of another"


async def test_a_partition_that_is_lost_meanwhile_is_not_waited_for(patient: None) -> None:
    rig = rig_with(EMPTY)
    await rig.assign()
    await learned(rig, 0, 10)
    tell(rig, LOW)
    rig.store.full = True
    await rig.checkpoint()
    feeding = asyncio.ensure_future(learned(rig, 10, 20))
    await asyncio.sleep(0.01)

    rig.holdings.abandon(PARTITION)

    await asyncio.wait_for(feeding, 5)
    assert rig.holdings.get(PARTITION) is None


# ---------------------------------------------------------------- whatever is cut or crashes

acts = st.sampled_from(("cut", "save", "crash", "save and crash", 0, 1, 2))
plans = st.dictionaries(st.integers(1, HOURS - 1), acts, max_size=14)


@settings(max_examples=60, deadline=None)
@given(plans)
def test_every_record_that_is_published_again_has_the_same_bytes(plan: dict[int, object]) -> None:
    """A number stands for a registry that is imported there; it counts from the next save on."""
    taken = asyncio.run(_disturbed(plan))
    calm = asyncio.run(_calm(taken.changes))

    assert taken.records == calm.records
    assert taken.state == calm.state


def test_that_comparison_sees_a_change_that_came_elsewhere() -> None:
    taken = asyncio.run(_disturbed({20: 2, 21: "save", 30: "save and crash"}))

    assert list(taken.changes) == [21]
    elsewhere = asyncio.run(_calm({22: ROAD}))
    assert taken.records != elsewhere.records
    assert taken.state != elsewhere.state


class _Ran:
    def __init__(self, rig: Rig, changes: dict[int, Registry]) -> None:
        self.changes = changes
        self.records: dict[str, bytes | None] = {}
        for record in rig.emitter.records:
            body = json.loads(record.value or b"{}")
            assert self.records.setdefault(body["id"], record.value) == record.value
        stored = rig.store.rows[PARTITION].stored
        assert stored is not None
        self.state = dict(stored.chunks)


async def _disturbed(plan: dict[int, object]) -> _Ran:
    rig, changes = rig_with(EMPTY), dict[int, Registry]()
    known: Registry = EMPTY
    at = await rig.assign()
    edges = [*sorted(plan), HOURS]
    while at < HOURS:
        end = next(edge for edge in edges if edge > at)
        await learned(rig, at, end)
        at, act = end, plan.get(end, "cut")
        if isinstance(act, int):
            known = REGISTRIES[act]
            tell(rig, known)
        elif "save" in str(act):
            if rig.learner.registry.version != known.version:
                changes[at] = known
            await rig.checkpoint()
        if "crash" in str(act):
            plan = {edge: what for edge, what in plan.items() if edge != end}
            rig.restart()
            at = await rig.assign()
    await _settled(rig)
    return _Ran(rig, changes)


async def _calm(changes: dict[int, Registry]) -> _Ran:
    rig = rig_with(EMPTY)
    at = await rig.assign()
    for end in [*sorted(changes), HOURS]:
        if end > at:
            await learned(rig, at, end)
        at = end
        if end in changes:
            tell(rig, changes[end])
            await rig.checkpoint()
    await _settled(rig)
    return _Ran(rig, changes)


async def _settled(rig: Rig) -> None:
    """Store everything as it is, by the registry that was taken last."""
    tell(rig, None)
    rig.learner.recapture_all()
    holding = rig.holdings.get(PARTITION)
    assert holding is not None
    holding.saved_offset = -1
    await rig.checkpoint()
