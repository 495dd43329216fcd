"""The log cut short, made anew, or given more partitions; outputs refused: said, never passed over.

Each test has a topic of its own on a real Kafka.
"""

from __future__ import annotations

import json
import subprocess
import time
from collections.abc import Mapping
from contextlib import ExitStack
from dataclasses import replace
from pathlib import Path

import pytest
from confluent_kafka import TopicPartition
from confluent_kafka.admin import (
    AdminClient,
    NewPartitions,
)
from docs.typed import unlike
from faults.judge import verifier
from faults.judge.state import saved_offsets
from faults.log import scenario
from faults.log.city import City, build_city
from faults.log.logs import Entry, create_topics, read, write
from faults.log.scenario import HOUR, START_MS
from faults.run.driver import Run
from faults.run.workers import Worker
from stack.fixtures import REAL, Stack
from stack.kafka_server import LIBS

pytestmark = [
    pytest.mark.timeout(600),
    pytest.mark.parametrize("stack", [REAL], indirect=True, scope="session"),
]
SENSORS = 6
PARTITIONS = 2
RULES = replace(scenario.RULES, period_ms=lambda _: HOUR)
CITY = '[[profiles]]\nname = "hourly"\nperiod_seconds = 3600\n'


def entries(first: int, hours: int, partition_of: Mapping[str, int] | None = None) -> list[Entry]:
    """Hourly readings of a few sensors, spread over two partitions unless told otherwise."""
    return [
        Entry(
            partition_of[f"s{n}"] if partition_of else n % PARTITIONS,
            START_MS + hour * HOUR,
            b"s%d" % n,
            json.dumps(
                {"sensor_id": f"s{n}", "timestamp": START_MS + hour * HOUR, "value": hour % 24 + n}
            ).encode(),
        )
        for hour in range(first, first + hours)
        for n in range(SENSORS)
    ]


@pytest.fixture
def city(stack: Stack) -> City:
    return build_city(
        stack, entries(0, 40), partitions=PARTITIONS, rules=RULES, config=CITY
    ).write()


@pytest.fixture
def admin(stack: Stack) -> AdminClient:
    return AdminClient({"bootstrap.servers": stack.bootstrap})


def learned_and_gone(run: Run) -> None:
    """Let a worker learn what there is, and leave."""
    run.start()
    run.wait_done()
    run.alive[0].leave()


def stopped(run: Run, worker: Worker, code: int, seconds: float = 60.0) -> str:
    """Wait until it has stopped by itself, and return its last words."""
    assert worker.child.wait(seconds) == code, worker.tail()
    worker.end()
    run.workers.remove(worker)  # or every later wait would take it for a failure
    return worker.child.log_tail(4)


def listed(run: Run) -> list[dict[str, object]]:
    found: list[dict[str, object]] = json.loads(run.ask("state", "list", "--json").stdout)
    return found


def predicted(run: Run) -> set[str]:
    bodies = (json.loads(r.value or b"") for r in run.collect().outputs.predictions)
    return {body["id"] for body in bodies}


# ---------------------------------------------------------------- retention


def cut(admin: AdminClient, city: City, before: int) -> None:
    """Write five more hours, then delete everything before an offset of partition 0."""
    write(city.stack.bootstrap, city.topic, entries(40, 5))
    answers = admin.delete_records([TopicPartition(city.topic, 0, before)])
    for future in answers.values():
        future.result(20)


@pytest.mark.faults(
    row=4,
    case="the next offset no longer retained",
    injections="records deleted beyond the saved offset",
    outcome="the worker stops and says how many are gone",
)
def test_messages_gone_from_kafka_stop_the_worker_unless_told_otherwise(
    city: City, admin: AdminClient, tmp_path: Path
) -> None:
    with Run(city, tmp_path) as run:
        learned_and_gone(run)
        cut(admin, city, before=126)  # offset 120 is due
        said = stopped(run, run.start(), 8)
        assert "offset 120 is due next, and Kafka holds nothing before 126" in said
        assert 'set on_gap to "earliest"' in said


