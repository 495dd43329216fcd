"""The commands that look at what a worker left behind: `verify`, `dlq`, `state list`."""

from __future__ import annotations

import base64
import json
import subprocess
from collections import Counter
from collections.abc import Iterator
from dataclasses import dataclass
from uuid import uuid4

import pytest
from confluent_kafka import Producer
from faults.judge.state import saved_offsets
from faults.log import scenario
from faults.log.city import City, build_city
from faults.log.logs import Record, create_topics, read
from faults.run.driver import Run
from stack.fixtures import Stack

PARTITIONS = 2

pytestmark = [
    pytest.mark.timeout(600),  # a command takes seconds to start on a busy machine
    # On Apache Kafka `verify` is run by `test_log_faults`.
    pytest.mark.parametrize("stack", ["embedded_stack"], indirect=True, scope="session"),
]


@dataclass(frozen=True, slots=True)
class Finished:
    """A city that was learned to its end by a worker that has left."""

    city: City
    run: Run

    def command(self, *arguments: str, **variables: str) -> subprocess.CompletedProcess[str]:
        return self.run.ask(*arguments, **variables)

    @property
    def predictions(self) -> str:
        return self.run.environment["HEDGEROW_TOPICS__PREDICTIONS"]


@pytest.fixture(scope="module")
def finished(stack: Stack, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Finished]:
    shape = scenario.Shape(partitions=PARTITIONS, days=2.0, bad=0.03)
    city = build_city(stack, scenario.entries(shape), partitions=PARTITIONS).write()
    with Run(city, tmp_path_factory.mktemp("commands")) as run:
        run.start()
        run.wait_done()
        run.finish()
        yield Finished(city, run)


def copied(finished: Finished, records: list[Record]) -> str:
    """Put records into a topic of their own."""
    topic = f"copy-{uuid4().hex[:8]}"
    bootstrap = finished.city.stack.bootstrap
    create_topics(bootstrap, [topic], 2)
    producer = Producer({"bootstrap.servers": bootstrap, "linger.ms": 20})
    for record in records:
        producer.produce(topic, record.value, record.key, partition=record.partition)
    assert producer.flush(30) == 0
    return topic


# ---------------------------------------------------------------- verify


def verified(finished: Finished, topic: str) -> tuple[int, list[dict[str, object]]]:
    done = finished.command("verify", "--topic", topic, "--json")
    assert done.stdout, done.stderr
    return done.returncode, json.loads(done.stdout)


def total(findings: list[dict[str, object]], name: str) -> int:
    return sum(int(str(one[name])) for one in findings)


def test_a_city_learned_in_peace_is_as_promised(finished: Finished) -> None:
    done = finished.command("verify")
    assert done.returncode == 0, done.stdout + done.stderr
    assert "as promised: every reading has its prediction or its excuse; no repeats" in done.stdout
    _, findings = verified(finished, finished.predictions)
    assert total(findings, "predictions") == len(finished.city.expected.learned)
    counts = finished.city.expected.counts
    assert total(findings, "excused") == counts["late"] + counts["duplicate"]
    assert all(one["whole"] for one in findings)


def test_a_missing_prediction_is_found(finished: Finished) -> None:
    records = read(finished.city.stack.bootstrap, finished.predictions)
    code, findings = verified(finished, copied(finished, records[:100] + records[101:]))
    assert code == 1
    assert total(findings, "missing") == 1
    assert not all(one["good"] for one in findings)


def test_a_repeat_is_counted_and_another_content_is_a_fault(finished: Finished) -> None:
    records = read(finished.city.stack.bootstrap, finished.predictions)
    code, findings = verified(finished, copied(finished, [*records, *records[:7]]))
    assert (code, total(findings, "repeats"), total(findings, "differing")) == (0, 7, 0)
    first = records[0]
    body = json.loads(first.value or b"")
    changed = Record(0, 0, 0, first.key, json.dumps({**body, "observed": 1e9}).encode())
    code, findings = verified(finished, copied(finished, [*records, changed]))
    assert (code, total(findings, "differing")) == (1, 1)
    assert body["id"] in str(findings)


def test_a_prediction_of_no_reading_is_a_fault(finished: Finished) -> None:
    records = read(finished.city.stack.bootstrap, finished.predictions)
    invented = {"id": f"{finished.city.topic}:0:3:nobody", "series": "nobody"}
    extra = Record(0, 0, 0, b"nobody", json.dumps(invented).encode())
    code, findings = verified(finished, copied(finished, [*records, extra]))
    assert (code, total(findings, "strange")) == (1, 1)


def test_without_the_dead_letters_verify_says_so(finished: Finished) -> None:
    empty = copied(finished, [])
    done = finished.command("verify", "--json", HEDGEROW_TOPICS__DEAD_LETTERS=empty)
    assert done.returncode == 1
    assert total(json.loads(done.stdout), "letters_missing") == len(finished.city.expected.dead)


# ---------------------------------------------------------------- dead letters


