"""Forecasts by others through a broker and a worker: 65 experts' numbers, and the way in."""

from __future__ import annotations

import json
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from uuid import uuid4

import opera
import pytest
from confluent_kafka import Producer
from faults.log.logs import Entry, Reader, create_topics, read, write
from faults.run.workers import Worker
from stack.fixtures import Stack
from stack.parts import require

HOUR = 3600
START = 1_767_254_400


class Town:
    """One worker with topics of its own."""

    def __init__(self, stack: Stack, folder: Path, config: str, partitions: int) -> None:
        self.stack = stack
        self.name = f"town-{uuid4().hex[:8]}"
        kinds = ("readings", "predictions", "alerts", "dead_letters", "expert_forecasts")
        self.topics = {kind: f"{self.name}.{kind}" for kind in kinds}
        create_topics(stack.bootstrap, self.topics.values(), partitions)
        self._folder = folder
        path = folder / "city.toml"
        path.write_text(config, "utf-8")
        self._env = {
            "HEDGEROW_CONFIG": str(path),
            "HEDGEROW_GROUP": self.name,
            "HEDGEROW_KAFKA__BOOTSTRAP_SERVERS": stack.bootstrap,
            "HEDGEROW_REDIS__URL": stack.redis_url,
            "HEDGEROW_REDIS__PREFIX": self.name,
            "HEDGEROW_CHECKPOINT__INTERVAL_SECONDS": "0.2",
            **{f"HEDGEROW_TOPICS__{kind.upper()}": name for kind, name in self.topics.items()},
        }
        self.workers: list[Worker] = []

    def start(self) -> Worker:
        worker = Worker(f"worker-{len(self.workers)}", self._folder, self._env)
        self.workers.append(worker)
        return worker

    @contextmanager
    def reading(self, kind: str) -> Iterator[Reader]:
        reader = Reader(self.stack.bootstrap, self.topics[kind])
        try:
            yield reader
        finally:
            reader.close()

    def wait(self, done: Callable[[], bool], what: str, seconds: float = 120.0) -> None:
        deadline = time.monotonic() + seconds
        while not done():
            worker = self.workers[-1]
            if not worker.running or time.monotonic() > deadline:
                raise AssertionError(f"not {what}\n{worker.tail()}")


@pytest.fixture
def towns(stack: Stack, tmp_path: Path) -> Iterator[Callable[[str, int], Town]]:
    made: list[Town] = []

    def make(config: str, partitions: int) -> Town:
        made.append(Town(stack, tmp_path, config, partitions))
        return made[-1]

    yield make
    for town in made:
        for worker in town.workers:
            worker.end()


def test_the_65_experts_of_opera_come_to_the_published_numbers(
    towns: Callable[[str, int], Town],
) -> None:
    require(opera.missing())
    data = opera.load()
    town = towns(
        "[[profiles]]\n"
        'name = "load"\n'
        f"period_seconds = {opera.DAY_MS // 1000}\n"
        "horizons = [1]\n"
        "experts = []\n"
        "naive = false\n"
        "drift = false\n"
        'aggregation = "ml-poly"\n'
        f"outside = {json.dumps(data.experts)}\n",
        1,
    )
    key, now = opera.SENSOR.encode(), opera.time_ms(len(data.load))
    entries = [Entry(0, now, key, message) for message in opera.messages(data)]
    write(town.stack.bootstrap, town.topics["readings"], entries)
    due = len(data.leading) + len(data.load)

    town.start()
    with town.reading("predictions") as reader:
        town.wait(lambda: bool(reader.poll(0.2)) and len(reader.records) >= due, "all predicted")
        records = reader.read_to_end()

    forecasts = {
        body["source_offset"]: body["forecasts"][0]["mean"]
        for body in (json.loads(record.value or b"") for record in records)
    }
    mean = [forecasts[offset] for offset in sorted(forecasts)]
    assert opera.rounded(opera.score(data, mean[data.first : -1])) == opera.PUBLISHED


def forecast(sensor: str, hour: int, value: float) -> bytes:
    return json.dumps(
        {
            "sensor_id": sensor,
            "expert": "deep",
            "issued_at": START,
            "target_time": START + hour * HOUR,
            "predicted": value,
        }
    ).encode()


def test_forecasts_come_in_by_their_own_topic_though_the_worker_is_killed(
    towns: Callable[[str, int], Town],
) -> None:
    town = towns(
        "[topics]\nforward = true\n"
        '[[profiles]]\nname = "hourly"\nperiod_seconds = 3600\noutside = ["deep"]\n',
        3,
    )
    sensors = [f"s{number}" for number in range(12)]
    producer = Producer(
        {"bootstrap.servers": town.stack.bootstrap, "partitioner": "murmur2_random"}
    )
    for sensor in sensors:
        body = {"sensor_id": sensor, "timestamp": START, "value": 1.0}
        producer.produce(town.topics["readings"], key=sensor, value=json.dumps(body))
    assert producer.flush(60) == 0

    town.start()
    with town.reading("predictions") as reader:
        town.wait(
            lambda: bool(reader.poll(0.2)) and len(reader.records) >= len(sensors), "predicted"
        )
    sent = [
        Entry(number % 3, START * 1000, None, forecast(sensor, 1 + n % 40, float(n)))
        for n in range(200)
        for number, sensor in enumerate(sensors)
    ]
    write(town.stack.bootstrap, town.topics["expert_forecasts"], sent[: len(sent) // 2])
    write(
        town.stack.bootstrap, town.topics["expert_forecasts"], [Entry(0, START * 1000, b"k", b"{")]
    )
    with town.reading("readings") as reader:
        town.wait(lambda: bool(reader.poll(0.2)) and len(reader.records) > 100, "some forwarded")
        town.workers[-1].kill()
        town.start()
        write(town.stack.bootstrap, town.topics["expert_forecasts"], sent[len(sent) // 2 :])
        town.wait(
            lambda: (
                reader.poll(0.2) is not None
                and {entry.value for entry in sent} <= {r.value for r in reader.records}
            ),
            "all forwarded",
        )
        arrived = reader.read_to_end()

    # Each sensor's forecasts stand in the partition of its readings, in their order.
    homes = {r.key: r.partition for r in arrived if b'"timestamp"' in (r.value or b"")}
    assert len(homes) == len(sensors)
    assert {record.key: record.partition for record in arrived} == homes
    for number, sensor in enumerate(sensors):
        mine = [
            r.value for r in arrived if r.key == sensor.encode() and b'"expert"' in (r.value or b"")
        ]
        first_seen = list(dict.fromkeys(mine))
        assert first_seen == [entry.value for entry in sent[number :: len(sensors)]]

    worker = town.workers[-1]

    def used() -> float:
        return sum(
            value
            for (name, labels), value in worker.metrics().items()
            if name == "hedgerow_accounted" and ("outcome", "used") in labels
        )

    town.wait(lambda: used() >= len(sent), "all used", 60.0)
    (letter,) = {
        (dict(r.headers)["dlq.topic"], dict(r.headers)["dlq.offset"])
        for r in read(town.stack.bootstrap, town.topics["dead_letters"])
    }
    assert letter[0] == town.topics["expert_forecasts"].encode()
