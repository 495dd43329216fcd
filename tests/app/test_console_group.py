"""The health of all workers, from whichever of them serves the page."""

from __future__ import annotations

import asyncio
import json
import uuid
from collections.abc import AsyncIterator

import pytest
from prometheus_client import CollectorRegistry
from redis.asyncio import Redis
from rig import Rig, batch, log
from stack.fixtures import Stack

from hedgerow.agents.ports import Checkpoint, Partition
from hedgerow.app.console.checkpoints import Checkpoints
from hedgerow.app.console.group import ASK_SECONDS, Group
from hedgerow.app.console.reports import GONE_SECONDS, Report, Reporter, Reports
from hedgerow.app.console.worker import HeldHere
from hedgerow.app.service.metrics import WorkerMetrics
from hedgerow.app.state.store import RedisStateStore
from hedgerow.models import CityModel, Profile


@pytest.fixture
async def redis(embedded_stack: Stack) -> AsyncIterator[Redis]:
    client = Redis.from_url(embedded_stack.redis_url)
    yield client
    await client.aclose()


@pytest.fixture
def prefix() -> str:
    return uuid.uuid4().hex


@pytest.fixture
def reports(redis: Redis, prefix: str) -> Reports:
    return Reports(redis, prefix=prefix, group="g", topic="readings")


def report(worker: str, partition: int, **changed: object) -> Report:
    told = {
        "readings_per_second": 10.0, "lag": 5, "unsaved": 20, "saved_seconds_ago": 4.0,
        "generation": 3, "not_ready": None, **changed,
    }  # fmt: skip
    return Report(worker, partition, **told)  # type: ignore[arg-type]


async def test_a_report_is_read_by_all_and_forgotten_when_its_worker_is_gone(
    reports: Reports, redis: Redis, prefix: str
) -> None:
    await reports.write([report("one", 0), report("two", 1, not_ready="paused")])
    await reports.write([report("two", 0)])  # it was taken over
    found = await reports.read([0, 1, 2])
    assert {number: one.worker for number, one in found.items()} == {0: "two", 1: "two"}
    assert found[1].not_ready == "paused"
    assert 0 < await redis.ttl(f"{prefix}:{{g:readings:0}}:holder") <= GONE_SECONDS
    await redis.set(f"{prefix}:{{g:readings:2}}:holder", b'{"another": "release"}')
    assert set(await reports.read([0, 1, 2])) == {0, 1}


async def test_each_worker_has_a_line_and_of_what_nobody_tells_the_checkpoint_does(
    reports: Reports, redis: Redis, prefix: str
) -> None:
    now = [50.0]
    store = RedisStateStore(redis, prefix=prefix, group="g")
    checkpoints = Checkpoints(store, CityModel())
    group = Group(reports, checkpoints, topic="readings", here="one", clock=lambda: now[0])
    claim = await store.claim(Partition("readings", 2))
    await store.save(claim, Checkpoint(0, 70, ("meta",), {"meta": b"m"}))
    await reports.write([report("one", 0, saved_seconds_ago=9.0), report("two", 1, generation=0)])
    await group.ask({0: 100, 1: 100, 2: 100, 3: 100})
    members = group.members
    assert members is not None
    one, two = members.workers
    assert (one.worker, one.here, one.partitions, one.saved_seconds_ago) == ("one", True, [0], 9.0)
    assert (two.worker, two.here, two.saved) == ("two", False, False)
    assert [(u.partition, u.generation, u.since) for u in members.untold] == [
        (2, 1, 30), (3, None, 100),
    ]  # fmt: skip
    assert group.lag(committed=1_090) == 5 + 5 + 30 + 100
    now[0] += 40.0
    await group.ask({2: 100})
    assert group.members is not None
    assert group.members.untold[0].seconds == 40.0
    await store.save(claim, Checkpoint(1, 90, ("meta",), {"meta": b"m"}))
    now[0] += ASK_SECONDS
    await group.ask({2: 100})
    (untold,) = group.members.untold
    assert (untold.generation, untold.since, untold.seconds) == (2, 10, 0.0)


async def test_while_a_worker_does_not_know_its_lag_what_is_committed_tells_it(
    reports: Reports, redis: Redis
) -> None:
    checkpoints = Checkpoints(RedisStateStore(redis, prefix="p", group="g"), CityModel())
    group = Group(reports, checkpoints, topic="readings", here="one")
    await reports.write([report("one", 0), report("two", 1, lag=None)])
    await group.ask({0: 100, 1: 100})
    assert group.lag(committed=7) == 7


async def test_without_a_redis_it_says_so_and_keeps_what_it_knew() -> None:
    nobody = Redis.from_url("redis://127.0.0.1:1")
    store = RedisStateStore(nobody, prefix="p", group="g")
    reports = Reports(nobody, prefix="p", group="g", topic="readings")
    group = Group(reports, Checkpoints(store, CityModel()), topic="readings", here="one")
    await group.ask({0: 1})
    assert group.trouble is not None
    assert group.trouble.startswith("Redis does not answer")
    assert group.members is None
    assert group.lag(committed=7) == 7
    await nobody.aclose()


def readings(hours: int) -> list[bytes]:
    return [
        json.dumps({"sensor_id": "s", "timestamp": 3600 * h, "value": float(h % 7)}).encode()
        for h in range(hours)
    ]


async def test_a_worker_tells_of_every_partition_that_it_holds() -> None:
    rig = Rig(CityModel((Profile("hourly", period_seconds=3600),)))
    here = HeldHere(
        rig.holdings,
        WorkerMetrics(CollectorRegistry()),
        lag_of=lambda _: 7,
        not_ready=lambda: None,
        clock=rig.clock.monotonic,
        name="one",
    )
    assert here.reports() == []
    await rig.assign()
    first = here.reports()[0]
    assert (first.partition, first.readings_per_second, first.generation) == (0, None, 0)
    rig.clock.now += 5.0
    await rig.feed(batch(log(readings(50))))
    told = here.reports()[0]
    assert (told.worker, told.readings_per_second, told.lag, told.unsaved) == ("one", 10.0, 7, 50)
    await rig.save()
    rig.clock.now += 3.0
    saved = here.reports()[0]
    assert (saved.unsaved, saved.saved_seconds_ago, saved.generation) == (0, 3.0, 1)


async def test_reports_go_on_after_a_redis_that_was_away(
    reports: Reports, caplog: pytest.LogCaptureFixture, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("hedgerow.app.console.reports.REPORT_SECONDS", 0.01)
    away = Redis.from_url("redis://127.0.0.1:1")
    there, reports._redis = reports._redis, away
    reporter = Reporter(reports, lambda: [report("one", 0)])
    reporter.start()
    await asyncio.sleep(0.1)
    assert caplog.text.count("other workers' consoles do not hear of this one") == 1
    reports._redis = there
    async with asyncio.timeout(5):
        while not await reports.read([0]):
            await asyncio.sleep(0.01)
    reporter.stop()
    await away.aclose()
