"""The rules that weigh experts, each a few compiled lines over one table of numbers.

Before: ``kernel`` or an estimator knows what every expert predicted, NaN where one sleeps.
After: ``weigh`` gives weights and forecast; when the label is here, ``learn`` moves the table.

All rules work on the linearised loss (the gradient trick): with the slope g of the loss at the
published forecast p, the regret of expert i is r_i = g (p − f_i). A sleeping expert has no
regret and keeps its place (Freund, Schapire, Singer & Warmuth 1997; Gaillard, Stoltz & van
Erven 2014). None needs a learning rate: each tunes itself by the regrets seen, whatever their
unit.

A newcomer, awake for the first time when others have regrets, starts without any. In exponential
weights that is a fair share (Mourtada & Maillard, ALT 2017). In ML-Poly it is nothing, and what
the others earned against a poorer team, at its larger errors, would keep them ahead for long. So
a newcomer looks on: if within ``LOOK_ON`` labels its errors sum to less than the forecasts', all
begin anew, the others in proportion to their weights and the newcomer with an average share; if
not, it joins as published. While the others have seen no more labels than that, all begin anew,
and evenly, at once.

==============  ==========================================================================
``ml-poly``     w ∝ η R⁺, one rate an expert (Gaillard, Stoltz & van Erven, COLT 2014)
``boa``         w ∝ exp(η Σ (r − η r²)), one rate η = min(1 / (2 max |r|), √(ln K / Σ r²)) an
                expert (Bernstein online aggregation, Wintenberger, Machine Learning 106,
                2017, in the form of the R package opera)
``ada-hedge``   Hedge with the rate ln K / mixability gap (de Rooij, van Erven, Grünwald &
                Koolen, JMLR 15, 2014)
``hedge``       w ∝ exp(η R), η = √(ln K / Σ max r²) (Freund & Schapire 1997; Auer,
                Cesa-Bianchi & Gentile 2002)
``fixed-share`` the same with a share of the weight spread anew at each step, Σ over about as
                many steps as that share lasts (Herbster & Warmuth 1998)
==============  ==========================================================================
"""

# ruff: noqa: PLR0917 (compiled functions are called by position)

from __future__ import annotations

import math

import numpy as np
from numpy.typing import NDArray

from hedgerow.models.arithmetic import Array, jit

RULES = ("ml-poly", "boa", "ada-hedge", "hedge", "fixed-share")
ML_POLY, BOA, ADA_HEDGE, HEDGE, FIXED_SHARE = range(5)

# A table: its head, then two numbers an expert, one kind after the other: regrets and sums of
# their squares. FIXED_SHARE keeps the weights as well, BOA the largest |r|. Of one who looks on
# they are by how much it erred less, and minus the labels it has seen.
STEPS, SPREAD, GAP, TABLE_HEAD = range(4)
SHARE = 0.01
LOOK_ON = 10
LEAST_LEAD = 0.01  # of the last error: a tie is no lead
_LARGEST_RATE = 1e300
_NEXT_TO_NOTHING = 1e-9  # times the regret of one label

Flags = NDArray[np.bool_]


def table_size(rule: int, experts: int) -> int:
    """Return how many numbers the table of a rule, its index in ``RULES``, takes.

    Examples
    --------
    >>> table_size(RULES.index("ml-poly"), experts=4)
    11
    >>> table_size(RULES.index("boa"), experts=4)
    15
    """
    kinds = 3 if rule in {BOA, FIXED_SHARE} else 2
    return TABLE_HEAD + kinds * experts


@jit
def is_awake(predictions: Array, absent: Flags, i: int) -> bool:
    """Tell whether expert ``i`` takes part and has predicted something."""
    return not (absent[i] or math.isnan(predictions[i]))


