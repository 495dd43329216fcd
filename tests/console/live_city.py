"""A city whose worker serves the console: the demo's sensors, and one that a test speaks for."""

from __future__ import annotations

import gzip
import json
import time
from collections.abc import Iterable, Iterator
from pathlib import Path

from confluent_kafka import Producer
from faults.run.workers import Worker
from stack.fixtures import Stack

from hedgerow.app.demo.feed import SAMPLE
from hedgerow.app.demo.run import CITY
from hedgerow.app.demo.sensors import city_sensors, register
from hedgerow.app.settings import KafkaSettings, Settings, TopicSettings
from hedgerow.topics import Sensor, format_time

MINUTE = 60_000
LIVE_FROM = 1_751_328_000_000  # 2025-07-01, where the sample ends
LIVE = """
[[profiles]]
name = "live"
match = ["live-*"]
period_seconds = 60
bound_upper = 100.0

[[profiles]]
name = "many"
match = ["many-*"]
period_seconds = 3600
experts = ["lean"]
"""


class LiveCity:
    """Topics of its own on a shared stack, made by its first worker, and how to speak to them."""

    def __init__(self, stack: Stack, name: str, folder: Path) -> None:
        self.folder = folder
        self.topic = f"{name}-readings"
        self.now = LIVE_FROM
        config = folder / "city.toml"
        config.write_text(CITY.read_text("utf-8") + LIVE, "utf-8")
        self.environment = {
            "HEDGEROW_CONFIG": str(config),
            "HEDGEROW_KAFKA__BOOTSTRAP_SERVERS": stack.bootstrap,
            "HEDGEROW_REDIS__URL": stack.redis_url,
            "HEDGEROW_REDIS__PREFIX": name,
            "HEDGEROW_GROUP": name,
            "HEDGEROW_TOPICS__READINGS": self.topic,
            "HEDGEROW_TOPICS__PREDICTIONS": f"{name}-predictions",
            "HEDGEROW_TOPICS__ALERTS": f"{name}-alerts",
            "HEDGEROW_TOPICS__DEAD_LETTERS": f"{name}-dead-letters",
            "HEDGEROW_TOPICS__SENSOR_REGISTRY": f"{name}-sensors",
        }
        self._producer = Producer(
            {
                "bootstrap.servers": stack.bootstrap,
                "partitioner": "murmur2_random",
                "linger.ms": 1,
            }
        )

    def worker(self, name: str, **settings: str) -> Worker:
        """Start a worker and wait until it has its partitions."""
        worker = Worker(name, self.folder, {**self.environment, **settings})
        deadline = time.monotonic() + 200  # the kernels may have to be compiled
        while worker.get("/readyz")[0] != 200:
            if not worker.running or time.monotonic() > deadline:
                worker.end()
                raise AssertionError(f"{name} did not become ready:\n{worker.tail()}")
            time.sleep(0.1)
        return worker

    def wait_learned(self, worker: Worker, messages: int) -> None:
        """Wait until a worker that is alone has learned so many messages."""
        deadline = time.monotonic() + 120
        learned = 0.0
        while learned < messages and time.monotonic() < deadline:
            time.sleep(0.2)
            learned = sum(
                value
                for (name, _), value in worker.metrics().items()
                if name == "hedgerow_next_offset"
            )
        assert learned >= messages, worker.tail()

    def send(self, sensor: str, value: float) -> None:
        """Publish the next minute's reading of a sensor, and wait until the broker has it."""
        self.now += MINUTE
        self.publish([(sensor, self.now, value)])

    def publish(self, readings: Iterable[tuple[str, int, float]]) -> None:
        """Publish readings: sensor, time in epoch milliseconds, value."""
        for sensor, at, value in readings:
            body = {"sensor_id": sensor, "timestamp": format_time(at), "value": value}
            self._send(sensor, json.dumps(body))
        self._producer.flush(60)

    def publish_sample(self, rows: int) -> None:
        """Publish the last readings of the demo's sample."""
        for sensor, at, value in sample(rows):
            self._send(sensor, f'{{"sensor_id":"{sensor}","timestamp":"{at}","value":{value}}}')
        self._producer.flush(60)

    def register(self, *sensors: Sensor) -> None:
        """Tell the registry of sensors."""
        servers = self.environment["HEDGEROW_KAFKA__BOOTSTRAP_SERVERS"]
        topic = self.environment["HEDGEROW_TOPICS__SENSOR_REGISTRY"]
        settings = Settings(
            kafka=KafkaSettings(bootstrap_servers=servers),
            topics=TopicSettings(sensor_registry=topic),
        )
        register(settings, sensors)

    def register_sample(self, rows: int) -> None:
        """Tell the registry of the sample's sensors, as the demo does, and of the live one."""
        sensors = city_sensors(sensor for sensor, _, _ in sample(rows))
        self.register(*sensors, Sensor("live-1", kind="live", unit="cars", x=5.5, y=0.0))

    def publish_rubbish(self) -> None:
        """Publish a message that becomes a dead letter."""
        self._send("live-1", '{"sensor_id": "live-1", "value": <script>')
        self._producer.flush(60)

    def _send(self, key: str, value: str) -> None:
        while True:
            try:
                self._producer.produce(self.topic, key=key, value=value)
            except BufferError:
                self._producer.poll(0.1)
            else:
                return


def sample(rows: int) -> Iterator[tuple[str, str, str]]:
    """Give the last readings of the demo's sample as they stand there."""
    with gzip.open(SAMPLE, "rt") as text:
        lines = text.readlines()
    for line in lines[max(1, len(lines) - rows) :]:
        sensor, at, value = line.rstrip("\n").split(",")
        yield sensor, at, value
