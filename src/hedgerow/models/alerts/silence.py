"""Which series have gone silent, told by the event time of the others.

Before: ``learner`` has stepped a batch and knows which readings were learned. After: ``alerts``
puts the transitions into words. All depends on the order of the log alone.

The watermark is the latest time that readings of at least two different sensors have reached:
one sensor with a wrong clock moves nothing. A series was heard at the time of its last reading,
or where the watermark then stood if that is later, so that one which reports with a delay is not
taken for silent. It is silent once the watermark is further on than `allowance` since then. Of
fewer than three sensors, none can be told so.
"""

# ruff: noqa: PLR0917 (compiled functions are called by position)

from __future__ import annotations

import math
from collections.abc import Mapping
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from hedgerow.models.arithmetic import Array, jit
from hedgerow.models.bank.series import CHUNK_SERIES
from hedgerow.models.errors import SnapshotError
from hedgerow.models.period import READINGS_NEEDED

MISSED_PERIODS = 6.0
MISSED_GAPS = 3.0  # longest usual gaps
FADE_MS = 12 * 7 * 86_400_000.0  # in which the longest gap shrinks to 1/e, if no other comes
YOUNG_MS = 7 * 86_400_000.0  # a series has not yet shown all its gaps before it is a week old
YOUNG_MAY_PAUSE_MS = 2 * 86_400_000.0
JUMP_PERIODS = 2.0  # a watermark moved by more at once excuses a series for another period
NOT_YET = -1.0

# Columns of a series' line.
HEARD, SINCE, READINGS, LONGEST_GAP, OPENED_MS, OPENING_OFFSET, EXCUSED_UNTIL = range(7)
STORED = 7  # the columns above; what follows is known from them and the profile
PERIOD, DEADLINE, COLUMNS = range(7, 10)

# The two sensors that are furthest on, and a time before which no deadline lies.
LEADER, LEADER_MS, SECOND, SECOND_MS, NEXT_DEADLINE, CLOCK = range(6)

# Columns of a transition.
(
    OF_POSITION,
    OF_SERIES,
    OF_OPEN,
    OF_OFFSET,
    OF_OPENED_MS,
    OF_AT_MS,
    OF_HEARD,
    OF_LONGEST,
    TRANSITION,
) = range(9)


class Learned(NamedTuple):
    """The learned readings of a batch, in log order, and what is known of all series.

    Attributes
    ----------
    positions : ndarray of int64, shape (m,)
        Which readings of the batch were learned.
    series, time_ms, offsets : ndarray of int64, shape (n,)
        Series, time and offset of each reading of the batch.
    sensors, periods_ms : ndarray of int64, shape (series,)
        Sensor and period of each series; 0 where the period is not known yet, or nobody wants to
        be told.
    """

    positions: NDArray[np.int64]
    series: NDArray[np.int64]
    time_ms: NDArray[np.int64]
    offsets: NDArray[np.int64]
    sensors: NDArray[np.int64]
    periods_ms: NDArray[np.int64]


@jit
def allowance(line: Array) -> float:
    """Return how long after it was heard a series may say nothing.

    Six periods, or three times its longest gap so far if that is longer; during its first week
    two days, or as long as it has been known.
    """
    allowed = max(MISSED_PERIODS * line[PERIOD], MISSED_GAPS * line[LONGEST_GAP])
    age = line[HEARD] - line[SINCE]
    return float(max(allowed, age, YOUNG_MAY_PAUSE_MS) if age < YOUNG_MS else allowed)


@jit
def deadline(line: Array) -> float:
    """Return when the watermark finds the series silent; never for one that is, or is new."""
    if line[PERIOD] <= 0.0 or line[OPENING_OFFSET] >= 0.0:
        return math.inf
    return float(max(line[HEARD] + allowance(line), line[EXCUSED_UNTIL]))


@jit
def set_deadlines(lines: Array) -> None:
    """Work out the deadline of every line."""
    for i in range(len(lines)):
        lines[i, DEADLINE] = deadline(lines[i])