@jit
def weigh(table: Array, rule: int, predictions: Array, absent: Flags, weights: Array) -> float:
    """Write the weights of all experts and return the weighted mean of their predictions.

    Parameters
    ----------
    table : ndarray of float64, shape (table_size(rule, K),)
        What `learn` has learned; zeros at first.
    rule : int
        Index in ``RULES``.
    predictions : ndarray of float64, shape (K,)
        NaN where an expert sleeps.
    absent : ndarray of bool, shape (K,)
        Experts that never take part.
    weights : ndarray of float64, shape (K,)
        Written: the weights, summing to 1; 0 for the sleeping and the absent.

    Returns
    -------
    float
        The forecast, NaN if every expert sleeps.
    """
    count = len(predictions)
    top = -math.inf
    awake = looking = 0
    for i in range(count):
        weights[i] = -math.inf
        if not is_awake(predictions, absent, i):
            continue
        awake += 1
        if looks_on(table, rule, i, count):
            looking += 1
            weights[i] = math.nan
        else:
            weights[i] = _standing(table, rule, i, count)
            top = max(top, weights[i])
    if awake == 0:
        weights[:] = 0.0
        return math.nan
    together = looking == awake or (looking > 0 and table[STEPS] < LOOK_ON)
    even = together or table[STEPS] == 0.0 or (rule == ML_POLY and top <= 0.0)
    mass = 0.0
    for i in range(count):
        if math.isnan(weights[i]):
            weights[i] = 1.0 if together else 0.0
        else:
            weights[i] = _weight(weights[i], top, rule, even)
        mass += weights[i]
    forecast = 0.0
    for i in range(count):
        weights[i] /= mass
        if weights[i] > 0.0:
            forecast += weights[i] * predictions[i]
    return forecast


@jit
def looks_on(table: Array, rule: int, i: int, count: int) -> bool:
    """Tell whether expert ``i`` of ``count`` is a newcomer that has no part yet."""
    return rule == ML_POLY and table[SPREAD] > 0.0 and table[TABLE_HEAD + count + i] <= 0.0


@jit
def standing_weights(
    table: Array, rule: int, absent: Flags, predictions: Array, weights: Array
) -> None:
    """Write the weights as if all that have a part were awake; ``predictions`` is scratch."""
    count = len(weights)
    for i in range(count):
        predictions[i] = math.nan if looks_on(table, rule, i, count) else 0.0
    weigh(table, rule, predictions, absent, weights)


@jit
def _weight(standing: float, top: float, rule: int, even: bool) -> float:
    """Return a weight before norming, 0 of a sleeping expert."""
    if standing == -math.inf:
        return 0.0
    if even:
        return 1.0
    return max(standing, 0.0) if rule == ML_POLY else math.exp(standing - top)


@jit
def _standing(table: Array, rule: int, i: int, count: int) -> float:
    """Return where an expert stands: its weight before norming, but for ML-Poly the logarithm."""
    regret: float = table[TABLE_HEAD + i]
    squares: float = table[TABLE_HEAD + count + i]
    if rule == ML_POLY:
        scale = table[SPREAD] + squares
        return regret / scale if scale > 0.0 else 0.0
    if rule == BOA:
        return _boa_rate(table[TABLE_HEAD + 2 * count + i], squares, count) * regret
    if rule == FIXED_SHARE:
        weight = table[TABLE_HEAD + 2 * count + i]
        return math.log(weight) if weight > 0.0 else 0.0
    return _hedge_rate(table, rule, count) * regret


@jit
def _boa_rate(most: float, squares: float, count: int) -> float:
    """Return min(1 / 2B, √(ln K / V)) of an expert with the largest |r| B and Σ r² V."""
    rate = min(0.5 / most, _LARGEST_RATE) if most > 0.0 else _LARGEST_RATE
    if squares > 0.0:
        rate = min(rate, math.sqrt(math.log(max(count, 2)) / squares))
    return rate


