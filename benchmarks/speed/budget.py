"""``python -m benchmarks.speed.budget``: a worker that books where its CPU time goes.

Runs the product's own worker command with clocks around its steps, and prints the book as JSON
on SIGUSR1. Two clocks are kept: the CPU time of the loop's thread, booked to the
step that is running, and the wall time of each callback of the event loop, of which the longest
is how long the loop ever stood still. Nothing else differs from ``hedgerow worker``; what the
clocks themselves cost is measured and told.
"""

from __future__ import annotations

import asyncio
import functools
import json
import os
import signal
import sys
import threading
import time
from asyncio import events
from collections import defaultdict
from collections.abc import Callable
from pathlib import Path
from typing import Any

from benchmarks.speed.process import cpu_ns, thread_cpu_ns
from hedgerow.agents.forecast import ForecastAgent
from hedgerow.agents.holdings import Holdings
from hedgerow.agents.outputs import Outputs
from hedgerow.app.broker.producer import KafkaEmitter
from hedgerow.app.broker.transport import BatchConsumer
from hedgerow.app.cli import main
from hedgerow.models import Learner
from hedgerow.models.bank.bank import Bank
from hedgerow.models.snapshot.copying import RowCopy
from hedgerow.topics import ReadingDecoder
from hedgerow.topics.columns import PredictionEncoder

BOOK = "HEDGEROW_BENCH_BOOK"  # the variable that names the file the book goes to
now = time.thread_time_ns


class Ledger:
    """One thread's CPU time by step, and its longest calls.

    Attributes
    ----------
    spent : dict
        Nanoseconds by step; what is nested in another step is taken out of that.
    longest : dict
        Wall nanoseconds of the longest single call, what is nested included.
    """

    def __init__(self) -> None:
        self.spent: dict[str, int] = defaultdict(int)
        self.longest: dict[str, int] = defaultdict(int)
        self._steps: list[str] = []
        self._since = 0

    def run(self, step: str, call: Callable[..., Any], *args: Any, **kwargs: Any) -> Any:
        """Call, and book what it takes."""
        began = time.perf_counter_ns()
        moment = now()
        if self._steps:
            self.spent[self._steps[-1]] += moment - self._since
        self._steps.append(step)
        self._since = moment
        try:
            return call(*args, **kwargs)
        finally:
            moment = now()
            self._steps.pop()
            self.spent[step] += moment - self._since
            self._since = moment
            took = time.perf_counter_ns() - began
            self.longest[step] = max(self.longest[step], took)


class Book:
    """A ledger for each thread: Faust runs its consumer on an event loop of its own."""

    def __init__(self) -> None:
        self._local = threading.local()
        self._ledgers: list[tuple[threading.Thread, Ledger]] = []
        self._marks: dict[str, list[float]] = defaultdict(list)

    @property
    def ledger(self) -> Ledger:
        """This thread's."""
        found: Ledger | None = getattr(self._local, "ledger", None)
        if found is None:
            found = self._local.ledger = Ledger()
            self._ledgers.append((threading.current_thread(), found))
        return found

    def around(self, owner: Any, name: str, step: str) -> None:
        """Put the clocks around a function of the product."""
        inner = getattr(owner, name, None)
        if inner is None:
            raise AttributeError(
                f"{owner.__name__}.{name} is gone: tell benchmarks/speed/budget.py where "
                f"the step {step!r} is now"
            )

        @functools.wraps(inner)
        def timed(*args: Any, **kwargs: Any) -> Any:
            return self.ledger.run(step, inner, *args, **kwargs)

        setattr(owner, name, timed)

    def mark(self, owner: Any, name: str) -> None:
        """Note when a function of the product is called."""
        inner = getattr(owner, name)

        @functools.wraps(inner)
        def marked(*args: Any, **kwargs: Any) -> Any:
            self._marks[name].append(time.time())
            return inner(*args, **kwargs)

        setattr(owner, name, marked)

    def callbacks(self) -> None:
        """Put the clocks around every callback of every event loop, by whose it is."""
        inner = events.Handle._run

        def timed(handle: Any) -> None:
            self.ledger.run(_whose(handle._callback), inner, handle)

        events.Handle._run = timed  # type: ignore[method-assign]

    def write(self) -> None:
        """Write what was booked so far."""
        pid = os.getpid()
        names = {thread.native_id: thread.name for thread in threading.enumerate()}
        found = {
            "process": cpu_ns(pid),
            "threads": thread_cpu_ns(pid, names),
            "marks": self._marks,
            "ledgers": [
                {
                    "thread": thread.name,
                    "spent": ledger.spent,
                    "longest": ledger.longest,
                }
                for thread, ledger in self._ledgers
            ],
        }
        path = Path(os.environ[BOOK])
        partial = path.with_suffix(".partial")
        partial.write_text(json.dumps(found), "utf-8")
        partial.replace(path)
        for _, ledger in self._ledgers:
            ledger.longest.clear()  # of the time until the next look


def _whose(callback: Callable[..., object]) -> str:
    """Name what a callback belongs to: a task by its coroutine, the rest by its function."""
    owner = getattr(callback, "__self__", None)
    if isinstance(owner, asyncio.Task):
        coroutine = owner.get_coro()  # or what closes a generator, which has no name
        return f"task {getattr(coroutine, '__qualname__', type(coroutine).__name__)}"
    return f"callback {getattr(callback, '__qualname__', type(callback).__name__)}"


def run() -> None:
    """Put the clocks in place and run the worker's command."""
    book = Book()
    book.callbacks()
    for owner, name, step in (
        (ReadingDecoder, "decode", "decode"),
        (Learner, "step", "route"),  # less the kernel nested in it
        (Bank, "step", "learn"),
        (PredictionEncoder, "encode", "encode"),
        (Outputs, "emit", "outputs"),  # less what is nested in it
        (KafkaEmitter, "emit", "produce"),
        (Learner, "begin_capture", "copy"),
        (Learner, "copy_rows", "copy"),
        (RowCopy, "before_step", "copy"),
        (ForecastAgent, "_step", "agent"),
        (BatchConsumer, "_one_message", "transport"),
    ):
        book.around(owner, name, step)
    book.mark(Holdings, "assign")
    signal.signal(signal.SIGUSR1, lambda *_: book.write())
    sys.argv = ["hedgerow", "worker", *sys.argv[1:]]
    main()


if __name__ == "__main__":
    run()
