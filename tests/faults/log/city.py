"""A topic of readings on a broker, written at once or bit by bit, and what it must give."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Callable, Iterable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, replace
from threading import Event, Thread
from typing import Self
from uuid import uuid4

from faults.judge.expected import Expected, Rules, expect
from faults.log import scenario
from faults.log.logs import Entry, Record, create_topics, numbered, read, write
from stack.fixtures import Stack

AHEAD = 0.02
"""How much of the log a feed may be ahead of what is answered."""


@dataclass(frozen=True, slots=True)
class City:
    """A topic of readings, and what must come out of it."""

    stack: Stack
    topic: str
    partitions: int
    entries: Sequence[Entry]
    rules: Rules
    expected: Expected
    config: str

    def write(self) -> Self:
        """Write all entries at once, and check that they stand as expected."""
        write(self.stack.bootstrap, self.topic, self.entries)
        if read(self.stack.bootstrap, self.topic) != _sorted(numbered(self.entries)):
            raise AssertionError(f"{self.topic} does not hold what was written")
        return self

    def as_it_stands(self) -> Self:
        """Expect what the topic holds, where a broker was killed while it was written.

        A broker remembers an idempotent producer by the timestamps of its records, and forgets
        one whose last is a day old (``producer.id.expiration.ms``) when it starts again: what
        it had taken but not acknowledged when killed is then sent, and taken, a second time.
        Nothing may be missing or in another order.
        """
        log = read(self.stack.bootstrap, self.topic)
        if not holds(log, self.entries):
            raise AssertionError(f"{self.topic} does not hold what was written, in its order")
        return replace(self, expected=expect(log, self.rules))

    @contextmanager
    def feed(self, seconds: float, answered: Callable[[], float] = lambda: 1.0) -> Iterator[None]:
        """Write the entries beside what the block does, and at its end the rest at once.

        Parameters
        ----------
        seconds : float
            How long the whole log would take. A block that must not see its end takes less.
        answered : callable
            Which share of the log is answered. The feed is never far ahead of it: however long
            a worker takes to start, the log is not written to its end meanwhile.
        """
        stop, at_once = Event(), Event()
        size = len(self.entries)
        thread = Thread(
            target=write,
            args=(self.stack.bootstrap, self.topic, self.entries),
            kwargs={
                "per_second": size / seconds,
                "may_write": lambda written: written / size <= answered() + AHEAD,
                "at_once": at_once,
                "stop": stop,
            },
            name="feed",
        )
        thread.start()
        try:
            yield
            at_once.set()
            thread.join()
        finally:
            stop.set()
            thread.join()


def build_city(
    stack: Stack,
    entries: Sequence[Entry],
    *,
    partitions: int,
    rules: Rules = scenario.RULES,
    config: str = scenario.CITY,
) -> City:
    """Make a topic for the entries and work out what they must give; nothing is written."""
    topic = f"city-{uuid4().hex[:8]}"
    create_topics(stack.bootstrap, [topic], partitions, replication=stack.replication)
    rules = replace(rules, topic=topic)
    return City(stack, topic, partitions, entries, rules, expect(numbered(entries), rules), config)


def holds(log: Iterable[Record], entries: Iterable[Entry]) -> bool:
    """Whether a log holds all entries, each partition's in their order; it may hold more."""
    standing: defaultdict[int, list[tuple[int, bytes | None, bytes | None]]] = defaultdict(list)
    for record in log:
        standing[record.partition].append((record.timestamp_ms, record.key, record.value))
    rest = {partition: iter(records) for partition, records in standing.items()}
    return all(
        (entry.timestamp_ms, entry.key, entry.value) in rest.get(entry.partition, ())
        for entry in entries
    )


def _sorted(records: Sequence[Record]) -> list[Record]:
    return sorted(records, key=lambda record: (record.partition, record.offset))
