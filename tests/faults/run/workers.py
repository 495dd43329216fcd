"""Workers as processes of their own: started, asked over HTTP, killed."""

from __future__ import annotations

import re
import signal
import sys
import time
import urllib.error
import urllib.request
from collections.abc import Mapping, Sequence
from pathlib import Path

from hedgerow.app.embedded.child import Child
from hedgerow.app.embedded.servers import free_port

WORKER = (sys.executable, "-c", "from hedgerow.app.cli import main; main()", "worker")

_SAMPLE = re.compile(r"^(\w+)(?:\{(.*)\})? (\S+)$", re.MULTILINE)
_LABEL = re.compile(r'(\w+)="((?:[^"\\]|\\.)*)"')

Sample = tuple[str, tuple[tuple[str, str], ...]]


class Worker:
    """One ``hedgerow worker``."""

    def __init__(
        self, name: str, folder: Path, env: Mapping[str, str], command: Sequence[str] = WORKER
    ) -> None:
        self.port = free_port()
        self.started = time.monotonic()
        self.child = Child(
            name,
            command,
            folder / f"{name}.log",
            {**env, "HEDGEROW_HTTP__HOST": "127.0.0.1", "HEDGEROW_HTTP__PORT": str(self.port)},
        )

    @property
    def running(self) -> bool:
        return self.child.exit_code is None

    def kill(self) -> None:
        """``kill -9``."""
        self.child.kill()

    def pause(self) -> None:
        self.child.signal(signal.SIGSTOP)

    def go_on(self) -> None:
        self.child.signal(signal.SIGCONT)

    def leave(self, within_seconds: float = 30.0) -> float:
        """SIGTERM; return how long it took, fail if it was too long or not clean."""
        began = time.monotonic()
        code = self.child.stop(grace_seconds=within_seconds)
        if code == -signal.SIGKILL:
            raise AssertionError(
                f"{self.child.name} still ran {within_seconds} s after SIGTERM:\n{self.tail()}"
            )
        if code != 0:
            raise AssertionError(f"{self.child.name} left with code {code}:\n{self.tail()}")
        return time.monotonic() - began

    def end(self) -> None:
        """Leave nothing behind, however the test went."""
        self.child.kill()

    def get(self, path: str, seconds: float = 5.0) -> tuple[int, str]:
        """Fetch a page; status 0 when nobody listens."""
        try:
            with urllib.request.urlopen(
                f"http://127.0.0.1:{self.port}{path}", timeout=seconds
            ) as answer:
                return answer.status, answer.read().decode()
        except urllib.error.HTTPError as error:
            with error:
                return error.code, error.read().decode()
        except OSError:
            return 0, ""

    def metrics(self) -> dict[Sample, float]:
        """Scrape ``/metrics``: value by name and sorted labels; nothing while it starts."""
        _, text = self.get("/metrics")
        return {
            (name, tuple(sorted(_LABEL.findall(labels)))): float(value)
            for name, labels, value in _SAMPLE.findall(text)
        }

    def tail(self) -> str:
        return self.child.log_tail(60)
