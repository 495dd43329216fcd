"""Fuzzes the way of a message in: decoded, or made a dead letter, whatever its bytes are.

``python codec.py -runs=1000 CORPUS``; `run.py` beside it knows the usual options.
"""

from __future__ import annotations

import math
import sys
from dataclasses import dataclass
from pathlib import Path

import atheris

with atheris.instrument_imports(include=["hedgerow.topics"]):
    from hedgerow.topics import Limits, ReadingDecoder
    from hedgerow.topics.dead_letters import dead_letter
    from hedgerow.topics.examine import examine

LIMITS = Limits(max_message_bytes=4096)
LARGEST_LETTER = 2048
DECODER = ReadingDecoder(LIMITS)
KEYS = (None, b"", b"s1", b"\xff", "Süd/7".encode())
TIMES = (-1, 0, 1_767_254_400_000, 2**62)


@dataclass(frozen=True, slots=True)
class Record:
    """A message as the transport delivers it."""

    offset: int
    timestamp: int
    key: bytes | None
    value: bytes | None


def check(data: bytes) -> None:
    """Decode a message the fast way and the thorough way, and compare."""
    if not data:
        return
    key, stamp = KEYS[data[0] % len(KEYS)], TIMES[data[0] // len(KEYS) % len(TIMES)]
    value = None if data[0] == 255 else data[1:]
    message = Record(7, stamp, key, value)
    batch = DECODER.decode([message])
    verdict = examine(value, key, stamp, LIMITS)
    found = list(zip(batch.quantities, map(repr, batch.values.tolist()), strict=True))
    assert found == [(name, repr(number)) for name, number in verdict.readings]
    assert all(math.isfinite(number) for number in batch.values.tolist())
    assert all(0 <= at < 2**48 for at in batch.time_ms.tolist())
    assert set(batch.sensor_ids) <= {verdict.sensor_id}
    assert batch.rejected == verdict.rejected
    assert found or batch.failures
    assert [failure.reason for failure in batch.failures] == [verdict.reason] * (
        verdict.reason is not None
    )
    for failure in batch.failures:
        letter = dead_letter(message, failure, "sensor-data", 3, max_bytes=LARGEST_LETTER)
        headers = sum(len(name) + len(text) for name, text in letter.headers)
        assert len(letter.key or b"") + len(letter.value or b"") + headers <= LARGEST_LETTER


SEEDS = (
    b'\x02{"sensor_id": "s1", "timestamp": "2026-01-01T08:00:00Z", "value": 12.5}',
    b'\x02{"sensor_id": "s1", "timestamp": 1767254400.25, "values": {"a": 1, "b": -2e-3}}',
    b'\x02{"sensor_id": "S\\u00fcd", "timestamp": 1767254400000, "value": NaN, "x": [{}]}',
    b"\x0c-12.5e3",
    b"\x0c[1, 2, true, null]",
)


if __name__ == "__main__":
    if sys.argv[1] == "--seeds":
        for number, seed in enumerate(SEEDS):
            (Path(sys.argv[2]) / f"seed-{number}").write_bytes(seed)
    else:
        atheris.Setup(sys.argv, check)
        atheris.Fuzz()
