"""One program at work on a full topic: how fast, and what each reading costs it.

Counted by the end offsets of its output topic, so that nobody reads along: from the first tenth of
its readings, when it has started and compiled, to the last one.
"""

from __future__ import annotations

import time
from collections.abc import Callable
from dataclasses import dataclass
from statistics import median

from benchmarks.speed.process import cpu_ns, rss_bytes, split_cpu_seconds
from benchmarks.speed.topics import Topics
from hedgerow.app.embedded.child import Child

POLL_SECONDS = 0.05
STALL_SECONDS = 120.0
Progress = Callable[[int], None]  # told how many predictions there are


@dataclass(frozen=True, slots=True)
class Run:
    """What one run of one program reached.

    Attributes
    ----------
    readings : int
        Of the window that was measured.
    per_second : float
        By the clock on the wall.
    cpu_us : float
        CPU µs of its process a reading, user and system.
    system_us : float
        The system's share of it.
    broker_us, redis_us : float
        What the servers spent on a reading meanwhile.
    record_bytes : float
        Mean size of what it wrote for one.
    rss_mb : float
        Memory at the end.
    """

    readings: int
    per_second: float
    cpu_us: float
    system_us: float
    broker_us: float
    redis_us: float
    record_bytes: float
    rss_mb: float


@dataclass(frozen=True, slots=True)
class _Moment:
    count: int
    at: float
    cpu: int
    system: float
    broker: int
    redis: int


class Watcher:
    """Follows programs by what they write.

    Parameters
    ----------
    topics : Topics
        The broker's.
    broker_pid, redis_pid : int
        Whose CPU time is told beside.
    """

    def __init__(self, topics: Topics, broker_pid: int, redis_pid: int) -> None:
        self.topics = topics
        self._broker = broker_pid
        self._redis = redis_pid

    def follow(
        self,
        child: Child,
        topic: str,
        readings: int,
        *,
        begin: int | None = None,
        progress: Progress = lambda _: None,
        at_begin: Callable[[], None] = lambda: None,
        at_end: Callable[[], None] = lambda: None,
    ) -> Run:
        """Measure a program from a tenth of its readings, or from ``begin``, to the last.

        Raises
        ------
        RuntimeError
            If it ends, or writes nothing for two minutes; the end of its log is in the message.
            Or if it was too fast for the readings it got.
        """
        self.wait(child, topic, readings // 10 if begin is None else begin, progress)
        first = self._moment(child, topic)
        at_begin()
        self.wait(child, topic, readings, progress)
        end = self._moment(child, topic)
        at_end()
        done = end.count - first.count
        if done <= 0:
            raise RuntimeError(f"{child.name} was done before it was seen at work; give it more")
        return Run(
            readings=done,
            per_second=done / (end.at - first.at),
            cpu_us=(end.cpu - first.cpu) / done / 1e3,
            system_us=(end.system - first.system) / done * 1e6,
            broker_us=(end.broker - first.broker) / done / 1e3,
            redis_us=(end.redis - first.redis) / done / 1e3,
            record_bytes=self.topics.mean_bytes(topic),
            rss_mb=rss_bytes(child.pid) / 2**20,
        )

    def wait(
        self, child: Child, topic: str, count: int, progress: Progress = lambda _: None
    ) -> float:
        """Wait for so many records in a topic; return the moment they were seen."""
        last, changed = -1, time.monotonic()
        while True:
            found, now = self.topics.count(topic), time.monotonic()
            progress(found)
            if found >= count:
                return now
            if found != last:
                last, changed = found, now
            if child.exit_code is not None or now - changed > STALL_SECONDS:
                raise RuntimeError(
                    f"{child.name} stopped at {found:,} of {count:,} records:\n{child.log_tail(30)}"
                )
            time.sleep(POLL_SECONDS)

    def _moment(self, child: Child, topic: str) -> _Moment:
        return _Moment(
            self.topics.count(topic),
            time.monotonic(),
            cpu_ns(child.pid),
            split_cpu_seconds(child.pid)[1],
            cpu_ns(self._broker),
            cpu_ns(self._redis),
        )


def middle(runs: list[Run], name: str) -> float:
    """Return the median of one figure of several runs.

    Examples
    --------
    >>> run = Run(1, 10.0, 2.0, 0.5, 1.0, 0.1, 600.0, 100.0)
    >>> middle([run, run], "cpu_us")
    2.0
    """
    return median(getattr(run, name) for run in runs)