@jit
def _advance(clock: Array, sensor: float, time_ms: float) -> None:
    """Let a reading move the watermark, ``clock[SECOND_MS]``."""
    if sensor == clock[LEADER]:
        clock[LEADER_MS] = max(clock[LEADER_MS], time_ms)
    elif time_ms > clock[LEADER_MS]:
        clock[SECOND], clock[SECOND_MS] = clock[LEADER], clock[LEADER_MS]
        clock[LEADER], clock[LEADER_MS] = sensor, time_ms
    elif time_ms > clock[SECOND_MS]:
        clock[SECOND], clock[SECOND_MS] = sensor, time_ms


@jit
def _hear(line: Array, period_ms: float, time_ms: float, watermark: float) -> None:
    """Note a reading of a series that is not silent, or no longer."""
    at = max(time_ms, watermark)
    if line[READINGS] == 0.0:
        line[SINCE] = at
    else:
        gap = at - line[HEARD]
        usual = line[LONGEST_GAP] * (1.0 - min(gap / FADE_MS, 1.0))
        # What was too long to be usual counts as just usual, once something is.
        if line[PERIOD] > 0.0 and line[HEARD] - line[SINCE] >= YOUNG_MS:
            gap = min(gap, allowance(line))
        line[LONGEST_GAP] = max(usual, gap)
    line[HEARD] = at
    line[READINGS] += 1.0
    # Where the period has to be found out, it is known from here on.
    line[PERIOD] = period_ms if line[READINGS] >= READINGS_NEEDED else 0.0
    line[EXCUSED_UNTIL] = NOT_YET


@jit
def _note(
    lines: Array, series: int, position: int, is_open: float, at_ms: float, found: Array
) -> None:
    line = lines[series]
    found[OF_POSITION] = position
    found[OF_SERIES] = series
    found[OF_OPEN] = is_open
    found[OF_OFFSET] = line[OPENING_OFFSET]
    found[OF_OPENED_MS] = line[OPENED_MS]
    found[OF_AT_MS] = at_ms
    found[OF_HEARD] = line[HEARD]
    found[OF_LONGEST] = line[LONGEST_GAP]


@jit
def _look(
    lines: Array, clock: Array, moved: float, position: int, offset: int, found: Array, used: int
) -> int:
    """Open an episode for every series whose deadline the watermark has reached."""
    watermark = clock[SECOND_MS]
    soonest = math.inf
    for series in range(len(lines)):
        line = lines[series]
        if line[DEADLINE] <= watermark:
            if line[EXCUSED_UNTIL] < 0.0 and moved > JUMP_PERIODS * line[PERIOD]:
                # All were silent, and this one has had no time to speak again.
                line[EXCUSED_UNTIL] = watermark + line[PERIOD]
            else:
                line[OPENING_OFFSET], line[OPENED_MS] = offset, watermark
                _note(lines, series, position, 1.0, watermark, found[used])
                used += 1
            line[DEADLINE] = deadline(line)
        soonest = min(soonest, line[DEADLINE])
    clock[NEXT_DEADLINE] = soonest
    return used


@jit
def follow(lines: Array, clock: Array, learned: Learned, found: Array) -> int:
    """Take the learned readings of a batch; return how many transitions were written.

    The readings of one message are heard before any series is found silent.
    """
    used = 0
    n = len(learned.positions)
    before = clock[SECOND_MS]
    for i in range(n):
        position = learned.positions[i]
        series, offset = learned.series[position], learned.offsets[position]
        line = lines[series]
        time_ms = float(learned.time_ms[position])
        _advance(clock, float(learned.sensors[series]), time_ms)
        if line[OPENING_OFFSET] >= 0.0:
            _note(lines, series, position, 0.0, time_ms, found[used])
            used += 1
            line[OPENING_OFFSET] = NOT_YET
        _hear(line, float(learned.periods_ms[series]), time_ms, clock[SECOND_MS])
        line[DEADLINE] = deadline(line)
        clock[NEXT_DEADLINE] = min(clock[NEXT_DEADLINE], line[DEADLINE])
        if i + 1 < n and learned.offsets[learned.positions[i + 1]] == offset:
            continue
        if clock[SECOND_MS] >= clock[NEXT_DEADLINE]:
            moved = clock[SECOND_MS] - before
            used = _look(lines, clock, moved, position, offset, found, used)
        before = clock[SECOND_MS]
    return used