@pytest.mark.faults(
    row=4,
    case="the same, `on_gap = {policy}`",
    injections="records deleted beyond the saved offset",
    outcome="goes on at the right offset, the gap counted with the state",
)
@pytest.mark.parametrize(("policy", "goes_on_at"), [("earliest", 126), ("latest", 135)])
def test_by_policy_it_goes_on_and_counts_the_gap(
    city: City, admin: AdminClient, tmp_path: Path, policy: str, goes_on_at: int
) -> None:
    skipped = goes_on_at - 120
    with Run(city, tmp_path, settings={"HEDGEROW_ON_GAP": policy}) as run:
        learned_and_gone(run)
        cut(admin, city, before=126)
        worker = run.start()
        run.wait_ready(worker)
        key = ("hedgerow_incidents_total", (("kind", "gap"),))
        run.wait_until(lambda: worker.metrics().get(key) == 1.0, "the gap noticed")
        write(city.stack.bootstrap, city.topic, entries(45, 1))
        shown = ("hedgerow_skipped_messages", (("partition", "0"), ("topic", city.topic)))
        run.wait_until(lambda: worker.metrics().get(shown) == skipped, "the gap counted")
        run.wait_until(lambda: saved_offsets(run._where)[0] == 138, "all saved")
        assert listed(run)[0]["skipped"] == skipped
        of_first = {i for i in predicted(run) if i.startswith(f"{city.topic}:0:")}
        offsets = {int(i.split(":")[2]) for i in of_first}
        assert offsets == {*range(120), *range(goes_on_at, 138)}


# ---------------------------------------------------------------- another topic


def made_anew(admin: AdminClient, city: City, partitions: int = PARTITIONS) -> None:
    for future in admin.delete_topics([city.topic]).values():
        future.result(20)
    deadline = time.monotonic() + 20
    while city.topic in admin.list_topics(timeout=5).topics and time.monotonic() < deadline:
        time.sleep(0.1)
    create_topics(city.stack.bootstrap, [city.topic], partitions)


@pytest.mark.faults(
    row=4,
    case="the topic deleted and made anew",
    injections="under a running worker, then at a start",
    outcome="noticed by its id; `hedgerow state adopt` keeps what was learned",
)
def test_a_topic_made_anew_stops_the_worker_and_can_be_adopted(
    city: City, admin: AdminClient, tmp_path: Path
) -> None:
    with Run(city, tmp_path) as run:
        worker = run.start()
        run.wait_done()
        made_anew(admin, city)
        assert "made anew" in stopped(run, worker, 8)
        write(city.stack.bootstrap, city.topic, entries(40, 3))
        assert "hedgerow state adopt" in stopped(run, run.start(), 8)
        done = run.ask("state", "adopt", "--yes")
        assert done.returncode == 0, done.stderr
        assert unlike("hedgerow state adopt --yes", done.stdout) == []
        assert "0 series in another partition" in done.stdout
        worker = run.start()
        run.wait_ready(worker)
        run.wait_until(lambda: saved_offsets(run._where) == {0: 9, 1: 9}, "the new log learned")
        assert sum(int(str(one["series"])) for one in listed(run)) == SENSORS
        newest = json.loads(run.collect().outputs.predictions[-1].value or b"")
        assert newest["source_offset"] < 9
        assert newest["forecasts"][0]["predicted"] != newest["observed"]  # not a new series


# ---------------------------------------------------------------- more partitions


