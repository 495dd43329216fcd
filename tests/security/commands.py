"""Runs the command line against the locked servers and tells how it ended."""

from __future__ import annotations

import gc
import time
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

import pytest
from security.secure_kafka import SecureKafka

from hedgerow.app.cli import main

QUIET_SECONDS = 0.5


@dataclass(frozen=True, slots=True)
class End:
    """How a command ended, how long it took, and how often the broker turned it away."""

    code: Any
    output: str
    seconds: float
    refusals: int


def run(
    words: list[str],
    environment: Mapping[str, str],
    kafka: SecureKafka,
    capsys: pytest.CaptureFixture[str],
) -> End:
    """Run one command in this process."""
    before = settled_refusals(kafka)
    began = time.monotonic()
    with pytest.MonkeyPatch.context() as patch:
        for name, value in environment.items():
            patch.setenv(name, value)
        with pytest.raises(SystemExit) as left:
            main(words)
    seconds, code = time.monotonic() - began, left.value.code
    del left
    gc.collect()  # the client goes with its frames, as at the end of a process
    printed = capsys.readouterr()
    return End(code, printed.out + printed.err, seconds, settled_refusals(kafka) - before)


def settled_refusals(kafka: SecureKafka) -> int:
    """Return the broker's refusals once no more of them come."""
    seen, since = kafka.refusals, time.monotonic()
    while time.monotonic() - since < QUIET_SECONDS:
        time.sleep(0.05)
        if kafka.refusals != seen:
            seen, since = kafka.refusals, time.monotonic()
    return seen
