"""A shell that goes on where its last command left off, as a terminal does."""

from __future__ import annotations

import subprocess
import time
from collections.abc import Callable, Mapping
from pathlib import Path
from signal import Signals

from docs.elsewhere import Endless

ASKS = "[y/N]: "


class Shell:
    """Runs commands one after the other; variables and the folder stay.

    Parameters
    ----------
    where : Path
        The folder it begins in.
    keep : Path
        Where it keeps what stays.
    """

    def __init__(self, where: Path, keep: Path, seconds: float) -> None:
        self._where = where
        self._keep = keep
        self._seconds = seconds
        keep.mkdir()

    def run(
        self, command: str, environment: Mapping[str, str], *, answer: str = ""
    ) -> tuple[int, str]:
        """Run a command, answer what it asks; return its exit code and what a terminal shows."""
        after = f"\ndeclare -px >{self._keep}/variables; pwd >{self._keep}/folder\n"
        try:
            done = subprocess.run(
                self._bash(command + after),
                cwd=self._where,
                env=dict(environment),
                input=f"{answer}\n".encode(),
                stdout=subprocess.PIPE,
                stderr=subprocess.STDOUT,
                timeout=self._seconds,
                check=False,
            )
        except subprocess.TimeoutExpired as error:
            raise AssertionError(
                f"`{command}` did not end within {self._seconds:.0f} s; it had printed:\n"
                f"{(error.output or b'').decode(errors='replace')}"
            ) from None
        return done.returncode, done.stdout.decode().replace(ASKS, f"{ASKS}{answer}\n")

    def interrupt(
        self,
        command: str,
        environment: Mapping[str, str],
        endless: Endless,
        meanwhile: Callable[[], None],
    ) -> tuple[int, str]:
        """Run a command that goes on until it is well under way, then end it as its user would."""
        log = self._keep / "endless.log"
        with log.open("w") as output:
            process = subprocess.Popen(
                self._bash(f"exec {command}"),
                cwd=self._where,
                env={**environment, "PYTHONUNBUFFERED": "1"},
                stdin=subprocess.DEVNULL,
                stdout=output,
                stderr=subprocess.STDOUT,
            )
        deadline = time.monotonic() + self._seconds
        try:
            while endless.shows not in log.read_text() and process.poll() is None:
                assert time.monotonic() < deadline, f"no {endless.shows!r} yet: {log.read_text()}"
                meanwhile()
                time.sleep(0.3)
            process.send_signal(Signals(endless.signal))
            code = process.wait(self._seconds)
        except subprocess.TimeoutExpired:
            raise AssertionError(
                f"`{command}` did not end within {self._seconds:.0f} s of its signal: "
                f"{log.read_text()}"
            ) from None
        finally:
            process.kill()
            process.wait()
        return code, log.read_text()

    def _bash(self, script: str) -> list[str]:
        before = (
            f"if [ -f {self._keep}/variables ]; then . {self._keep}/variables; "
            f'cd "$(cat {self._keep}/folder)"; fi\n'
        )
        return ["bash", "-euo", "pipefail", "-c", before + script]
