"""An embedded broker and Redis with a worker that has learned: what a page's commands meet."""

from __future__ import annotations

import json
import subprocess
import sys
import time
from collections.abc import Mapping, Sequence
from datetime import timedelta
from pathlib import Path

from confluent_kafka import Producer
from docs.clone import reading, seed
from faults.run.workers import Worker

from hedgerow.app.embedded.servers import EmbeddedStack

MESSAGES = 4000  # of the demo's sample, some four days of it
# Of the whole demo so much is learned, and stored, before the rest is sent: every generation that
# is kept at its end then lies behind, however fast or busy the machine is, and the page can say
# what no kept state remembers. It is March by then.
FIRST_PART = 150_000
LOG_CHARACTERS = 8000
COMMAND = (sys.executable, "-c", "from hedgerow.app.cli import main; main()")


class ServedCity:
    """Servers, topics, and a worker that can leave and come back.

    Parameters
    ----------
    environment : Mapping[str, str]
        What the page's commands run with; the worker too.
    whole : bool
        Send all that the demo sends, not its first days.
    """

    def __init__(
        self, folder: Path, environment: Mapping[str, str], seconds: float, *, whole: bool
    ) -> None:
        self._folder = folder
        self._seconds = seconds
        self._lives = 0
        self._stack = EmbeddedStack(folder).start()
        self._environment = {**environment, **self._stack.environment}
        self._producer = Producer(
            {"bootstrap.servers": self._stack.bootstrap_servers, "partitioner": "murmur2_random"}
        )
        self._run("topics", "create")
        messages, self._next = seed(None if whole else MESSAGES)
        self._send(messages[:FIRST_PART])
        self._start()
        if whole:
            self._wait_learned(FIRST_PART)
            self._send(messages[FIRST_PART:])
        self._wait_learned(len(messages))
        self._partitions = self._held()

    @property
    def variables(self) -> dict[str, str]:
        """What points a command here."""
        return self._stack.environment

    @property
    def addresses(self) -> dict[str, str]:
        """What stands in for the addresses on a page."""
        return {
            "bootstrap": self._stack.bootstrap_servers,
            "redis": self._stack.redis_url,
            "http": f"http://127.0.0.1:{self._worker.port}",
        }

    def send_a_reading(self) -> None:
        """Send the bridge's next one, now and then too high: whoever waits for news gets some."""
        hour = self._next.hour
        value = reading(
            "bridge-7", self._next.isoformat(), 10 + hour + (100 if hour % 8 > 4 else 0)
        )
        self._next += timedelta(hours=1)
        self._producer.produce("sensor-data", value, "bridge-7")
        assert self._producer.flush(30) == 0

    def logs(self) -> str:
        """Tell the end of what broker, Redis and workers wrote."""
        found = sorted(self._folder.glob("*.log"))
        return "\n".join(f"--- {log.name}\n{log.read_text()[-LOG_CHARACTERS:]}" for log in found)

    def worker_leaves(self) -> None:
        """Let the worker leave, once it holds all that a second one may have held.

        The embedded broker waits for ever for a member that leaves while its group joins anew.
        """
        deadline = time.monotonic() + self._seconds
        while self._held() < self._partitions:
            assert time.monotonic() < deadline and self._worker.running, self._worker.tail()
            time.sleep(0.1)
        self._worker.leave()

    def worker_returns(self) -> None:
        self._start()

    def close(self) -> None:
        self._worker.end()
        self._producer.close()  # or it goes on telling that there is no broker
        self._stack.stop()

    def _held(self) -> int:
        return sum(name == "hedgerow_next_offset" for name, _ in self._worker.metrics())

    def _send(self, messages: Sequence[tuple[str, bytes]]) -> None:
        for number, (key, value) in enumerate(messages):
            self._producer.produce("sensor-data", value, key)
            if number % 10_000 == 0:
                assert self._producer.flush(30) == 0
        assert self._producer.flush(30) == 0

    def _run(self, *arguments: str) -> str:
        done = subprocess.run(
            [*COMMAND, *arguments],
            env=self._environment, capture_output=True, text=True, check=False,
        )  # fmt: skip
        assert done.returncode == 0, f"{arguments} left with {done.returncode}: {done.stderr}"
        return done.stdout

    def _start(self) -> None:
        self._lives += 1
        variables = {**self._environment, "HEDGEROW_HTTP__CONSOLE": "true"}
        name = f"worker-{self._lives}"
        self._worker = Worker(name, self._folder, variables, (*COMMAND, "worker"))
        deadline = time.monotonic() + self._seconds
        while self._worker.get("/readyz")[0] != 200:
            assert time.monotonic() < deadline and self._worker.running, self._worker.tail()
            time.sleep(0.05)

    def _wait_learned(self, messages: int) -> None:
        deadline = time.monotonic() + self._seconds
        while True:
            listed = self._run("state", "list", "--json")
            if sum(one["next_offset"] for one in json.loads(listed)) == messages:
                return
            assert time.monotonic() < deadline, f"{listed}\n{self._worker.tail()}"
