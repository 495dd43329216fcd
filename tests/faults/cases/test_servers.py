"""Redis and brokers killed and started again while workers work."""

from __future__ import annotations

import time
from pathlib import Path

import pytest
from confluent_kafka import ElectionType, TopicPartition
from confluent_kafka.admin import AdminClient
from faults.log.city import City, build_city
from faults.matrix import Measured
from faults.run.driver import Outcome, Run, judge, undisturbed_run
from faults.run.servers import own_cluster, own_kafka, own_redis
from stack.fixtures import REAL, Stack

DOWN_SECONDS = 5.0
SAME = "nothing lost, nothing learned twice; same bytes, same state"

pytestmark = [
    pytest.mark.parametrize("stack", [REAL], indirect=True, scope="session"),
    pytest.mark.timeout(300),
]


@pytest.mark.faults(
    row=3,
    case="Redis killed and started again from its append-only file",
    injections=f"twice: `kill -9` of redis-server under load, started {DOWN_SECONDS:.0f} s later",
    outcome="the worker goes on; " + SAME,
)
def test_redis_killed_and_started_again(
    stack: Stack, written_city: City, undisturbed: Outcome, tmp_path: Path
) -> None:
    with own_redis(tmp_path) as server:
        mine = Stack(stack.bootstrap, server.url, real=True)
        city = build_city(mine, written_city.entries, partitions=written_city.partitions)
        with Run(city, tmp_path) as run:
            worker = run.start()
            run.wait_ready(worker)
            with run.feed(seconds=60.0):
                for share in (0.2, 0.5):
                    run.wait_share(share)
                    server.kill()
                    run.pass_time(DOWN_SECONDS)
                    server.start()
            outcome = run.settled()
            assert run.workers == [worker]
        assert judge(city, outcome, undisturbed) == []


@pytest.mark.faults(
    row=4,
    case="the broker killed and started again",
    injections=f"twice: `kill -9` of the only broker under load, started {DOWN_SECONDS:.0f} s "
    "later",
    outcome="the worker goes on; " + SAME,
)
def test_the_broker_killed_and_started_again(
    stack: Stack, written_city: City, tmp_path: Path
) -> None:
    with own_kafka(tmp_path / "kafka") as server:
        mine = Stack(server.bootstrap, stack.redis_url, real=True)
        city = build_city(mine, written_city.entries, partitions=written_city.partitions)
        with Run(city, tmp_path) as run:
            worker = run.start()
            run.wait_ready(worker)
            with run.feed(seconds=60.0):
                for share in (0.2, 0.5):
                    run.wait_share(share)
                    server.kill()
                    time.sleep(DOWN_SECONDS)
                    server.start()
                    server.wait_ready()
            city = run.take_log_as_it_stands()
            outcome = run.settled()
            assert run.workers == [worker]
        assert judge(city, outcome, undisturbed_run(city, tmp_path)) == []


@pytest.mark.slow
@pytest.mark.timeout(400)
@pytest.mark.faults(
    row=4,
    case="leaders moved, three brokers",
    injections="the leader of a partition `kill -9`, started again, preferred leaders elected",
    outcome="the worker goes on; " + SAME,
)
def test_leaders_move(stack: Stack, written_city: City, tmp_path: Path, measured: Measured) -> None:
    with own_cluster(tmp_path / "kafka") as cluster:
        mine = Stack(cluster.bootstrap, stack.redis_url, real=True, replication=3)
        city = build_city(mine, written_city.entries, partitions=written_city.partitions)
        admin = AdminClient({"bootstrap.servers": cluster.bootstrap, "log_level": 0})

        def leaders() -> dict[int, int]:
            known = admin.list_topics(city.topic, timeout=20).topics[city.topic].partitions
            return {number: partition.leader for number, partition in known.items()}

        with Run(city, tmp_path) as run:
            worker = run.start()
            run.wait_ready(worker)
            with run.feed(seconds=180.0):
                run.wait_share(0.1)
                at_first = leaders()
                dead = cluster.servers[at_first[0]]
                dead.kill()
                run.wait_until(lambda: leaders()[0] not in {dead.node, -1}, "led by another")
                killed = leaders()
                run.wait_share(run.share + 0.1)
                dead.start()
                cluster.wait_ready()
                run.wait_until(lambda: moved_back(admin, city, leaders, at_first), "led as before")
                run.wait_share(run.share + 0.1)
            city = run.take_log_as_it_stands()
            outcome = run.settled()
            assert run.workers == [worker]
            undisturbed = undisturbed_run(city, tmp_path)
        moved = [number for number, leader in at_first.items() if leader != killed[number]]
        measured("{:d} of {:d} partitions led by another, and back", len(moved), len(at_first))
        assert judge(city, outcome, undisturbed) == []


def moved_back(admin: AdminClient, city: City, leaders, at_first: dict[int, int]) -> bool:
    """Elect the preferred leaders; true once they lead, which takes them to be in sync."""
    places = [TopicPartition(city.topic, number) for number in range(city.partitions)]
    admin.elect_leaders(ElectionType.PREFERRED, places).result(20)
    return leaders() == at_first
