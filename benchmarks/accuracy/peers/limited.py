"""A function called in a process of its own, which is ended where one call takes too long.

Compiled code cannot be stopped from within. The limit is one of CPU time, kept by the operating
system, so that a busy machine does not change what is found.
"""

from __future__ import annotations

import resource
import signal
from collections.abc import Callable
from math import ceil
from multiprocessing import get_context
from multiprocessing.connection import Connection
from time import process_time
from types import TracebackType
from typing import Generic, ParamSpec, Self, TypeVar

Given = ParamSpec("Given")
Said = TypeVar("Said")


class Limited(Generic[Given, Said]):
    """Calls a function of a module with a limit.

    Parameters
    ----------
    call : callable
    limit_seconds : float
        CPU time of one call.

    Attributes
    ----------
    seconds : float
        CPU time of all calls.
    calls, overtime : int
        Calls, and those of them that were ended.
    """

    def __init__(self, call: Callable[Given, Said], limit_seconds: float) -> None:
        self.call = call
        self.limit_seconds = limit_seconds
        self.seconds = 0.0
        self.calls = 0
        self.overtime = 0
        self._start()

    def _start(self) -> None:
        # Not forked: what the calling process holds, threads among it, is no concern of the other.
        context = get_context("spawn")
        self._pipe, theirs = context.Pipe()
        self._process = context.Process(
            target=_serve, args=(theirs, self.call, self.limit_seconds), daemon=True
        )
        self._process.start()
        theirs.close()

    def __call__(self, *args: Given.args, **kwargs: Given.kwargs) -> Said | None:
        """Call it; give nothing if the limit was hit.

        Raises
        ------
        RuntimeError
            If the process ended otherwise; what the function raised stands on its standard error.
        """
        self.calls += 1
        try:
            self._pipe.send((args, kwargs))
            said, seconds = self._pipe.recv()
        except (EOFError, ConnectionError) as gone:
            self._process.join()
            if self._process.exitcode != -signal.SIGXCPU:
                raise RuntimeError(
                    f"{self.call.__qualname__} broke off with code {self._process.exitcode}; its "
                    "last words are above"
                ) from gone
            self.overtime += 1
            self.seconds += self.limit_seconds
            self._pipe.close()
            self._start()
            return None
        self.seconds += seconds
        return said

    def __enter__(self) -> Self:
        """Use it until the block ends."""
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        """End the process."""
        self._pipe.close()
        self._process.join()


def _serve(pipe: Connection, call: Callable[..., object], limit_seconds: float) -> None:
    while True:
        try:
            args, kwargs = pipe.recv()
        except EOFError:
            return
        began = process_time()
        _, hard = resource.getrlimit(resource.RLIMIT_CPU)
        resource.setrlimit(resource.RLIMIT_CPU, (ceil(began + limit_seconds), hard))
        said = call(*args, **kwargs)
        pipe.send((said, process_time() - began))