class Silence:
    """What is known of every series' pauses, and the watermark.

    Attributes
    ----------
    lines : ndarray of float64, shape (capacity, columns)
        A line for each series, by its number.
    clock : ndarray of float64
        The watermark, and what moves it.
    dirty : set of int
        Chunks of series that changed since the last capture.
    moved : bool
        Whether anything was learned since then.
    """

    def __init__(self) -> None:
        self.lines = np.empty((0, COLUMNS))
        self.clock = np.array([NOT_YET, NOT_YET, NOT_YET, NOT_YET, -math.inf])
        self.dirty: set[int] = set()
        self.moved = True

    @property
    def reached_ms(self) -> int | None:
        """The watermark; the time of the latest reading while there is only one sensor."""
        for at in (self.clock[SECOND_MS], self.clock[LEADER_MS]):
            if at >= 0.0:
                return int(at)
        return None

    def hear(self, count: int, learned: Learned) -> Array:
        """Take a batch's learned readings, with ``count`` series known after it.

        Returns
        -------
        ndarray of float64, shape (m, transition)
            Episodes that opened or were resolved, in log order.
        """
        self._grow(count)
        if len(learned.positions) == 0:
            return np.empty((0, TRANSITION))
        self.dirty.update((learned.series[learned.positions] // CHUNK_SERIES).tolist())
        self.moved = True
        found = np.empty((count + 2 * len(learned.positions), TRANSITION))
        found = found[: follow(self.lines[:count], self.clock, learned, found)]
        if len(found):
            self.dirty.update((found[:, OF_SERIES].astype(np.int64) // CHUNK_SERIES).tolist())
        return found

    def _grow(self, count: int) -> None:
        if count > len(self.lines):
            grown = np.empty((max(16, 2 * len(self.lines), count), COLUMNS))
            grown[: len(self.lines)] = self.lines
            fresh = grown[len(self.lines) :]
            fresh[:] = 0.0
            fresh[:, [HEARD, SINCE, OPENED_MS, OPENING_OFFSET, EXCUSED_UNTIL]] = NOT_YET
            fresh[:, DEADLINE] = math.inf
            self.lines = grown

    def stored(self, start: int, end: int) -> Array:
        """Copy the lines of some series for a snapshot."""
        self._grow(end)
        return self.lines[start:end, :STORED].copy()

    def move(self, series: int, into: Silence, to: int, sensor: int) -> None:
        """Give a series' line to the series ``to`` of another partition, of ``sensor`` there."""
        self._grow(series + 1)
        into._grow(to + 1)
        into.lines[to] = self.lines[series]
        into.dirty.add(to // CHUNK_SERIES)
        into.moved = True
        if self.lines[series, READINGS] > 0.0:
            _advance(into.clock, float(sensor), float(self.lines[series, HEARD]))
        into.clock[NEXT_DEADLINE] = -math.inf

    def wait(self, readings: Mapping[int, int]) -> None:
        """Go back to so many readings, for series whose period has to be found out again."""
        for series, count in readings.items():
            self.lines[series, READINGS] = count

    def restore(self, lines: Array, periods_ms: NDArray[np.int64], leaders: Array) -> None:
        """Take back what was stored.

        Parameters
        ----------
        lines : ndarray of float64, shape (count, stored)
            A line for each series.
        periods_ms : ndarray of int64, shape (count,)
            Their periods, 0 as in `Learned`.
        leaders : ndarray of float64, shape (4,)
            What moves the watermark.

        Raises
        ------
        SnapshotError
            If the sizes do not fit.
        """
        count = len(periods_ms)
        if lines.shape != (count, STORED) or leaders.shape != (NEXT_DEADLINE,):
            raise SnapshotError("silence: its lines are not of the stated size")
        self._grow(count)
        self.lines[:count, :STORED] = lines
        known = self.lines[:count, READINGS] >= READINGS_NEEDED
        self.lines[:count, PERIOD] = np.where(known, periods_ms, 0)
        set_deadlines(self.lines[:count])
        self.clock[:NEXT_DEADLINE] = leaders
        self.clock[NEXT_DEADLINE] = -math.inf