@pytest.mark.faults(
    row=4,
    case="partitions added",
    injections="2 to 5 under a running worker, readings still under way",
    outcome="all stop until `hedgerow state repartition`; every series goes on in its new one",
)
def test_partitions_added_stop_the_workers_until_the_series_are_moved(
    city: City, admin: AdminClient, tmp_path: Path
) -> None:
    with Run(city, tmp_path) as run:
        worker = run.start()
        run.wait_done()
        for future in admin.create_partitions([NewPartitions(city.topic, 5)]).values():
            future.result(20)
        assert "hedgerow state repartition" in stopped(run, worker, 8)
        assert "has 5 partitions" in stopped(run, run.start(), 8)

        write(city.stack.bootstrap, city.topic, entries(40, 2))  # by senders that do not know yet
        done = run.ask("state", "repartition")
        assert done.returncode == 0, done.stderr
        assert "moved from 2 to 5 partitions" in done.stdout
        again = run.ask("state", "repartition")
        assert "as before" in again.stdout

        where = murmur2_partitions(5)
        write(city.stack.bootstrap, city.topic, entries(42, 3, where))
        worker = run.start()
        run.wait_ready(worker)
        due = 42 * SENSORS + 3 * SENSORS
        everywhere = replace(run._where, partitions=5)
        run.wait_until(lambda: sum(saved_offsets(everywhere).values()) == due, "learned")
        kept = listed(run)
        assert sum(int(str(one["series"])) for one in kept) == SENSORS
        learned = [one["counts"]["learned"] for one in kept if one["counts"]]  # type: ignore[index]
        assert sum(learned) == due
        assert len(predicted(run)) == due
        newest = {
            body["series"]: body
            for body in (json.loads(r.value or b"") for r in run.collect().outputs.predictions)
        }
        for body in newest.values():
            assert body["forecasts"][0]["predicted"] != body["observed"]  # not a new series
        checked = run.ask("verify")
        assert checked.returncode == 0, checked.stdout + checked.stderr


def murmur2_partitions(partitions: int) -> dict[str, int]:
    """Where Java's clients send the sensors, worked out beside the product."""
    from hedgerow.app.broker.partitioner import partition_of
    from hedgerow.app.settings import Partitioner

    return {
        f"s{n}": partition_of(Partitioner.MURMUR2, b"s%d" % n, partitions) for n in range(SENSORS)
    }


@pytest.mark.faults(
    row=4,
    case="state commands beside a worker",
    injections="repartition, adopt, forget",
    outcome="refused",
)
def test_nothing_is_moved_while_a_worker_runs(city: City, tmp_path: Path) -> None:
    with Run(city, tmp_path) as run:
        run.wait_ready(run.start())
        for arguments in (
            ("repartition",),
            ("adopt", "--yes"),
            ("forget", "--yes"),
            ("reset", "--partition", "0", "--yes"),
            ("rollback", "--partition", "0", "--yes"),
        ):
            refused = run.ask("state", *arguments)
            assert refused.returncode == 12
            assert "1 workers of group" in refused.stderr


@pytest.mark.faults(
    row=4,
    case="a partition's state forgotten",
    injections="`hedgerow state forget`",
    outcome="learned again from the log; same bytes, same state",
)
def test_what_is_forgotten_is_learned_again_the_same(city: City, tmp_path: Path) -> None:
    with Run(city, tmp_path) as run:
        learned_and_gone(run)
        before = run.collect()
        assert run.ask("state", "forget", "--partition", "1", "--yes").returncode == 0
        assert listed(run)[1]["generation"] is None
        run.start()
        run.wait_until(lambda: saved_offsets(run._where).get(1) == 120, "learned again")
        after = run.finish()
        assert verifier.same_outputs(before.outputs, after.outputs) == []
        assert verifier.same_state(before.state, after.state) == []


# ---------------------------------------------------------------- outputs


