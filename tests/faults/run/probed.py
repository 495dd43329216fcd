"""``hedgerow worker`` that kills itself at a named point: ``python probed.py POINT PASS FILE``.

It dies as by ``kill -9`` when it reaches the point for the PASSth time after FILE is there.
The points are those of the worker's `Probe` port, and two inside of one call that need no
port: ``decoding``, halfway through the messages of a batch, and ``stepping``, when one bank of
a batch has learned and the next has not.
"""

from __future__ import annotations

import os
import signal
import sys
from collections.abc import Callable, Iterator, Sequence
from pathlib import Path
from typing import Any, NoReturn

from hedgerow.app.errors import AppError
from hedgerow.app.service.worker import run_worker
from hedgerow.app.settings import load_settings
from hedgerow.models.bank.bank import Bank
from hedgerow.topics import ReadingDecoder
from hedgerow.topics.codec import DecodedBatch, Message


class Killer:
    """The probe: counts passes of one point once it is armed, and kills at the last."""

    def __init__(self, point: str, passes: int, armed: Path) -> None:
        self._point = point
        self._left = passes
        self._armed = armed

    def at(self, point: str) -> None:
        if point != self._point or not self._armed.exists():
            return
        self._left -= 1
        if self._left == 0:
            print(f"killed at {point}", file=sys.stderr, flush=True)
            os.kill(os.getpid(), signal.SIGKILL)


class _Halfway(Sequence[Message]):
    """The messages of a batch; tells when half of them have been read."""

    def __init__(self, messages: Sequence[Message], tell: Callable[[], None]) -> None:
        self._messages = messages
        self._tell = tell

    def __len__(self) -> int:
        return len(self._messages)

    def __getitem__(self, place: Any) -> Any:
        return self._messages[place]

    def __iter__(self) -> Iterator[Message]:
        for place, message in enumerate(self._messages):
            if place == len(self._messages) // 2:
                self._tell()
            yield message


def probe_decoding(probe: Killer) -> None:
    sound = ReadingDecoder.decode

    def decode(self: ReadingDecoder, messages: Sequence[Message]) -> DecodedBatch:
        return sound(self, _Halfway(messages, lambda: probe.at("decoding")))

    ReadingDecoder.decode = decode  # type: ignore[method-assign]


def probe_stepping(probe: Killer) -> None:
    sound = Bank.step

    def step(self: Bank, *args: Any, **kwargs: Any) -> None:
        sound(self, *args, **kwargs)
        probe.at("stepping")

    Bank.step = step  # type: ignore[method-assign]


def run_probed(point: str = "", passes: str = "0", armed: str = "/") -> NoReturn:
    """Run a worker that kills itself at a point, or none."""
    killer = Killer(point, int(passes), Path(armed))
    probe_decoding(killer)
    probe_stepping(killer)
    try:
        sys.exit(run_worker(load_settings(), killer))  # type: ignore[arg-type]
    except AppError as error:
        print(error, file=sys.stderr)
        sys.exit(error.exit_code)


if __name__ == "__main__":
    run_probed(*sys.argv[1:])
