"""The demo's worker: its process, and how far it has come by its own metrics."""

from __future__ import annotations

import sys
import time
import urllib.error
import urllib.request
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from types import TracebackType
from typing import Self

from prometheus_client.parser import text_string_to_metric_families

from hedgerow.app.embedded.child import Child
from hedgerow.app.errors import DemoFailed

ANSWER_SECONDS = 10.0
_LOG_LINES = 30


@dataclass(frozen=True, slots=True)
class Reached:
    """How far the worker has come: messages learned, and of those made durable."""

    learned: int
    saved: int


class WatchedWorker:
    """A ``hedgerow worker`` of its own process, in a ``with`` block.

    Parameters
    ----------
    log : Path
        Where its log goes.
    environment : mapping
        Variables to set over this process's own; ``None`` takes one away.
    port : int
        Where it is to serve its metrics, as the environment says.
    """

    def __init__(self, log: Path, environment: Mapping[str, str | None], port: int) -> None:
        self.url = f"http://127.0.0.1:{port}"
        self.child = Child("worker", [sys.executable, "-m", "hedgerow", "worker"], log, environment)

    def wait_ready(self, limit_seconds: float) -> None:
        """Wait until it has its partitions.

        Raises
        ------
        DemoFailed
            If it ends before, or takes longer.
        """
        deadline = time.monotonic() + limit_seconds
        while self._get("/readyz") is None:
            self.check_alive()
            if time.monotonic() > deadline:
                raise DemoFailed(
                    f"the worker was not ready within {limit_seconds:g} s; the end of its "
                    f"log:\n{self.child.log_tail(_LOG_LINES)}"
                )
            time.sleep(0.1)

    def reached(self) -> Reached:
        """Ask it how far it has come.

        Raises
        ------
        DemoFailed
            If it has died.
        """
        self.check_alive()
        text = self._get("/metrics") or ""
        sums = {"hedgerow_next_offset": 0.0, "hedgerow_saved_offset": 0.0}
        for family in text_string_to_metric_families(text):
            if family.name in sums:
                sums[family.name] = sum(sample.value for sample in family.samples)
        return Reached(int(sums["hedgerow_next_offset"]), int(sums["hedgerow_saved_offset"]))

    def check_alive(self) -> None:
        """Raise `DemoFailed`, with the end of its log, if it has ended."""
        code = self.child.exit_code
        if code is not None:
            raise DemoFailed(
                f"the worker ended with {code}; the end of its log:\n"
                f"{self.child.log_tail(_LOG_LINES)}"
            )

    def _get(self, path: str) -> str | None:
        try:
            with urllib.request.urlopen(self.url + path, timeout=ANSWER_SECONDS) as answer:
                return str(answer.read().decode())
        except (urllib.error.URLError, OSError):  # not listening yet, or not ready (503)
            return None

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        self.child.stop(grace_seconds=20.0)
