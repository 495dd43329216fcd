"""The judge of silence believes two sensors' clocks, and none alone."""

from __future__ import annotations

from faults.judge.expected import Expected, Reading
from faults.judge.quiet import silence_fault

PERIOD = 60_000


def _log(*readings: tuple[str, int]) -> Expected:
    """Make a log of one partition: sensors, and the minutes of their readings."""
    learned = [
        Reading(f"t:0:{offset}:{sensor}", sensor, sensor, None, 0, offset, minute * PERIOD, 1.0)
        for offset, (sensor, minute) in enumerate(readings)
    ]
    return Expected(learned={reading.id: reading for reading in learned})


def test_two_others_have_gone_on() -> None:
    log = _log(("a", 100), ("b", 106), ("c", 106))
    assert silence_fault(log, "t:0:2", "a", PERIOD) is None


def test_one_clock_is_not_enough() -> None:
    log = _log(("a", 100), ("b", 101), ("c", 900))
    assert silence_fault(log, "t:0:2", "a", PERIOD) == (
        "silent 60000 ms after it was heard, its period is 60000"
    )


def test_what_comes_later_in_the_log_does_not_count() -> None:
    log = _log(("a", 100), ("b", 106), ("c", 100), ("c", 106))
    assert silence_fault(log, "t:0:2", "a", PERIOD) is not None
    assert silence_fault(log, "t:0:3", "a", PERIOD) is None


def test_a_series_that_was_heard_is_not_silent() -> None:
    log = _log(("a", 100), ("b", 106), ("a", 106), ("c", 107))
    assert silence_fault(log, "t:0:3", "a", PERIOD) is not None


def test_no_reading_or_no_series_there() -> None:
    log = _log(("b", 100), ("c", 106))
    assert silence_fault(log, "t:0:1", "a", PERIOD) == "silent, and was never heard"
    assert silence_fault(log, "t:0:7", "b", PERIOD) is not None
    assert silence_fault(log, "t:1:0", "b", PERIOD) is not None
