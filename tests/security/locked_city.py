"""A small city behind the locked broker: topics and rights of its own, readings, a worker."""

from __future__ import annotations

import time
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from uuid import uuid4

import pytest
from confluent_kafka.admin import NewTopic
from faults.run.workers import Worker
from security.documentation import kafka_rights
from security.secure_kafka import SecureKafka

from hedgerow.app.broker.tail import Tail
from hedgerow.app.replay.send import KafkaSender
from hedgerow.app.settings import Settings, load_settings

ROLES = ("hedgerow", "sensors", "control-room")
HOURS = 30


@dataclass(frozen=True, slots=True)
class LockedCity:
    """One group with its topics, for one user.

    Parameters
    ----------
    way : Mapping[str, str]
        How the user gets in.
    redis : Mapping[str, str]
        How the worker gets into Redis.
    """

    kafka: SecureKafka
    user: str
    way: Mapping[str, str]
    redis: Mapping[str, str]
    folder: Path
    name: str = field(default_factory=lambda: f"locked-{uuid4().hex[:6]}")

    @property
    def names(self) -> dict[str, str]:
        """What the topics and the group of the documentation are called here."""
        topics = ("sensor-data", "predictions", "alerts", "dead-letters", "sensor-registry")
        return {**{topic: f"{self.name}.{topic}" for topic in topics}, "hedgerow": self.name}

    @property
    def environment(self) -> dict[str, str]:
        return {
            **self.way,
            **self.redis,
            "HEDGEROW_GROUP": self.name,
            "HEDGEROW_TOPICS__READINGS": self.names["sensor-data"],
            "HEDGEROW_TOPICS__PREDICTIONS": self.names["predictions"],
            "HEDGEROW_TOPICS__ALERTS": self.names["alerts"],
            "HEDGEROW_TOPICS__DEAD_LETTERS": self.names["dead-letters"],
            "HEDGEROW_TOPICS__SENSOR_REGISTRY": self.names["sensor-registry"],
            "HEDGEROW_TOPICS__CREATE": "false",
            "HEDGEROW_CHECKPOINT__INTERVAL_SECONDS": "0.2",
        }

    def build(self) -> LockedCity:
        """Make the topics, and give the user the documented rights."""
        topics = [NewTopic(name, 1, 1) for key, name in self.names.items() if key != "hedgerow"]
        for future in self.kafka.admin.create_topics(topics).values():
            future.result(20)
        for role in ROLES:
            self.kafka.allow(kafka_rights(self.user, self.names, role=role))
        return self

    def start(self, more: Mapping[str, str] | None = None) -> Worker:
        return Worker(self.name, self.folder, {**self.environment, **(more or {})})

    def settings(self) -> Settings:
        """Return the settings a command of this user has."""
        with pytest.MonkeyPatch.context() as patch:
            for name, value in self.environment.items():
                patch.setenv(name, value)
            return load_settings()

    def send(self, hours: range) -> None:
        """Send one reading for each hour, as `hedgerow replay` does."""
        with KafkaSender(self.settings().kafka, self.names["sensor-data"]) as sender:
            for hour in hours:
                at = 1_767_225_600 + 3600 * hour
                sender.send(b"s", b'{"sensor_id":"s","timestamp":%d,"value":%d}' % (at, hour % 24))
            sender.finish()

    def predictions(self) -> int:
        """Count what was published, as `hedgerow predictions tail` reads it."""
        name = self.names["predictions"]
        with Tail(self.settings().kafka, name, from_beginning=True, follow=False) as tail:
            return len(list(tail.values()))


def wait_predictions(city: LockedCity, worker: Worker, wanted: int) -> None:
    """Wait until so many predictions are published."""
    wait_until(lambda: city.predictions() == wanted, worker, f"{wanted} predictions")


def wait_until(done: Callable[[], bool], worker: Worker, what: str, seconds: float = 90.0) -> None:
    """Wait for something a worker does."""
    deadline = time.monotonic() + seconds
    while not done():
        if time.monotonic() > deadline or not worker.running:
            raise AssertionError(f"{what}: not so, and the worker says\n{worker.tail()}")
        time.sleep(0.1)


def wait_ended(worker: Worker, seconds: float = 90.0) -> int:
    """Wait until a worker has ended by itself, and return its code."""
    code = worker.child.wait(seconds)
    if code is None:
        raise AssertionError(f"still running after {seconds} s:\n{worker.tail()}")
    return code
