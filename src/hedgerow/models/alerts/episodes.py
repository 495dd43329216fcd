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

from hedgerow.models.alerts.anomaly import (
    THRESHOLD,
    TOLD_BASIS,
    TOLD_EXPECTED,
    TOLD_HIGH,
    TOLD_KIND,
    TOLD_LOW,
    TOLD_STATISTIC,
)
from hedgerow.models.alerts.drift import CAUSE, LASTED, STRENGTH
from hedgerow.models.alerts.drift import QUIET as QUIET_LEFT
from hedgerow.models.arithmetic import Array, jit
from hedgerow.models.bank.layout import (
    ALERT_SIZE,
    ALERTS,
    ANOMALY,
    BOUND,
    BREACH_BY_LIMIT,
    DRIFT,
    EXTREMES,
    FORECAST_BREACH,
    LIMITS_BEYOND,
    LONGEST_RUN,
    LOWER,
    OPEN,
    OPENED_MS,
    OPENING_OFFSET,
    PREDICTED,
    QUIET,
    RUN,
    STUCK,
    UPPER,
)

ANOMALY_CLOSES = 6  # readings inside their interval that resolve an anomaly
IN_A_ROW = 2.0  # readings after which the limits of intervals open an episode
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
    EVENT_USUAL,  # of an anomaly: what its expectation was
    EVENT_STATISTIC,  # of an anomaly: what went beyond its range
    EVENT_LOWEST,  # that range
    EVENT_HIGHEST,
    EVENT_DETAIL,  # horizon of a breach in slots, negative if an interval's limit told it;
    # statistic and basis of an anomaly, cause of a drift, repeats of a run
    EVENT_SIZE,
) = range(14)
BASES = 3  # that an anomaly's expectation can rest on
MOST_EVENTS = 5  # of one reading: one a rule


class Rules(NamedTuple):
    """What a profile asks of the rules; bounds are NaN where there is none.

    Bounds differ from row to row, `rules_of` fills them in.
    """

    bound_lower: float
    bound_upper: float
    bound: int
    forecast_breach: int
    anomaly: int
    drift: int
    stuck: int


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


class Outlook(NamedTuple):
    """What a reading's forecasts say of the bounds.

    ``horizon`` and ``predicted`` are the nearest forecast's beyond one, 0 and NaN if there is
    none; ``limit`` is the interval's at the ``shortest`` horizon, NaN unless those of all
    horizons are beyond the same bound.
    """

    horizon: int
    predicted: float
    limit: float
    shortest: int


@jit
def rules_of(row: Array, rules: Rules, bounds: Array) -> Rules:
    """Return the rules for a row with these bounds.

    Where it has none, nothing is asked about bounds unless an episode is left to be resolved.
    """
    bounded = not (math.isnan(bounds[0]) and math.isnan(bounds[1]))
    return Rules(
        bounds[0],
        bounds[1],
        rules.bound if bounded or _is_open(row, BOUND) else 0,
        rules.forecast_breach if bounded or _is_open(row, FORECAST_BREACH) else 0,
        rules.anomaly,
        rules.drift,
        rules.stuck,
    )


@jit
def _is_open(row: Array, kind: int) -> bool:
    return bool(row[ALERTS + kind * ALERT_SIZE + OPEN] == 1.0)


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
    if kind == ANOMALY:
        event[EVENT_USUAL] = row[EXTREMES + TOLD_EXPECTED]
        event[EVENT_STATISTIC] = row[EXTREMES + TOLD_STATISTIC]
        event[EVENT_LOWEST] = row[EXTREMES + TOLD_LOW]
        event[EVENT_HIGHEST] = row[EXTREMES + TOLD_HIGH]


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
def watch_reading(
    row: Array, entry: int, score: float, rules: Rules, reading: Reading, events: Events
) -> None:
    """Show an observed value to the rules.

    ``entry`` is where in the row the shortest horizon's forecast of it is pending, -1 if none;
    ``score`` its anomaly score. An anomaly lasts while readings stay outside their interval.
    """
    expected = row[entry + PREDICTED] if entry >= 0 else math.nan
    if rules.bound:
        facts = Facts(expected, rules.bound_lower, rules.bound_upper, 0.0)
        bad = _beyond(rules, reading.value)
        _follow(row, BOUND, bad, QUIET_CLOSES, reading, facts, events)
    if not rules.anomaly:
        return
    bad = score >= THRESHOLD
    lower, upper = math.nan, math.nan
    if entry >= 0:
        lower, upper = row[entry + LOWER], row[entry + UPPER]
        already_open = row[ALERTS + ANOMALY * ALERT_SIZE + OPEN] == 1.0
        bad = bad or (already_open and (reading.value < lower or reading.value > upper))
    found = row[EXTREMES + TOLD_KIND] * BASES + row[EXTREMES + TOLD_BASIS]
    facts = Facts(expected, lower, upper, found)
    _follow(row, ANOMALY, bad, ANOMALY_CLOSES, reading, facts, events)


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
def watch_run(row: Array, stuck: bool, rules: Rules, reading: Reading, events: Events) -> None:
    """Follow a value that is repeated; the first different one resolves.

    In the place of the upper limit its event carries the longest run before.
    """
    if rules.stuck:
        bad = stuck or (row[ALERTS + STUCK * ALERT_SIZE + OPEN] == 1.0 and row[RUN] > 0.0)
        facts = Facts(math.nan, math.nan, row[LONGEST_RUN], row[RUN])
        _follow(row, STUCK, bad, 1, reading, facts, events)


@jit
def watch_forecasts(
    row: Array, outlook: Outlook, rules: Rules, reading: Reading, events: Events
) -> None:
    """Show the nearest forecast beyond a bound, or the interval's limit, to the rules.

    Where no forecast is beyond, the limits open an episode if those of all horizons are, twice
    in a row. With bounds at the 99.5 % quantiles of the demo's year that adds a sixth to the
    episodes, 0.06 a week and series, where the limit of the shortest horizon alone would make
    them five times as many. While the observed value itself is
    beyond, that is the bound rule's matter.
    """
    if not rules.forecast_breach:
        return
    within = not _beyond(rules, reading.value)
    by_limit = outlook.horizon == 0 and not math.isnan(outlook.limit)
    row[LIMITS_BEYOND] = row[LIMITS_BEYOND] + 1.0 if by_limit and within else 0.0
    already_open = row[ALERTS + FORECAST_BREACH * ALERT_SIZE + OPEN] == 1.0
    bad = outlook.horizon > 0 or (by_limit and (already_open or row[LIMITS_BEYOND] >= IN_A_ROW))
    if bad and within and not already_open:
        row[BREACH_BY_LIMIT] = 1.0 if by_limit else 0.0
    told, detail = outlook.predicted, float(outlook.horizon)
    if row[BREACH_BY_LIMIT] == 1.0:
        told, detail = outlook.limit, -float(outlook.shortest)
    facts = Facts(told, rules.bound_lower, rules.bound_upper, detail)
    _follow(row, FORECAST_BREACH, bad and within, QUIET_CLOSES, reading, facts, events)
