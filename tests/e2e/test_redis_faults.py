"""Redis killed, restored from an older copy, filled up, damaged: the city goes on, or says why not.

Each test has a Redis of its own. What comes out in the end is compared with an undisturbed run.
"""

from __future__ import annotations

import json
import time
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path

import pytest
from faults.judge import verifier
from faults.log.city import City
from faults.run.driver import Outcome, Run, judge
from faults.run.servers import OwnRedis, own_redis
from faults.run.workers import Worker
from stack.fixtures import REAL
from stack.redis_servers import Watched

pytestmark = [
    pytest.mark.timeout(600),
    pytest.mark.parametrize("stack", [REAL], indirect=True, scope="session"),
]
SAME = "nothing lost, nothing learned twice; same bytes, same state"
OUTAGE_SECONDS, SHORT_OUTAGE_SECONDS = 60.0, 12.0  # both longer than the session of 6 s


@pytest.fixture(name="own_redis")
def _own_redis(tmp_path: Path) -> Iterator[OwnRedis]:
    with own_redis(tmp_path) as server:
        yield server


@pytest.fixture
def city(live_city: City, own_redis: OwnRedis) -> City:
    return replace(live_city, stack=replace(live_city.stack, redis_url=own_redis.url))


def incidents(worker: Worker, kind: str) -> float:
    return worker.metrics().get(("hedgerow_incidents_total", (("kind", kind),)), 0.0)


def wait_paused(run: Run, worker: Worker) -> None:
    def paused() -> bool:
        status, text = worker.get("/readyz")
        return status == 503 and "Redis cannot be written" in text

    run.wait_until(paused, "paused")


def wait_saved(run: Run, worker: Worker, times: int) -> None:
    """Wait for so many more checkpoints."""
    key = ("hedgerow_checkpoints_total", (("outcome", "saved"),))
    due = worker.metrics().get(key, 0.0) + times
    run.wait_until(lambda: worker.metrics().get(key, 0.0) >= due, "saved again")


def settled(run: Run) -> Outcome:
    run.wait_done()
    run.check_accounting()
    return run.finish()


def gone_back(outcome: Outcome) -> Outcome:
    """Leave out what Redis's own log says of generations: here they go back on purpose."""
    return replace(outcome, unfenced=())


@pytest.mark.faults(
    row=3,
    case="Redis killed for a minute",
    injections="`kill -9` of redis-server under load, away longer than the session",
    outcome="paused, stays in the group, `/readyz` says so; " + SAME,
)
def test_killed_for_a_minute(
    city: City,
    own_redis: OwnRedis,
    undisturbed: Outcome,
    tmp_path: Path,
    request: pytest.FixtureRequest,
) -> None:
    whole = request.config.getoption("--fault-matrix", None) is not None
    outage = OUTAGE_SECONDS if whole else SHORT_OUTAGE_SECONDS
    with Run(city, tmp_path) as run:
        worker = run.start()
        run.wait_ready(worker)
        with run.feed(seconds=10.0):
            run.wait_share(0.2)
            own_redis.kill()
            wait_paused(run, worker)
        run.look()
        stood_at, ends = run.progress, time.monotonic() + outage
        while time.monotonic() < ends:
            assert run.holds(worker) == city.partitions  # still a member, heartbeats going on
            time.sleep(0.5)
        run.look()
        assert run.progress - stood_at < 0.05 * city.expected.outputs  # at most what was under way
        own_redis.start()
        run.wait_until(lambda: worker.get("/readyz")[0] == 200, "going on")
        outcome = settled(run)
    assert len(run.workers) == 1
    assert judge(city, outcome, undisturbed) == []
    assert verifier.repeats(outcome.outputs.predictions) == 0


