"""A process of ours that never outlives us: the embedded parts and the demo's worker.

Nothing is ever found by name: a child is stopped by the id it was started with, and should
this process be killed, a guard that waits on a pipe notices and ends that one child.
"""

from __future__ import annotations

import contextlib
import os
import signal
import subprocess
import time
from collections.abc import Mapping, Sequence
from pathlib import Path
from types import TracebackType
from typing import Self

# The guard blocks on a pipe that only we hold open. It works on every POSIX system, where
# PR_SET_PDEATHSIG is Linux only and fires when the *thread* that started the child ends.
_GUARD = 'read -r _ || kill -KILL "$1"'


class Child:
    """One process with a log file, tied to the life of this one.

    It gets a session of its own, so that Ctrl-C reaches this process first and the parts can
    be stopped in order.

    Parameters
    ----------
    name : str
        What messages call it.
    command : sequence of str
        Program and arguments.
    log : Path
        Where its output goes; appended to, so that a restart keeps the first life's lines.
    environment : mapping, optional
        Variables to set over this process's own; ``None`` takes one away.
    """

    def __init__(
        self,
        name: str,
        command: Sequence[str],
        log: Path,
        environment: Mapping[str, str | None] | None = None,
    ) -> None:
        variables: dict[str, str | None] = {**os.environ, **(environment or {})}
        self.name = name
        self.log = log
        with log.open("ab") as output:
            self._process = subprocess.Popen(
                list(command),
                stdin=subprocess.DEVNULL,
                stdout=output,
                stderr=subprocess.STDOUT,
                env={name: value for name, value in variables.items() if value is not None},
                start_new_session=True,
            )
        try:
            self._guard = subprocess.Popen(
                ["/bin/sh", "-c", _GUARD, "sh", str(self._process.pid)],
                stdin=subprocess.PIPE,
                stdout=subprocess.DEVNULL,
                stderr=subprocess.DEVNULL,
                start_new_session=True,
            )
        except BaseException:
            self._process.kill()
            self._process.wait()
            raise

    @property
    def pid(self) -> int:
        """Id of the process."""
        return self._process.pid

    @property
    def exit_code(self) -> int | None:
        """Exit code, negative for a signal, ``None`` while it runs."""
        return self._process.poll()

    def signal(self, number: signal.Signals) -> None:
        """Send a signal, if it still runs."""
        self._process.send_signal(number)

    def wait(self, timeout_seconds: float) -> int | None:
        """Wait for its end; ``None`` when it still runs after the time."""
        with contextlib.suppress(subprocess.TimeoutExpired):
            return self._process.wait(timeout_seconds)
        return None

    def log_tail(self, lines: int = 20) -> str:
        """Return the last lines it wrote."""
        try:
            text = self.log.read_text(errors="replace")
        except OSError:
            return ""
        return "\n".join(text.splitlines()[-lines:])

    def stop(self, grace_seconds: float = 10.0) -> int:
        """Terminate it, kill it when the grace is over, and return its exit code."""
        deadline = time.monotonic() + grace_seconds
        self._dismiss_guard()
        if self._process.poll() is None:
            self._process.terminate()
            if self.wait(max(0.0, deadline - time.monotonic())) is None:
                self._process.kill()
        return self._process.wait()

    def kill(self) -> int:
        """End it at once, as a power cut would."""
        self._dismiss_guard()
        self._process.kill()
        return self._process.wait()

    def _dismiss_guard(self) -> None:
        # Before the child ends: its number may be another process's once it is gone.
        self._guard.kill()
        self._guard.wait()
        if self._guard.stdin is not None:
            self._guard.stdin.close()

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        self.stop()
