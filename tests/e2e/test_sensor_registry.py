"""A registry imported while workers run: it counts from a checkpoint on, whoever is killed."""

from __future__ import annotations

import asyncio
import json
import random
import re
import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from pathlib import Path
from uuid import uuid4

import pytest
from fakes import FakeRegistry
from faults.run.workers import Worker
from rig import Record, Rig
from stack.fixtures import Stack

from hedgerow.agents.ports import Batch, Partition
from hedgerow.app.access.stores import connect, disconnect
from hedgerow.app.broker.tail import Tail
from hedgerow.app.broker.topic_admin import ensure_topics
from hedgerow.app.city import city_model
from hedgerow.app.registry.declared import declared
from hedgerow.app.registry.send import changes, send
from hedgerow.app.registry.table import read_table
from hedgerow.app.replay.send import KafkaSender
from hedgerow.app.settings import Settings, load_settings
from hedgerow.app.state.store import RedisStateStore
from hedgerow.models import EMPTY, Registry, decode_chunk
from hedgerow.topics import Sensor

CONFIG = """
[[profiles]]
name = "hourly"
match = ["s[12]"]
period_seconds = 3600
horizons = [1, 3]

[[profiles]]
name = "roads"
kinds = ["road"]
period_seconds = 3600
horizons = [2]
"""
SENSORS = ("s1", "s2", "s3")


@dataclass
class Town:
    """Topics, a group and workers of a test's own."""

    settings: Settings
    environment: dict[str, str]
    folder: Path
    workers: list[Worker] = field(default_factory=list)
    sent: int = 0

    @property
    def topic(self) -> str:
        return self.settings.topics.readings

    def start(self) -> Worker:
        worker = Worker(f"w{len(self.workers)}", self.folder, self.environment)
        self.workers.append(worker)
        return worker

    @property
    def log(self) -> str:
        names = [worker.child.name for worker in self.workers]
        return "\n".join((self.folder / f"{name}.log").read_text() for name in names)

    def send(self, readings: int) -> None:
        """Send the next readings, one sensor after the other."""
        with KafkaSender(self.settings.kafka, self.topic) as sender:
            for offset in range(self.sent, self.sent + readings):
                sender.send(b"town", reading(offset))
            sender.finish()
        self.sent += readings

    def register(self, *sensors: Sensor) -> Registry:
        wanted = {sensor.sensor_id: sensor for sensor in sensors}
        there = read_table(self.settings).sensors
        send(self.settings, changes(there, wanted, replace=True), lambda _: None)
        return declared(wanted)

    def records(self, topic: str) -> list[bytes]:
        with Tail(self.settings.kafka, topic, from_beginning=True, follow=False) as tail:
            return list(tail.values())

    def wait(self, done: Callable[[], bool], what: str) -> None:
        deadline = time.monotonic() + 60
        while not done():
            if time.monotonic() > deadline:
                raise AssertionError(f"not {what}:\n{self.log[-6000:]}")
            time.sleep(0.05)

    def wait_goes_by(self, registry: Registry) -> None:
        """Wait until a partition goes by this registry for good: the store has it."""

        def stored() -> bool:
            return asyncio.run(stored_version(self)) == registry.version

        self.wait(stored, f"going by {registry.version}")

    def learned_all(self) -> bool:
        samples = self.workers[-1].metrics()
        counts = [
            value
            for (name, labels), value in samples.items()
            if name == "hedgerow_accounted" and ("outcome", "decoded") in labels
        ]
        return sum(counts) == self.sent


async def stored_version(town: Town) -> str:
    settings = town.settings
    redis = connect(settings.redis)
    try:
        store = RedisStateStore(redis, prefix=settings.redis.prefix, group=settings.group)
        stored = await store.peek(Partition(town.topic, 0), ["meta"])
        return str(decode_chunk(stored.chunks["meta"]).meta.get("registry")) if stored else ""
    finally:
        await disconnect(redis)


def reading(offset: int) -> bytes:
    hour = offset // len(SENSORS)
    value = 40 + (hour % 24) + random.Random(offset).random()
    body = {"sensor_id": SENSORS[offset % 3], "timestamp": 1_767_225_600 + 3600 * hour}
    return json.dumps({**body, "value": value}).encode()


