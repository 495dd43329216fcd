"""Tells from the log alone whether a series may be called silent at some message.

Looser than the product's rule, and sharing nothing with it: whatever a series' usual pauses are,
six of its periods must have gone by since it was last heard, by the clocks of two sensors.
"""

from __future__ import annotations

from collections.abc import Sequence
from itertools import takewhile

from faults.judge.expected import Expected, Reading

LEAST_PERIODS = 6


def silence_fault(expected: Expected, source: str, series: str, period_ms: int) -> str | None:
    """Return why a series is not silent at a message ``topic:partition:offset``; None if it is."""
    partition, offset = (int(part) for part in source.split(":")[-2:])
    read = list(takewhile(lambda reading: reading.offset <= offset, _learned(expected, partition)))
    if not read or read[-1].offset != offset:
        return "no reading learned at that offset made it silent"
    heard = max((reading.at_ms for reading in read if reading.series == series), default=None)
    if heard is None:
        return "silent, and was never heard"
    reached = _reached_by_two(read)
    if reached - heard < LEAST_PERIODS * period_ms:
        return f"silent {reached - heard} ms after it was heard, its period is {period_ms}"
    return None


def _learned(expected: Expected, partition: int) -> Sequence[Reading]:
    found = (one for one in expected.learned.values() if one.partition == partition)
    return sorted(found, key=lambda reading: reading.offset)


def _reached_by_two(read: Sequence[Reading]) -> int:
    """Return the time that at least two sensors have reached."""
    latest: dict[str, int] = {}
    for reading in read:
        latest[reading.sensor_id] = max(reading.at_ms, latest.get(reading.sensor_id, 0))
    return sorted([0, 0, *latest.values()])[-2]
