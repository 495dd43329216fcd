"""Alert rules: episodes that open, last and resolve. Compiled.

``kernel`` shows every reading and every forecast to the rules; each transition becomes a line of
the event table, which ``alerts`` puts into words.
"""

# ruff: noqa: PLR0917 (compiled functions are called by position)

from __future__ import annotations

import math
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from hedgerow.models.arithmetic import Array, jit
from hedgerow.models.drift import CAUSE, LASTED, STRENGTH
from hedgerow.models.drift import QUIET as QUIET_LEFT
from hedgerow.models.layout import (
    ALERT_SIZE,
    ALERTS,
    ANOMALY,
    BAD_RUN,
    BOUND,
    CUSUM,
    DRIFT,
    FORECAST_BREACH,
    LOWER,
    OPEN,
    OPENED_MS,
    OPENING_OFFSET,
    PREDICTED,
    QUIET,
    UPPER,
)

# Distances are in half-widths of the interval. At least two readings outside open an episode.
# Measured on metro, vic, melbourne and the Australian plants: 0.02 to 0.34 a series and week.
CUSUM_SLACK = 1.5  # distance that raises no suspicion
CUSUM_MOST = 3.0  # distance beyond which one reading counts no more
CUSUM_OPENS = 4.0
CUSUM_CAP = 8.0  # so that an episode resolves soon after it is over
QUIET_CLOSES = 3  # readings within bounds that resolve an episode about a bound

# Columns of an event.
(
    EVENT_POSITION,
    EVENT_KIND,
    EVENT_OPEN,
    EVENT_OFFSET,
    EVENT_OPENED_MS,
    EVENT_EXPECTED,
    EVENT_LOWER,
    EVENT_UPPER,
    EVENT_DETAIL,  # horizon of a breach in slots, readings in a row outside of an anomaly,
    # cause of a drift
    EVENT_SIZE,
) = range(10)
MOST_EVENTS = 4  # of one reading: one a rule


class Rules(NamedTuple):
    """What a profile asks of the rules; bounds are NaN where there is none."""

    bound_lower: float
    bound_upper: float
    bound: int
    forecast_breach: int
    anomaly: int
    drift: int


class Reading(NamedTuple):
    """A reading and its place in the batch and the log."""

    position: int
    time_ms: int
    value: float
    offset: int


class Events(NamedTuple):
    """The event table: one line a transition, ``used[0]`` of them written."""

    lines: Array
    used: NDArray[np.int64]


class Facts(NamedTuple):
    """What an event tells besides the reading."""

    expected: float
    lower: float
    upper: float
    detail: float


@jit
def _write_event(row: Array, kind: int, reading: Reading, facts: Facts, events: Events) -> None:
    state = ALERTS + kind * ALERT_SIZE
    event = events.lines[events.used[0]]
    events.used[0] += 1
    event[EVENT_POSITION] = reading.position
    event[EVENT_KIND] = kind
    event[EVENT_OPEN] = row[state + OPEN]
    event[EVENT_OFFSET] = row[state + OPENING_OFFSET]
    event[EVENT_OPENED_MS] = row[state + OPENED_MS]
    event[EVENT_EXPECTED] = facts.expected
    event[EVENT_LOWER] = facts.lower
    event[EVENT_UPPER] = facts.upper
    event[EVENT_DETAIL] = facts.detail


@jit
def _follow(
    row: Array,
    kind: int,
    bad: bool,
    closes_after: int,
    reading: Reading,
    facts: Facts,
    events: Events,
) -> None:
    """Open an episode at the first bad reading, resolve it after enough good ones in a row."""
    state = ALERTS + kind * ALERT_SIZE
    if bad:
        row[state + QUIET] = 0.0
        if row[state + OPEN] == 0.0:
            row[state + OPEN] = 1.0
            row[state + OPENING_OFFSET] = reading.offset
            row[state + OPENED_MS] = reading.time_ms
            _write_event(row, kind, reading, facts, events)
    elif row[state + OPEN] == 1.0:
        row[state + QUIET] += 1.0
        if row[state + QUIET] >= closes_after:
            row[state + OPEN] = 0.0
            row[state + QUIET] = 0.0
            _write_event(row, kind, reading, facts, events)


@jit
def _beyond(rules: Rules, value: float) -> bool:
    return bool(value < rules.bound_lower or value > rules.bound_upper)


@jit
def watch_reading(row: Array, entry: int, rules: Rules, reading: Reading, events: Events) -> None:
    """Show an observed value to the rules.

    ``entry`` is where in the row the shortest horizon's forecast of it is pending, -1 if none.
    """
    expected = row[entry + PREDICTED] if entry >= 0 else math.nan
    if rules.bound:
        facts = Facts(expected, rules.bound_lower, rules.bound_upper, 0.0)
        bad = _beyond(rules, reading.value)
        _follow(row, BOUND, bad, QUIET_CLOSES, reading, facts, events)
    if not rules.anomaly or entry < 0 or math.isnan(row[entry + LOWER]):
        return
    lower, upper = row[entry + LOWER], row[entry + UPPER]
    off = abs(reading.value - expected)
    half = upper - expected if reading.value > expected else expected - lower
    distance = 0.0
    if off > 0.0:
        distance = min(off / half, CUSUM_MOST) if half > 0.0 else CUSUM_MOST
    row[CUSUM] = min(max(0.0, row[CUSUM] + distance - CUSUM_SLACK), CUSUM_CAP)
    row[BAD_RUN] = row[BAD_RUN] + 1.0 if distance > 1.0 else 0.0
    already_open = row[ALERTS + ANOMALY * ALERT_SIZE + OPEN] == 1.0
    bad = row[CUSUM] >= CUSUM_OPENS or (already_open and row[CUSUM] > 0.0)
    facts = Facts(expected, lower, upper, row[BAD_RUN])
    _follow(row, ANOMALY, bad, 1, reading, facts, events)


@jit
def watch_drift(row: Array, state: int, rules: Rules, reading: Reading, events: Events) -> None:
    """Follow the drift charts of the shortest horizon, whose state begins at ``state``.

    An episode lasts as long as memory is short. In the place of limits its event carries how
    many usual errors too much there were, and over how many labels.
    """
    if rules.drift:
        strength, lasted = row[state + STRENGTH], row[state + LASTED]
        facts = Facts(math.nan, strength, lasted, row[state + CAUSE])
        _follow(row, DRIFT, row[state + QUIET_LEFT] > 0.0, 1, reading, facts, events)


@jit
def watch_forecasts(
    row: Array, horizon: int, predicted: float, rules: Rules, reading: Reading, events: Events
) -> None:
    """Show the nearest forecast beyond a bound to the rules; ``horizon`` is 0 if there is none.

    While the observed value itself is beyond, that is the bound rule's matter.
    """
    if rules.forecast_breach:
        facts = Facts(predicted, rules.bound_lower, rules.bound_upper, float(horizon))
        bad = horizon > 0 and not _beyond(rules, reading.value)
        _follow(row, FORECAST_BREACH, bad, QUIET_CLOSES, reading, facts, events)