@pytest.mark.faults(
    row=3,
    case="restored from an older copy, the worker running",
    injections="its append-only file put back as it was, the claim in it",
    outcome="noticed by generation, memory written over it; " + SAME,
)
def test_restored_from_an_older_copy_under_a_running_worker(
    city: City, own_redis: OwnRedis, undisturbed: Outcome, tmp_path: Path
) -> None:
    with Run(city, tmp_path) as run:
        worker = run.start()
        run.wait_ready(worker)
        with run.feed(seconds=10.0):
            run.wait_share(0.1)
            wait_saved(run, worker, 1)
            own_redis.copy()
            run.wait_share(0.4)
            wait_saved(run, worker, 2 * city.partitions)
            own_redis.put_back()
        run.wait_until(lambda: incidents(worker, "rollback") >= 1, "the rollback noticed")
        outcome = settled(run)
    assert judge(city, gone_back(outcome), undisturbed) == []
    assert verifier.repeats(outcome.outputs.predictions) == 0  # memory was ahead, and was kept


@pytest.mark.faults(
    row=3,
    case="restored from a copy older than the claim",
    injections="as before, the copy of an earlier owner's",
    outcome="noticed by token and epoch, claimed again; " + SAME,
)
def test_restored_from_before_the_worker_claimed_anything(
    city: City, own_redis: OwnRedis, undisturbed: Outcome, tmp_path: Path
) -> None:
    with Run(city, tmp_path) as run:
        first = run.start()
        run.wait_ready(first)
        with run.feed(seconds=10.0):
            run.wait_share(0.2)
            wait_saved(run, first, 1)
            first.leave()
            own_redis.copy()
            second = run.start()
            run.wait_share(0.6)
            wait_saved(run, second, 1)
            own_redis.put_back()
        run.wait_until(lambda: incidents(second, "rollback") >= 1, "the rollback noticed")
        outcome = settled(run)
    assert judge(city, gone_back(outcome), undisturbed) == []


@pytest.mark.faults(
    row=3,
    case="restored while no worker ran",
    injections="as before, the worker killed first",
    outcome="learned again from the older offset, outputs repeated; " + SAME,
)
def test_restored_while_no_worker_ran_repeats_the_same_outputs(
    city: City, own_redis: OwnRedis, undisturbed: Outcome, tmp_path: Path
) -> None:
    with Run(city, tmp_path) as run:
        worker = run.start()
        run.wait_ready(worker)
        with run.feed(seconds=8.0):
            run.wait_share(0.2)
            wait_saved(run, worker, 1)
            own_redis.copy()
            run.look_to_end()
            copied_at = len(run.predictions)
            run.wait_share(0.6)
            run.wait_until(lambda: len(run.predictions) > copied_at, "more published")
            worker.kill()
            killed_at = len(run.predictions)
            own_redis.put_back()
            run.start()
        outcome = settled(run)
    assert judge(city, gone_back(outcome), undisturbed) == []  # repeats are the same to the byte
    assert verifier.repeats(outcome.outputs.predictions) >= killed_at - copied_at


@pytest.mark.faults(
    row=3,
    case='restored, `redis.on_rollback = "stop"`',
    injections="its append-only file put back as it was",
    outcome="the worker stops and says what to do",
)
def test_a_rollback_stops_the_worker_where_the_policy_says_so(
    city: City, own_redis: OwnRedis, tmp_path: Path
) -> None:
    with Run(city, tmp_path, settings={"HEDGEROW_REDIS__ON_ROLLBACK": "stop"}) as run:
        worker = run.start()
        run.wait_ready(worker)
        with run.feed(seconds=5.0):
            run.wait_share(0.1)
            wait_saved(run, worker, 1)
            own_redis.copy()
            run.wait_share(0.4)
            wait_saved(run, worker, 2 * city.partitions)
            own_redis.put_back()
            assert worker.child.wait(60.0) == 8
        assert "restored from an older copy" in worker.child.log_tail(3)


