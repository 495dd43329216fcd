"""Runs workers over a written log, breaks them on the way, and collects what they leave.

Runs over one log share its topic, so that ids are comparable, and nothing else: each has its
own group, Redis keys and output topics.
"""

from __future__ import annotations

import os
import re
import subprocess
import sys
import time
from collections.abc import Callable, Mapping, Sequence
from contextlib import AbstractContextManager
from dataclasses import dataclass, replace
from pathlib import Path
from random import Random
from types import TracebackType
from typing import Self
from uuid import uuid4

from faults.judge import audit, verifier
from faults.judge.expected import Expected
from faults.judge.state import Where, forget, read_state, saved_offsets
from faults.judge.verifier import Outputs, PartitionState
from faults.log.city import City
from faults.log.logs import OUTPUT_BYTES, Reader, Record, create_topics
from faults.run.workers import WORKER, Worker

PRODUCT = (sys.executable, "-c", "from hedgerow.app.cli import main; main()")

CHECKPOINT_SECONDS = 0.2  # many generations in a short run
QUIET_SECONDS = 60.0  # nothing new for so long: it will not come any more
_ID = re.compile(rb'"id":\s*"((?:[^"\\]|\\.)*)"')
_PLACE = re.compile(rb"[^:]*:(\d+):(\d+):")  # an id begins with topic, partition and offset


@dataclass(frozen=True, slots=True)
class Outcome:
    """What a run over a topic left behind."""

    topic: str
    outputs: Outputs
    state: Mapping[int, PartitionState]
    unfenced: Sequence[str] = ()  # what is wrong with the snapshots put in place on the way


@dataclass(frozen=True, slots=True)
class Kill:
    """What a killed worker left behind.

    Attributes
    ----------
    starting : bool
        Meant to come while the worker was starting, joining or restoring.
    answered : int
        Distinct predictions and dead letters that came in its life.
    unsaved : int
        Predictions out of readings that its last snapshot does not cover.
    left : int
        Predictions and dead letters still to come.
    """

    starting: bool
    answered: int
    unsaved: int
    left: int

    @property
    def mid_work(self) -> bool:
        return min(self.answered, self.unsaved, self.left) > 0