@pytest.mark.faults(
    row=4,
    case="an output topic deleted",
    injections="under a running worker",
    outcome="the worker stops and names the topic; only what was acknowledged is saved",
)
def test_an_output_topic_that_is_gone_stops_the_worker(
    city: City, admin: AdminClient, tmp_path: Path
) -> None:
    with Run(city, tmp_path) as run:
        worker = run.start()
        run.wait_done()
        topic = run.environment["HEDGEROW_TOPICS__PREDICTIONS"]
        for future in admin.delete_topics([topic]).values():
            future.result(20)
        write(city.stack.bootstrap, city.topic, entries(40, 1))
        said = stopped(run, worker, 8, seconds=120.0)
        assert f"there is no topic {topic}" in said
        assert saved_offsets(run._where) == {0: 120, 1: 120}


def limit_rate(bootstrap: str, bytes_a_second: int | None) -> None:
    """Let the worker's producer send only so much, by a quota of the broker's; or lift that."""
    quota = "producer_byte_rate"
    change = (
        ("--delete-config", quota)
        if bytes_a_second is None
        else ("--add-config", f"{quota}={bytes_a_second}")
    )
    subprocess.run(
        [
            *("java", "-Xmx64m", "-cp", str(LIBS / "*"), "kafka.admin.ConfigCommand"),
            *("--bootstrap-server", bootstrap, "--alter", *change),
            *("--entity-type", "clients", "--entity-name", "hedgerow"),
        ],
        check=True,
        capture_output=True,
        timeout=60,
    )


@pytest.mark.faults(
    row=4,
    case="the producer's queue full",
    injections="a quota of 1 kB/s on the broker, 240,000 readings due",
    outcome="no more readings taken, heartbeats go on, memory flat; all is delivered later",
)
@pytest.mark.slow
def test_a_full_producer_queue_holds_the_readings_back(
    stack: Stack, admin: AdminClient, tmp_path: Path
) -> None:
    """The broker throttles the producer for a while, down to next to nothing."""
    many = [
        Entry(n % PARTITIONS, START_MS + hour * HOUR, b"%d" % n, b"%d" % hour)
        for hour in range(400)
        for n in range(600)
    ]
    city = build_city(stack, many[:2], partitions=PARTITIONS, rules=RULES, config=CITY)
    write(stack.bootstrap, city.topic, many)
    with Run(city, tmp_path) as run, ExitStack() as throttled:
        topic = run.environment["HEDGEROW_TOPICS__PREDICTIONS"]
        limit_rate(stack.bootstrap, 1_000)
        throttled.callback(limit_rate, stack.bootstrap, None)  # or every later test would be, too
        worker = run.start()

        def held_back() -> bool:
            status, text = worker.get("/readyz")
            return status == 503 and "does not acknowledge outputs" in text

        run.wait_until(held_back, "held back", 90.0)
        stood_at, memory = learned(worker), resident(worker)
        ends = time.monotonic() + 12.0  # two session timeouts
        while time.monotonic() < ends:
            assert run.holds(worker) == PARTITIONS
            assert members(admin, run.name) == 1
            time.sleep(1.0)
        assert learned(worker) < stood_at + 40_000 < len(many)  # a trickle
        assert resident(worker) < 1.2 * memory
        assert set(saved_offsets(run._where).values()) <= {0}  # nothing is acknowledged
        throttled.close()
        run.wait_until(lambda: learned(worker) == len(many), "all learned", 180.0)
        worker.leave(within_seconds=60.0)
        assert sum(saved_offsets(run._where).values()) == len(many)
        assert len({(r.partition, r.offset) for r in read(stack.bootstrap, topic)}) == len(many)


def learned(worker: Worker) -> float:
    return worker.metrics().get(("hedgerow_readings_total", (("outcome", "learned"),)), 0.0)


def resident(worker: Worker) -> int:
    """Return the worker's memory in kB."""
    for line in Path(f"/proc/{worker.child.pid}/status").read_text("utf-8").splitlines():
        if line.startswith("VmRSS:"):
            return int(line.split()[1])
    raise AssertionError("no VmRSS")


def members(admin: AdminClient, group: str) -> int:
    return len(admin.describe_consumer_groups([group])[group].result(20).members)
