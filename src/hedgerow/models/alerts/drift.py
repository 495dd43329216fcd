"""Noticing that a series no longer behaves as it was learned. Compiled.

Before: the residual of a published forecast, and the errors of the naive references, when the
label arrives. After: the kernel shortens its memory for a while, corrects a standing error, and
counts. One state per series and horizon, a run of ``SIZE`` float64; ``drift_detector`` offers it
as a River drift detector.

Page–Hinkley charts (Page 1954; Mouss et al. 2004), sums that rise while things are worse than
allowed and never sink below zero:

- *loss*: the error in units of the usual error, less 1, less ``ALLOWANCE``. Errors have grown.
- *too low*, *too high*: the residual in that unit, or its negative, less ``ALLOWANCE``. Errors
  have taken one side: a sensor replaced, a holiday that lasts, a lockdown.
- *rivals*, one for each reference: our error less the reference's, less ``ALLOWANCE``. Errors
  have grown, if by less, while a naive forecast stayed right: a closed road, a changed timetable.
  What was learned stands in the way.

A single error counts for at most ``MOST_LOSS`` usual ones (``MOST_BIAS`` on one side), so that
drift is many readings, never an outlier. An alarm makes the next one harder for a while
(``CAUTION_GROWTH``): a series that is always restless is not always drifting.

References
----------
E. S. Page, "Continuous inspection schemes", Biometrika 41, 1954.
H. Mouss, D. Mouss, N. Mouss & L. Sefouhi, "Test of Page-Hinkley, an approach for fault detection
in an agro-alimentary production system", ASCC 2004.
"""

from __future__ import annotations

import math

from hedgerow.models.arithmetic import Array, clamp, jit

RIVALS = 3
# The charts; a state's cause is one of these, -1 before the first alarm.
LOSS, TOO_LOW, TOO_HIGH, FIRST_RIVAL = range(4)
CHARTS = FIRST_RIVAL + RIVALS

# The state.
PATIENCE, LABELS, USUAL, BIAS, CAUTION, QUIET, ALARMS = range(7)
CAUSE, STRENGTH, LASTED = range(7, 10)  # of the last alarm
SUMS = 10
RUNS = SUMS + CHARTS  # labels since each sum last stood at zero
SIZE = RUNS + CHARTS

ALLOWANCE = 1.0  # usual errors
MOST_LOSS = 6.0
MOST_BIAS = 3.0
CAUTION_GROWTH = 1.5
BIAS_MEMORY = 0.3
BIAS_CORRECTED = 0.5
# Errors of one day go together, so a day of many readings proves less than as many days. All that
# follows is for one reading a day, and times the patience: the root of the readings a day, up to
# that of 24, where it stops.
MOST_SLOTS = 24
LIMIT_LOSS = 10.0  # usual errors
LIMIT_BIAS = 3.3  # times the patience again: within a day errors keep their side
LIMIT_RIVAL = 6.0
WARM_UP = 40.0  # labels that only teach what is usual
WATCH_AFTER = 60.0
USUAL_MEMORY = 100.0
QUIET_FOR = 40.0  # labels after an alarm, while memory is short
CAUTION_MEMORY = 700.0


@jit
def drift_reset(state: Array, slots_per_day: float) -> None:
    """Write a state that has seen nothing, of a series with so many slots a day."""
    state[:] = 0.0
    state[PATIENCE] = math.sqrt(min(max(slots_per_day, 1.0), MOST_SLOTS))
    state[CAUTION] = 1.0
    state[CAUSE] = -1.0


@jit
def drift_relearn(state: Array) -> None:
    """Learn anew what is usual: experts have joined, and errors will be others."""
    state[LABELS] = 0.0
    for at in range(SUMS, SIZE):
        state[at] = 0.0


@jit
def is_rival(state: Array) -> bool:
    """Tell whether the last alarm was about a reference being better."""
    return bool(state[CAUSE] >= FIRST_RIVAL)


@jit
def is_one_sided(state: Array) -> bool:
    """Tell whether the last alarm was about errors on one side."""
    return bool(state[CAUSE] == TOO_LOW or state[CAUSE] == TOO_HIGH)


@jit
def drift_offset(state: Array) -> float:
    """Return what to add to a forecast while a one-sided error lasts, in the residuals' unit."""
    if state[QUIET] <= 0.0 or not is_one_sided(state):
        return 0.0
    offset: float = BIAS_CORRECTED * state[BIAS]
    return offset