class Run:
    """One group of workers over a city's log.

    Parameters
    ----------
    settings : Mapping[str, str]
        Variables over the usual ones.
    command : sequence of str
        Starts a worker; a planted bug comes in here.
    """

    def __init__(
        self,
        city: City,
        folder: Path,
        *,
        settings: Mapping[str, str] | None = None,
        command: Sequence[str] = WORKER,
        quiet_seconds: float = QUIET_SECONDS,
    ) -> None:
        self.city = city
        self._quiet = quiet_seconds
        self.name = f"run-{uuid4().hex[:8]}"
        self._where = Where(
            city.stack.redis_url, f"e2e-{self.name}", self.name, city.topic, city.partitions
        )
        self.workers: list[Worker] = []
        self._command = command
        self._folder = folder / self.name
        self._folder.mkdir()
        config = self._folder / "city.toml"
        config.write_text(city.config, "utf-8")
        topics = [f"{self.name}.{kind}" for kind in ("predictions", "alerts", "dead-letters")]
        create_topics(
            city.stack.bootstrap,
            topics,
            2,
            replication=city.stack.replication,
            config=OUTPUT_BYTES,
        )
        self._mark = audit.begin(city.stack.redis_url)
        self._readers = [Reader(city.stack.bootstrap, topic) for topic in topics]
        self._seen: set[bytes] = set()
        self._predicted: dict[int, list[int]] = {}  # offsets with a prediction, by partition
        self._noted = (0, 0)
        self._newest = time.monotonic()
        self._env = {
            "HEDGEROW_CONFIG": str(config),
            "HEDGEROW_GROUP": self.name,
            "HEDGEROW_KAFKA__BOOTSTRAP_SERVERS": city.stack.bootstrap,
            "HEDGEROW_REDIS__URL": city.stack.redis_url,
            "HEDGEROW_REDIS__PREFIX": self._where.prefix,
            "HEDGEROW_TOPICS__READINGS": city.topic,
            "HEDGEROW_TOPICS__PREDICTIONS": topics[0],
            "HEDGEROW_TOPICS__ALERTS": topics[1],
            "HEDGEROW_TOPICS__DEAD_LETTERS": topics[2],
            "HEDGEROW_TOPICS__PARTITIONS": str(city.partitions),
            "HEDGEROW_CHECKPOINT__INTERVAL_SECONDS": str(CHECKPOINT_SECONDS),
            "HEDGEROW_INPUT__MAX_MESSAGE_BYTES": str(city.rules.max_message_bytes),
            "HEDGEROW_INPUT__MAX_SERIES": str(city.rules.max_series),
            **(settings or {}),
        }

    @property
    def where(self) -> Where:
        """Where its state lies."""
        return self._where

    def state(self) -> dict[int, PartitionState]:
        """Return its state as it is now."""
        return read_state(self._where)

    def saved(self) -> dict[int, int]:
        """Return the offset each partition's newest snapshot stands at."""
        return saved_offsets(self._where)

    def audit_from_here(self) -> None:
        """Leave what was written to Redis so far out of the audit."""
        self._mark = audit.begin(self.city.stack.redis_url)

    def audited(self) -> tuple[list[str], int]:
        """Return what is wrong with the snapshots put in place so far, and how many there are."""
        return audit.check_commits(self._mark, self._where.prefix)

    # ---------------------------------------------------------------- workers

    @property
    def environment(self) -> dict[str, str]:
        """What a command needs to find this run's topics and state."""
        return {**os.environ, **self._env}

    def ask(self, *arguments: str, **variables: str) -> subprocess.CompletedProcess[str]:
        """Run a command of the product over this run's topics and state."""
        return subprocess.run(
            [*PRODUCT, *arguments],
            env={**self.environment, **variables},
            capture_output=True,
            text=True,
            timeout=120,
            check=False,
        )

    def start(self, command: Sequence[str] | None = None) -> Worker:
        """Start one more worker, a usual one unless told otherwise."""
        name = f"worker-{len(self.workers) + 1}"
        worker = Worker(name, self._folder, self._env, command or self._command)
        self.workers.append(worker)
        return worker

    @property
    def alive(self) -> list[Worker]:
        return [worker for worker in self.workers if worker.running]

    def wait_ready(self, worker: Worker, seconds: float = 240.0) -> None:
        """Wait until its ``/readyz`` says yes."""
        self.wait_until(
            lambda: worker.get("/readyz", 1.0)[0] == 200, f"{worker.child.name} ready", seconds
        )

    def holds(self, worker: Worker) -> int:
        """Return how many partitions a worker holds right now."""
        return int(worker.metrics().get(("hedgerow_partitions", ()), 0.0))

    # ---------------------------------------------------------------- progress

    @property
    def progress(self) -> int:
        """Distinct predictions and dead letters seen so far."""
        return len(self._seen)

    @property
    def share(self) -> float:
        return self.progress / self.city.expected.outputs

    @property
    def predictions(self) -> Sequence[Record]:
        """Every prediction read so far, repeats too."""
        return self._readers[0].records

    def feed(self, seconds: float) -> AbstractContextManager[None]:
        """Write the log beside what the block does, never far ahead of what is answered."""
        return self.city.feed(seconds, lambda: self.share)

    def take_log_as_it_stands(self) -> City:
        """Expect what the readings' topic holds by now, after its broker was killed."""
        self.city = self.city.as_it_stands()
        return self.city

    def look(self) -> None:
        """Read what was published since the last look."""
        for reader in self._readers:
            reader.poll()
        self._note()

    def look_to_end(self) -> None:
        """Read all that is published."""
        for reader in self._readers:
            reader.read_to_end()
        self._note()

    def unsaved(self) -> int:
        """Predictions seen out of readings that no snapshot covers."""
        saved = saved_offsets(self._where)
        return sum(
            offset >= saved.get(partition, 0)
            for partition, offsets in self._predicted.items()
            for offset in offsets
        )

    def _note(self) -> None:
        """Note the answers that have been read."""
        before = len(self._seen)
        predictions, _, dead_letters = self._readers
        for record in predictions.records[self._noted[0] :]:
            found = _ID.search(record.value or b"")
            name = found[1] if found else b"?"
            if name not in self._seen and (place := _PLACE.match(name)):
                self._predicted.setdefault(int(place[1]), []).append(int(place[2]))
            self._seen.add(name)
        for record in dead_letters.records[self._noted[1] :]:
            headers = dict(record.headers)
            self._seen.add(headers["dlq.partition"] + b":" + headers["dlq.offset"])
        self._noted = (len(predictions.records), len(dead_letters.records))
        if len(self._seen) > before:
            self._newest = time.monotonic()

    def wait_until(self, done: Callable[[], bool], what: str, seconds: float = 60.0) -> None:
        """Look on until something is so; a worker that ends by itself is an error."""
        deadline = time.monotonic() + seconds
        while True:
            self.look()
            if done():
                return
            for worker in self.workers:
                if worker.child.exit_code not in {None, 0, -9}:
                    raise AssertionError(
                        f"{worker.child.name} ended with {worker.child.exit_code} "
                        f"before {what}:\n{worker.tail()}"
                    )
            if time.monotonic() > deadline:
                raise AssertionError(
                    f"not {what} after {seconds} s; {self._standing()}\n{self._tails()}"
                )

    def wait_share(self, share: float, seconds: float = 60.0) -> None:
        """Wait until so much of the log is answered, and more than was when called."""
        due = max(int(share * self.city.expected.outputs), self.progress + 1)
        due = min(due, self.city.expected.outputs)
        self.wait_until(lambda: self.progress >= due, f"{share:.0%} answered", seconds)

    def pass_time(self, seconds: float) -> None:
        """Look on for so long."""
        end = time.monotonic() + seconds
        self.wait_until(lambda: time.monotonic() >= end, "time passed", seconds + 60.0)

    def wait_done(self, seconds: float = 180.0) -> None:
        """Wait until all is answered and saved; or, when a bug keeps that from happening,
        until nothing has come for long: the verifier will tell.
        """
        self._newest = time.monotonic()
        self.wait_until(
            lambda: (
                (self.progress >= self.city.expected.outputs and self._saved())
                or time.monotonic() - self._newest > self._quiet
            ),
            "all answered and saved",
            seconds,
        )

    def _saved(self) -> bool:
        time.sleep(CHECKPOINT_SECONDS / 4)
        return saved_offsets(self._where) == self.city.expected.ends

    # ---------------------------------------------------------------- the end

    def settled(self) -> Outcome:
        """Finish a run: all saved, and the accounting as it must be."""
        self.wait_done()
        self.check_accounting()
        return self.finish()

    def finish(self) -> Outcome:
        """Let every worker leave, and collect what the run left behind."""
        for worker in self.alive:
            worker.leave()
        return self.collect()

    def collect(self) -> Outcome:
        self.look_to_end()
        predictions, alerts, dead = (list(reader.records) for reader in self._readers)
        problems, commits = self.audited()
        if commits == 0:
            problems.append("no snapshot was put in place, or the audit looks at the wrong log")
        return Outcome(
            self.city.topic,
            Outputs(predictions, alerts, dead),
            read_state(self._where),
            problems,
        )

    def check_accounting(self, expected: Expected | None = None, seconds: float = 15.0) -> None:
        """Check the workers' own counts against the log's; they are shown seconds late."""
        due = expected or self.city.expected

        def wrong() -> list[str]:
            return verifier.check_counts(due, accounted(self.alive))

        for worker in self.alive:
            self.wait_ready(worker)
        deadline = time.monotonic() + seconds
        while wrong() and time.monotonic() < deadline:
            time.sleep(0.5)
        if wrong():
            raise AssertionError("the accounting is wrong: " + "; ".join(wrong()))

    def close(self) -> None:
        for worker in self.workers:
            worker.end()
        for reader in self._readers:
            reader.close()
        forget(self._where)

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        if error is not None:
            error.add_note(f"{self._standing()}\n{self._tails()}")
        self.close()

    def _standing(self) -> str:
        return f"{self.name}: {self.progress} of {self.city.expected.outputs} answered"

    def _tails(self) -> str:
        return "\n".join(f"--- {w.child.name}\n{w.child.log_tail(25)}" for w in self.workers[-3:])