@jit
def _hedge_rate(table: Array, rule: int, count: int) -> float:
    """Return the one rate of AdaHedge, huge until there is a gap, or of Hedge."""
    log_count = math.log(count + 1.0)
    if rule == ADA_HEDGE:
        gap: float = table[GAP]
        return log_count / gap if gap > 0.0 else _LARGEST_RATE
    return math.sqrt(log_count / table[SPREAD]) if table[SPREAD] > 0.0 else 0.0


@jit
def learn(
    table: Array,
    rule: int,
    predictions: Array,
    absent: Flags,
    forecast: float,
    off: float,
    slope: float,
    weights: Array,
) -> bool:
    """Add the regrets of one step.

    Parameters
    ----------
    table, rule, predictions, absent
        As in `weigh`, the predictions as they were when the forecast was made.
    forecast : float
        What was published.
    off : float
        By how much it exceeds the label.
    slope : float
        Slope of the loss at ``forecast``: 2 (p − y) for the squared, sign(p − y) for the
        absolute loss.
    weights : ndarray of float64, shape (K,)
        Scratch.

    Returns
    -------
    bool
        Whether all begin anew, a newcomer being better.
    """
    count = len(predictions)
    if rule >= ADA_HEDGE:
        weigh(table, rule, predictions, absent, weights)
    elif rule == ML_POLY and _welcome(table, predictions, absent, forecast, off, slope):
        return True
    everybody = rule != ML_POLY or table[SPREAD] == 0.0
    largest = 0.0
    for i in range(count):
        if _takes_part(table, everybody, predictions, absent, i):
            largest = max(largest, abs(slope * (forecast - predictions[i])))
    table[STEPS] += 1.0
    if rule == ML_POLY:
        table[SPREAD] = max(table[SPREAD], largest * largest)
    elif rule != BOA:
        # Shares keep moving only at a rate that does not sink for ever.
        kept = 1.0 - SHARE if rule == FIXED_SHARE else 1.0
        table[SPREAD] = kept * table[SPREAD] + largest * largest
    if rule == ADA_HEDGE:
        _widen_gap(table, predictions, forecast, slope, weights)
    elif rule == FIXED_SHARE:
        _move_shares(table, predictions, absent, forecast, slope, weights)
    for i in range(count):
        if _takes_part(table, everybody, predictions, absent, i):
            r = slope * (forecast - predictions[i])
            table[TABLE_HEAD + count + i] += r * r
            if rule == ML_POLY:  # whoever was there has a part, though it said what all said
                trace = _NEXT_TO_NOTHING**2 * table[SPREAD]
                table[TABLE_HEAD + count + i] = max(table[TABLE_HEAD + count + i], trace)
            elif rule == BOA:
                most = TABLE_HEAD + 2 * count + i
                table[most] = max(table[most], abs(r))
                r -= _boa_rate(table[most], table[TABLE_HEAD + count + i], count) * r * r
            table[TABLE_HEAD + i] += r
    return False


@jit
def _takes_part(table: Array, everybody: bool, predictions: Array, absent: Flags, i: int) -> bool:
    judged = everybody or table[TABLE_HEAD + len(predictions) + i] > 0.0
    return judged and is_awake(predictions, absent, i)


@jit
def _welcome(
    table: Array, predictions: Array, absent: Flags, forecast: float, off: float, slope: float
) -> bool:
    """Let newcomers look on, and return whether a better one made all begin anew."""
    count = len(predictions)
    if table[STEPS] >= LOOK_ON:
        stake = abs(slope) * _look_on(table, predictions, absent, forecast, off)
        if stake > 0.0:
            table[STEPS] += 1.0
            _begin_anew(table, count, _NEXT_TO_NOTHING * stake, LEAST_LEAD * abs(off))
        return stake > 0.0
    for i in range(count):
        if is_awake(predictions, absent, i) and looks_on(table, ML_POLY, i, count):
            forget(table, 0.0)
    return False