@jit
def _worse(chart: int, residual: float, usual: float, rivals: Array) -> float:
    """Return how many usual errors worse than it should be a residual is, NaN if unknown."""
    if chart == LOSS:
        return min(abs(residual) / usual, MOST_LOSS) - 1.0
    if chart == TOO_LOW:
        return clamp(residual / usual, MOST_BIAS)
    if chart == TOO_HIGH:
        return clamp(-residual / usual, MOST_BIAS)
    rival = rivals[chart - FIRST_RIVAL]
    if math.isnan(rival):
        return math.nan
    return clamp((min(abs(residual), MOST_LOSS * usual) - rival) / usual, MOST_LOSS)


@jit
def _limit(state: Array, chart: int) -> float:
    patience = state[PATIENCE]
    limit: float = state[CAUTION] * patience * LIMIT_RIVAL
    if chart == LOSS:
        limit = state[CAUTION] * patience * LIMIT_LOSS
    elif chart < FIRST_RIVAL:
        limit = state[CAUTION] * patience * patience * LIMIT_BIAS
    return limit


@jit
def _alarm(state: Array, chart: int) -> None:
    state[ALARMS] += 1.0
    state[CAUSE] = chart
    state[LASTED] = state[RUNS + chart]
    state[STRENGTH] = ALLOWANCE + state[SUMS + chart] / state[LASTED]
    state[QUIET] = QUIET_FOR * state[PATIENCE]
    state[CAUTION] *= CAUTION_GROWTH
    for at in range(SUMS, SIZE):
        state[at] = 0.0


@jit
def drift_learn(state: Array, residual: float, rivals: Array) -> bool:
    """Enter one residual, and return whether it sounds the alarm.

    Parameters
    ----------
    state : ndarray of float64
        ``SIZE`` numbers, changed in place. After an alarm ``CAUSE``, ``STRENGTH`` and ``LASTED``
        say which chart, how many usual errors too much on average, and over how many labels.
    residual : float
        Label less forecast, best in units of the error that is usual at that time of day.
    rivals : ndarray of float64, shape (RIVALS,)
        The references' absolute errors in the same unit, NaN where one slept.

    Returns
    -------
    bool
        Once per alarm; the next ``QUIET_FOR`` labels (times the patience) are not watched.

    Examples
    --------
    >>> import numpy as np
    >>> from hedgerow.models.alerts.drift import RIVALS, SIZE, drift_learn, drift_reset
    >>> state, nobody = np.empty(SIZE), np.full(RIVALS, np.nan)
    >>> drift_reset(state, 24)
    >>> residuals = np.random.default_rng(7).normal(size=2_000)
    >>> residuals[1_500:] *= 5.0
    >>> [i for i, residual in enumerate(residuals) if drift_learn(state, residual, nobody)][0]
    1518
    """
    if not math.isfinite(residual):
        return False
    state[LABELS] += 1.0
    patience, labels, usual = state[PATIENCE], state[LABELS], state[USUAL]
    warm_up = WARM_UP * patience
    kept = residual
    if usual > 0.0 and labels > warm_up / 10.0:
        kept = clamp(residual, MOST_LOSS * usual)
    memory = labels if labels <= warm_up else USUAL_MEMORY * patience
    state[USUAL] += (abs(kept) - usual) / memory
    state[BIAS] += BIAS_MEMORY * (kept - state[BIAS])
    state[CAUTION] -= (state[CAUTION] - 1.0) / (CAUTION_MEMORY * patience)
    if labels <= warm_up or usual <= 0.0:
        return False
    if state[QUIET] > 0.0:
        state[QUIET] -= 1.0
        return False
    sounded = -1
    for chart in range(CHARTS):
        worse = _worse(chart, residual, usual, rivals)
        if math.isnan(worse):
            continue
        total = state[SUMS + chart] + worse - ALLOWANCE
        if total <= 0.0:
            state[SUMS + chart] = 0.0
            state[RUNS + chart] = 0.0
            continue
        state[SUMS + chart] = total
        state[RUNS + chart] += 1.0
        ready = labels > WATCH_AFTER * patience
        if sounded < 0 and ready and total > _limit(state, chart):
            sounded = chart
    if sounded < 0:
        return False
    _alarm(state, sounded)
    return True