def undisturbed_run(city: City, folder: Path, settings: Mapping[str, str] | None = None) -> Outcome:
    """Run one worker over a written log, and judge what it leaves by itself."""
    with Run(city, folder, settings=settings) as run:
        run.start()
        run.wait_done()
        outcome = run.finish()
    problems = judge(city, outcome)
    if problems:
        raise AssertionError("\n".join(problems))
    return outcome


def kill_at_random_moments(run: Run, random: Random, times: int) -> list[Kill]:
    """Kill the run's one worker again and again, each time starting another at once.

    Most kills come in the middle of the work or of catching up with it, one in five while the
    next worker is still starting, joining or restoring. The moments are random, one in each
    part of as many equal parts of the log.
    """
    kills = []
    for number in range(times):
        worker, before = run.alive[0], run.progress
        starting = random.random() < 0.2
        moment = 0.05 + 0.85 * (number + random.random()) / times
        if starting:
            early = worker.started + random.uniform(1.0, 8.0)
            run.wait_until(
                lambda e=early, m=moment: time.monotonic() >= e or run.share >= m, "a moment passed"
            )
            worker.kill()
        else:
            run.wait_share(moment, seconds=180.0)
            run.pass_time(random.uniform(0.0, 0.3))
            kill_with_work_unsaved(run, worker)
        run.look_to_end()
        left = run.city.expected.outputs - run.progress
        kills.append(Kill(starting, run.progress - before, run.unsaved(), left))
        run.start()
    return kills