@pytest.fixture
def town(stack: Stack, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Town]:
    name = f"town-{uuid4().hex[:8]}"
    config = tmp_path / "city.toml"
    config.write_text(CONFIG)
    environment = {
        "HEDGEROW_CONFIG": str(config),
        "HEDGEROW_KAFKA__BOOTSTRAP_SERVERS": stack.bootstrap,
        "HEDGEROW_REDIS__URL": stack.redis_url,
        "HEDGEROW_REDIS__PREFIX": name,
        "HEDGEROW_GROUP": name,
        "HEDGEROW_TOPICS__READINGS": f"{name}.readings",
        "HEDGEROW_TOPICS__PREDICTIONS": f"{name}.predictions",
        "HEDGEROW_TOPICS__ALERTS": f"{name}.alerts",
        "HEDGEROW_TOPICS__DEAD_LETTERS": f"{name}.dead",
        "HEDGEROW_TOPICS__SENSOR_REGISTRY": f"{name}.sensors",
        "HEDGEROW_TOPICS__PARTITIONS": "1",
        "HEDGEROW_CHECKPOINT__INTERVAL_SECONDS": "0.3",
    }
    for variable, value in environment.items():
        monkeypatch.setenv(variable, value)
    town = Town(load_settings(), environment, tmp_path)
    ensure_topics(town.settings)
    yield town
    for worker in town.workers:
        worker.end()


def bounds_told(town: Town) -> list[tuple[str, float]]:
    alerts = map(json.loads, town.records(town.settings.topics.alerts))
    return [(a["series"], a["upper"]) for a in alerts if a["kind"] == "bound"]


def test_a_bound_that_is_imported_counts_from_the_next_checkpoint_on(town: Town) -> None:
    town.start()
    town.send(90)
    town.wait(lambda: len(town.records(town.settings.topics.predictions)) == 90, "learned")
    assert bounds_told(town) == []

    registry = town.register(Sensor("s1", bound_upper=30.0), Sensor("s3", kind="road"))
    town.wait_goes_by(registry)
    town.send(9)
    town.wait(lambda: len(town.records(town.settings.topics.predictions)) == 99, "learned")

    assert bounds_told(town)[0] == ("s1", 30.0)
    newest = [json.loads(r) for r in town.records(town.settings.topics.predictions)[90:]]
    assert {body["model"] for body in newest if body["series"] == "s3"} == {"roads"}
    assert {body["model"] for body in newest if body["series"] == "s2"} == {"hourly"}


def test_killed_around_changes_it_publishes_what_an_undisturbed_worker_would(town: Town) -> None:
    rng = random.Random(7)
    rounds = [
        (Sensor("s1", bound_upper=50.0), Sensor("s2", period_seconds=7200.0)),
        (Sensor("s1", bound_upper=45.0, neighbours=("s3",)),),
        (Sensor("s3", kind="road", bound_lower=44.0), Sensor("s1", neighbours=("s2", "s3"))),
    ]
    town.start()
    town.send(300)
    registries = []
    for sensors in rounds:
        town.wait(town.learned_all, "learned")
        registries.append(town.register(*sensors))
        town.send(200)
        time.sleep(rng.uniform(0.0, 0.7))
        town.workers[-1].kill()
        town.start()
        town.send(100)
        town.wait_goes_by(registries[-1])
    town.wait(town.learned_all, "learned")
    town.workers[-1].leave()

    offsets = {
        version: int(offset)
        for version, offset in re.findall(r"sensors \((\w+)\) from offset (\d+) on", town.log)
    }
    calm = asyncio.run(undisturbed(town, [(offsets[r.version], r) for r in registries]))

    topics = town.settings.topics
    assert calm["predictions"] == once(town.records(topics.predictions))
    assert calm["alerts"] == once(town.records(topics.alerts))
    assert len(set(offsets.values())) > 1, "changes at several places in the log"


def once(records: list[bytes]) -> dict[str, bytes]:
    """Drop repeats, which must have the same bytes."""
    found: dict[str, bytes] = {}
    for record in records:
        assert found.setdefault(json.loads(record)["id"], record) == record
    return found


async def undisturbed(town: Town, taken: list[tuple[int, Registry]]) -> dict[str, dict[str, bytes]]:
    """Let a worker on fakes learn the same log, changing at the same offsets."""
    source = FakeRegistry(EMPTY)
    rig = Rig(city_model(town.settings), registry=source)
    partition = Partition(town.topic, 0)
    at = await rig.assign(partition)
    messages = [Record(offset, reading(offset), b"town") for offset in range(town.sent)]
    for end, registry in [*taken, (town.sent, None)]:
        if end > at:
            await rig.feed(Batch(partition, at, end, messages[at:end]))
        at = end
        if registry is not None:
            source.known = registry
            await rig.checkpoint()
    return {
        topic: once([record.value or b"" for record in rig.emitter.of(topic)])
        for topic in ("predictions", "alerts")
    }