def test_dead_letters_are_listed_by_reason_and_time(finished: Finished) -> None:
    dead = finished.city.expected.dead
    due = Counter(reason for _, reason in dead.values())
    done = finished.command("dlq", "list", "--json")
    found = [json.loads(line) for line in done.stdout.splitlines()]
    assert Counter(one["reason"] for one in found) == due
    assert len({one["id"] for one in found}) == len(dead)
    last = finished.command("dlq", "list", "--reason", "json", "--reason", "time").stdout
    assert last.splitlines()[-1].startswith(f"{due['json'] + due['time']} dead letters: ")
    middle = scenario.START_MS + scenario.DAY
    early = finished.command("dlq", "list", "--json", "--until", str(middle)).stdout.splitlines()
    late = finished.command("dlq", "list", "--json", "--since", "2025-10-20").stdout.splitlines()
    assert 0 < len(early) < len(dead)
    assert len(early) + len(late) == len(dead)


def test_a_wrong_reason_is_refused_with_the_right_ones(finished: Finished) -> None:
    done = finished.command("dlq", "list", "--reason", "jason")
    assert done.returncode == 2
    assert "encoding, json, key" in " ".join(done.stderr.split())


def test_one_dead_letter_is_shown_whole(finished: Finished) -> None:
    (partition, offset), (record, reason) = next(iter(finished.city.expected.dead.items()))
    place = f"{finished.city.topic}:{partition}:{offset}"
    shown = json.loads(finished.command("dlq", "show", place, "--json").stdout)
    assert shown["reason"] == reason
    assert base64.b64decode(shown["value_base64"] or "") == (record.value or b"")
    assert f"reason   {reason}" in finished.command("dlq", "show", place).stdout
    assert finished.command("dlq", "show", f"{finished.city.topic}:0:999999999").returncode == 1


def test_a_dry_run_sends_nothing(finished: Finished) -> None:
    before = len(read(finished.city.stack.bootstrap, finished.city.topic))
    done = finished.command("dlq", "replay", "--dry-run")
    assert f"{len(finished.city.expected.dead)} messages would be replayed" in done.stdout
    assert len(read(finished.city.stack.bootstrap, finished.city.topic)) == before


def test_the_state_is_listed(finished: Finished) -> None:
    kept = json.loads(finished.command("state", "list", "--json").stdout)
    assert {one["partition"]: one["next_offset"] for one in kept} == finished.city.expected.ends
    assert sum(one["counts"]["learned"] for one in kept) == len(finished.city.expected.learned)
    assert "next offset" in finished.command("state", "list").stdout


# ---------------------------------------------------------------- replay


def hourly(sensor: str, hours: range) -> Iterator[scenario.Entry]:
    for hour in hours:
        at = scenario.START_MS + hour * scenario.HOUR
        body = {"sensor_id": sensor, "timestamp": at, "value": hour}
        yield scenario.Entry(0, at, sensor.encode(), json.dumps(body).encode())


def test_what_a_full_partition_refused_is_learned_once_when_replayed(
    stack: Stack, tmp_path_factory: pytest.TempPathFactory
) -> None:
    entries = [
        *hourly("h00", range(5)),
        *hourly("h01", range(5)),  # one series too many
        scenario.Entry(0, scenario.START_MS, b"h00", b"{"),
    ]
    city = build_city(stack, entries, partitions=1).write()
    folder = tmp_path_factory.mktemp("replay")
    with Run(city, folder, settings={"HEDGEROW_INPUT__MAX_SERIES": "1"}) as run:
        finished = Finished(city, run)

        def counts() -> dict[str, int]:
            found = json.loads(finished.command("state", "list", "--json").stdout)[0]["counts"]
            return found or {}

        def learn(series: int, messages: int) -> None:
            run._env["HEDGEROW_INPUT__MAX_SERIES"] = str(series)
            run.start()
            run.wait_until(
                lambda: saved_offsets(run._where) == {0: messages}, f"{messages} messages saved"
            )
            run.alive[0].leave()

        learn(1, 11)
        assert (counts()["learned"], counts()["messages_dead_lettered"]) == (5, 6)
        for times in (1, 2):  # again, by mistake
            done = finished.command("dlq", "replay", "--reason", "series-limit")
            assert "5 messages replayed" in done.stdout, done.stderr
            learn(2, 11 + 5 * times)
            assert counts()["learned"] == 10
        assert counts()["duplicate"] + counts()["late"] == 5
        replayed = read(stack.bootstrap, city.topic)[11:]
        assert [(r.key, r.value, r.timestamp_ms) for r in replayed[:5]] == [
            (e.key, e.value, e.timestamp_ms) for e in entries[5:10]
        ]
        assert dict(replayed[0].headers) == {
            "dlq.replays": b"1",
            "dlq.source": f"{city.topic}:0:5".encode(),
            "dlq.reason": b"series-limit",
        }


def test_what_is_refused_again_and_again_is_left_out(
    stack: Stack, tmp_path_factory: pytest.TempPathFactory
) -> None:
    city = build_city(
        stack, [scenario.Entry(0, scenario.START_MS, b"h00", b"{")], partitions=1
    ).write()
    with Run(city, tmp_path_factory.mktemp("again")) as run:
        finished = Finished(city, run)
        run.wait_ready(run.start())

        for times in range(4):
            run.wait_until(
                lambda end=times + 1: saved_offsets(run._where) == {0: end}, "dead once more"
            )
            listed = finished.command("dlq", "list", "--json").stdout.splitlines()
            newest = json.loads(listed[-1])
            assert (len(listed), newest["replays"]) == (times + 1, times)
            done = finished.command("dlq", "replay", "--place", newest["id"])
            if times < 3:
                assert "1 messages replayed" in done.stdout
            else:
                assert "0 messages replayed" in done.stdout
                assert "replayed 3 times already (dead_letters.max_replays)" in done.stderr