def kill_with_work_unsaved(run: Run, worker: Worker) -> None:
    """Kill a worker as soon as it has published what it has not saved yet.

    It is frozen for the look: nothing can be saved between the look and the kill.
    """

    def caught() -> bool:
        worker.pause()
        run.look()
        if run.unsaved() > 0:
            return True
        worker.go_on()
        return False

    run.wait_until(caught, "anything published that is not saved")
    worker.kill()


def judge(city: City, outcome: Outcome, undisturbed: Outcome | None = None) -> list[str]:
    """Return all that is wrong with a run, by itself and beside the undisturbed one."""
    problems = verifier.check_outputs(city.expected, outcome.outputs, city.rules)
    problems += verifier.check_state(city.expected, outcome.state)
    problems += outcome.unfenced
    if undisturbed is not None:
        problems += verifier.same_outputs(_nameless(undisturbed), _nameless(outcome))
        problems += verifier.same_state(undisturbed.state, outcome.state)
    return problems


def _nameless(outcome: Outcome) -> Outputs:
    """Take the topic's name out of every id: runs over two copies of a log compare."""
    name = outcome.topic.encode()

    def without(records: Sequence[Record]) -> list[Record]:
        return [
            replace(
                record,
                value=record.value and record.value.replace(name, b"city"),
                headers=tuple((word, text.replace(name, b"city")) for word, text in record.headers),
            )
            for record in records
        ]

    outputs = outcome.outputs
    return Outputs(
        without(outputs.predictions), without(outputs.alerts), without(outputs.dead_letters)
    )


def accounted(workers: Sequence[Worker]) -> dict[str, float]:
    """Sum the accounting that the workers keep with their state."""
    totals: dict[str, float] = {}
    for worker in workers:
        for (name, labels), value in worker.metrics().items():
            if name == "hedgerow_accounted":
                outcome = dict(labels)["outcome"].replace("-", "_")
                totals[outcome] = totals.get(outcome, 0.0) + value
    return totals