@jit
def _look_on(table: Array, predictions: Array, absent: Flags, forecast: float, off: float) -> float:
    """Show a label to the newcomers.

    Returns how far those are from the forecast that have been better so far, 0 if none has been.
    """
    count = len(predictions)
    distance = 0.0
    for i in range(count):
        if not (is_awake(predictions, absent, i) and looks_on(table, ML_POLY, i, count)):
            continue
        lead, seen = TABLE_HEAD + i, TABLE_HEAD + count + i
        if table[seen] <= -LOOK_ON:
            table[lead], table[seen] = 0.0, _NEXT_TO_NOTHING**2 * table[SPREAD]
            continue
        apart = forecast - predictions[i]
        table[lead] += abs(off) - abs(off - apart)
        table[seen] -= 1.0
        if table[lead] > LEAST_LEAD * abs(off):
            distance = max(distance, abs(apart))
    return distance


@jit
def _begin_anew(table: Array, count: int, unit: float, least: float) -> None:
    """Keep proportions alone, in a unit that does not count beside the regrets to come."""
    mass = 0.0
    parts = 0
    for i in range(count):
        if table[TABLE_HEAD + count + i] > 0.0:
            parts += 1
            mass += max(_standing(table, ML_POLY, i, count), 0.0)
    for i in range(count):
        regret, squares = TABLE_HEAD + i, TABLE_HEAD + count + i
        share = 1.0  # of a newcomer, and of all where nobody has earned anything
        if table[squares] > 0.0 and mass > 0.0:
            share = max(_standing(table, ML_POLY, i, count), 0.0) * parts / mass
        elif table[squares] <= 0.0 and table[regret] <= least:
            continue  # looks on
        table[regret], table[squares] = unit * share, unit * unit
    table[SPREAD] = unit * unit


@jit
def _move_shares(
    table: Array, predictions: Array, absent: Flags, forecast: float, slope: float, weights: Array
) -> None:
    """W ← w exp(η r) over the awake, then a share of their mass spread evenly over them."""
    count = len(predictions)
    first = TABLE_HEAD + 2 * count
    rate = _hedge_rate(table, HEDGE, count)
    awake = 0
    before = 0.0
    top = -math.inf
    for i in range(count):
        if table[first + i] == 0.0:
            table[first + i] = 1.0 / count
        if is_awake(predictions, absent, i):
            awake += 1
            before += table[first + i]
            top = max(top, slope * (forecast - predictions[i]))
    mass = 0.0
    for i in range(count):
        if is_awake(predictions, absent, i):
            weights[i] *= math.exp(rate * (slope * (forecast - predictions[i]) - top))
            mass += weights[i]
    if mass <= 0.0:
        return
    for i in range(count):
        if is_awake(predictions, absent, i):
            table[first + i] = before * ((1.0 - SHARE) * weights[i] / mass + SHARE / awake)


@jit
def _widen_gap(
    table: Array, predictions: Array, forecast: float, slope: float, weights: Array
) -> None:
    """Add the mixability gap (1/η) ln Σ w exp(η r) of one step; Σ w r is 0 by the gradient."""
    count = len(predictions)
    rate = _hedge_rate(table, ADA_HEDGE, count)
    top = -math.inf
    for i in range(count):
        if weights[i] > 0.0:
            top = max(top, slope * (forecast - predictions[i]))
    if top == -math.inf:
        return
    if rate >= _LARGEST_RATE:
        table[GAP] += max(top, 0.0)
        return
    total = 0.0
    for i in range(count):
        if weights[i] > 0.0:
            total += weights[i] * math.exp(rate * (slope * (forecast - predictions[i]) - top))
    table[GAP] += max(top + math.log(total) / rate, 0.0)


@jit
def forget(table: Array, left: float) -> None:
    """Let go of regrets and what they were measured by, but for a part: the world has changed."""
    for i in range(SPREAD, len(table)):
        table[i] *= left