@pytest.mark.faults(
    row=3,
    case="memory full",
    injections="`maxmemory` below what is used, noeviction",
    outcome="paused as when unreachable, nothing half-written stays; " + SAME,
)
def test_memory_full(city: City, own_redis: OwnRedis, undisturbed: Outcome, tmp_path: Path) -> None:
    with Run(city, tmp_path) as run:
        worker = run.start()
        run.wait_ready(worker)
        with run.feed(seconds=10.0):
            run.wait_share(0.2)
            own_redis.client.config_set("maxmemory-policy", "noeviction")
            own_redis.client.config_set("maxmemory", "1mb")
            wait_paused(run, worker)
            keys = own_redis.client.dbsize()
            time.sleep(3.0)  # several attempts, which must leave nothing behind
            assert own_redis.client.dbsize() <= keys + 2 * city.partitions
            own_redis.client.config_set("maxmemory", "0")
            run.wait_until(lambda: worker.get("/readyz")[0] == 200, "going on")
        outcome = settled(run)
    assert judge(city, outcome, undisturbed) == []
    assert verifier.repeats(outcome.outputs.predictions) == 0


def damage_newest(own_redis: OwnRedis, *, keep_previous: bool) -> int:
    """Change a byte in the newest ``meta`` chunk of each partition; return how many."""
    states = list(own_redis.client.scan_iter("*:state"))
    for state in states:
        manifest = json.loads(own_redis.client.hget(state, "manifest"))
        key = manifest["chunks"]["meta"]
        own_redis.client.setrange(key, own_redis.client.strlen(key) // 2, b"\xff")
        if not keep_previous:
            own_redis.client.hdel(state, "previous")
    return len(states)


@pytest.mark.faults(
    row=3,
    case="a chunk damaged",
    injections="one byte of the newest `meta` chunk of each partition",
    outcome="refused by checksum, gone back to the generation before; " + SAME,
)
def test_a_damaged_snapshot_is_given_up_for_the_one_before(
    city: City, own_redis: OwnRedis, undisturbed: Outcome, tmp_path: Path
) -> None:
    with Run(city, tmp_path) as run:
        worker = run.start()
        run.wait_ready(worker)
        with run.feed(seconds=8.0):
            run.wait_share(0.4)
            worker.leave()
            damaged = damage_newest(own_redis, keep_previous=True)
            second = run.start()
        run.wait_ready(second)
        assert incidents(second, "revert") == damaged == city.partitions
        outcome = settled(run)
    assert judge(city, gone_back(outcome), undisturbed) == []


@pytest.mark.faults(
    row=3,
    case="a chunk damaged, no generation before it",
    injections="as before, `previous` removed",
    outcome="the worker stops and says what to run; nothing is loaded",
)
def test_without_one_before_the_worker_stops_and_says_what_to_run(
    city: City, own_redis: OwnRedis, tmp_path: Path
) -> None:
    with Run(city, tmp_path) as run:
        worker = run.start()
        run.wait_ready(worker)
        with run.feed(seconds=3.0):
            run.wait_share(0.3)
            worker.leave()
            damage_newest(own_redis, keep_previous=False)
            second = run.start()
            assert second.child.wait(60.0) == 4
        assert "hedgerow state forget" in second.child.log_tail(3)


@pytest.mark.faults(
    row=3,
    case="Sentinel: the primary killed, the replica takes over",
    injections="`kill -9` of the primary under load; the worker knows the sentinel's URL",
    outcome="paused until the replica is the primary, then goes on; " + SAME,
)
def test_a_failover_behind_sentinel(live_city: City, undisturbed: Outcome, tmp_path: Path) -> None:
    servers = Watched(tmp_path)
    try:
        url = f"redis://127.0.0.1:{servers.replica.port}/0"  # what is read in the end
        city = replace(live_city, stack=replace(live_city.stack, redis_url=url))
        with Run(city, tmp_path, settings={"HEDGEROW_REDIS__URL": servers.url}) as run:
            worker = run.start()
            run.wait_ready(worker)
            with run.feed(seconds=12.0):
                run.wait_share(0.3)
                servers.fail_over()
            outcome = settled(run)
            assert run.workers == [worker]
    finally:
        servers.close()
    assert judge(city, outcome, undisturbed) == []
