"""What becomes of a batch of readings: each finds its row, is learned there, and is told of.

Before: ``learner`` is handed columns. After: what is learned has moved on, and a ``StepResult``
says what came of it. Nearly always every series has its row and all rows lie in one bank; what
new series, unusable readings and outside forecasts take besides is `_admit`'s.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING, NamedTuple, TypeVar

import numpy as np
from numpy.typing import NDArray

from hedgerow.models.alerts.episodes import EVENT_POSITION
from hedgerow.models.alerts.silence import OF_POSITION, OF_SERIES, Learned
from hedgerow.models.alerts.words import AlertEvent, read_event, read_silence
from hedgerow.models.arithmetic import Array
from hedgerow.models.bank import kernel
from hedgerow.models.bank.bank import outputs
from hedgerow.models.bank.nursery import Infant
from hedgerow.models.bank.series import NOWHERE, UNUSABLE, find_banks
from hedgerow.models.explanation.columns import Room
from hedgerow.models.period import Grid, declared_grid, infer_grid
from hedgerow.models.profile import series_key
from hedgerow.models.results import Counts, Outcome, Refusal, StepResult

if TYPE_CHECKING:
    from hedgerow.models.learner import Learner

Number = TypeVar("Number", np.int64, np.float64)

# The year 3000: every target time that can follow still fits a calendar.
MAX_TIME_MS = 32_503_680_000_000
_FOR_THE_BANK = -1  # an outcome still open: the reading goes on to its bank


class Readings(NamedTuple):
    """A batch of n readings and outside forecasts, as `Learner.step` is handed it."""

    sensor_ids: Sequence[str]
    quantities: Sequence[str]
    time_ms: NDArray[np.int64]
    values: NDArray[np.float64]
    offsets: NDArray[np.int64]


class Ways(NamedTuple):
    """Where each of them goes.

    Attributes
    ----------
    ids : ndarray of int64, shape (n,)
        Number of the series.
    bank_of : ndarray of int64, shape (n,)
        Its bank, ``NOWHERE`` where the reading goes to none.
    outside : ndarray of int64, shape (n,)
        Number of the outside expert whose forecast this is, -1 for a reading.
    """

    ids: NDArray[np.int64]
    bank_of: NDArray[np.int64]
    outside: NDArray[np.int64]


def step(learner: Learner, batch: Readings, experts: Sequence[str] | None) -> StepResult:
    """Take a learner through a batch; the ``experts`` are those of outside forecasts."""
    # Compiled for plain writable columns; others would be compiled for again.
    batch = Readings(
        batch.sensor_ids,
        batch.quantities,
        _plain(batch.time_ms, np.int64),
        _plain(batch.values, np.float64),
        _plain(batch.offsets, np.int64),
    )
    n, series, signals = len(batch.sensor_ids), learner.series, learner.signals
    ids = series.lookup(batch.sensor_ids, batch.quantities)
    ways = Ways(ids, np.empty(n, np.int64), np.full(n, kernel.READING))
    out = outputs(n, learner.widest)
    signals.follow(series, learner.banks)
    only = find_banks(ids, batch.time_ms, batch.values, MAX_TIME_MS, series.banks, ways.bank_of)
    forecasts = _forecasts(experts)
    refusals: list[Refusal] = []
    if only < 0 or forecasts:
        refusals = _admit(learner, batch, ways, forecasts, out)
        signals.follow(series)
        calls = signals.calls(ids, ways.bank_of, series.banks)
    else:
        calls = [(only, np.arange(n))]
    rows = series.rows[ids]
    room = None
    if learner.explainer is not None:
        room = learner.explainer.room(n, learner.widest, learner.banks)
        calls = list(room.cut(calls, rows))
    company = signals.company(ids)
    for number, positions in calls:
        learner.banks[number].step(
            rows[positions],
            positions,
            time_ms=batch.time_ms,
            values=batch.values,
            offsets=batch.offsets,
            outside=ways.outside,
            company=company,
            out=out,
        )
        if room is not None:
            room.take(number, learner.banks[number], rows, positions, out.outcomes)

    _count(learner.counts, out.outcomes)
    learned = (out.outcomes == kernel.LEARNED).nonzero()[0]
    silence = learner.silence.hear(
        len(series),
        Learned(
            positions=learned,
            series=ids,
            time_ms=batch.time_ms,
            offsets=batch.offsets,
            sensors=series.sensors,
            periods_ms=series.watched_ms,
        ),
    )
    alerts = _alerts(learner, batch, ways, out, silence)
    return _result(learner, ids, out, learned, alerts=alerts, refusals=refusals, room=room)


# -------------------------------------------------------------------------- the way to a row


def _admit(
    learner: Learner,
    batch: Readings,
    ways: Ways,
    forecasts: dict[int, str],
    out: kernel.Outputs,
) -> list[Refusal]:
    """Find the bank of what has none yet, and say what is refused, in log order.

    A new series goes through the nursery until its period is known.
    """
    (ids, bank_of, outside), series = ways, learner.series
    for p in forecasts:
        out.outcomes[p] = Outcome.IGNORED
    unusable, waiting = ((bank_of == kind).nonzero()[0] for kind in (UNUSABLE, NOWHERE))
    bank_of[unusable] = NOWHERE
    refusals = _refusals(unusable, batch)
    for p in waiting.tolist():
        one = series.find(batch.sensor_ids[p], batch.quantities[p])
        if p in forecasts:
            if one >= 0:  # its row may have come with a reading of this batch
                ids[p], bank_of[p] = one, series.banks[one]
            continue
        if one < 0:
            if len(series) >= learner.max_series:
                refusals.append(_over_limit(learner, batch, p))
                continue
            profile = learner.profile_of(batch.sensor_ids[p], batch.quantities[p])
            one = series.add(batch.sensor_ids[p], batch.quantities[p], profile)
        ids[p] = one
        out.outcomes[p] = _settle(learner, one, int(batch.time_ms[p]), float(batch.values[p]))
        if out.outcomes[p] == _FOR_THE_BANK:
            bank_of[p] = series.banks[one]
    for p, expert in forecasts.items():
        outside[p] = learner.outsider(int(ids[p]), expert)
        if ids[p] < 0 or outside[p] < 0:
            bank_of[p] = NOWHERE
    return sorted(refusals, key=lambda refusal: refusal.position)


def _settle(learner: Learner, series: int, time_ms: int, value: float) -> int:
    """Bring a series without a row nearer to one; return the reading's outcome so far."""
    if learner.series.banks[series] >= 0:
        return _FOR_THE_BANK
    nursery = learner.nursery
    period_ms = learner.declared_period(series)
    if period_ms is not None:
        if nursery.infants.pop(series, None) is not None:
            nursery.dirty = True  # declared while it was waiting
        _give_row(learner, series, declared_grid(period_ms, time_ms))
        return _FOR_THE_BANK
    outcome = nursery.take(series, time_ms, value)
    if outcome != kernel.LEARNED or not nursery.infants[series].ready:
        return outcome
    infant = nursery.leave(series)
    _give_row(learner, series, infer_grid(infant.times_ms))
    _replay(learner, series, infant)
    return _FOR_THE_BANK


def _give_row(learner: Learner, series: int, grid: Grid) -> None:
    """Give a series a row in the bank of its profile and period."""
    profile = int(learner.series.profiles[series])
    number = learner.bank_number(profile, grid.period_ms, learner.places_of(series))
    learner.place(series, number, learner.banks[number].add(grid.phase_ms))


def _replay(learner: Learner, series: int, infant: Infant) -> None:
    """Learn silently from all readings of the nursery but the last."""
    n = len(infant.times_ms) - 1
    learner.banks[learner.series.banks[series]].step(
        np.full(n, learner.series.rows[series]),
        np.arange(n),
        time_ms=np.array(infant.times_ms[:n], np.int64),
        values=np.array(infant.values[:n], np.float64),
        offsets=np.zeros(n, np.int64),
        outside=np.full(n, kernel.READING),
        company=learner.signals.company(np.full(n, series)),
        out=outputs(n, learner.widest),
        silent=True,
    )


def _refusals(unusable: NDArray[np.int64], batch: Readings) -> list[Refusal]:
    """Say of each reading that cannot be used why."""
    return [
        Refusal(p, f"time {batch.time_ms[p]} ms lies outside the years 1970 to 3000", "time")
        if np.isfinite(batch.values[p])
        else Refusal(p, f"value {batch.values[p]} is not a finite number", "value")
        for p in unusable.tolist()
    ]


def _over_limit(learner: Learner, batch: Readings, position: int) -> Refusal:
    key = series_key(batch.sensor_ids[position], batch.quantities[position])
    return Refusal(
        position,
        f"series {key!r} would be one more than the {learner.max_series} this partition may "
        "hold; raise input.max_series or add partitions",
    )


# -------------------------------------------------------------------------- what came of it


def _count(counts: Counts, outcomes: NDArray[np.int8]) -> None:
    counted = np.bincount(outcomes, minlength=len(Outcome)).tolist()
    counts.learned += counted[Outcome.LEARNED]
    counts.late += counted[Outcome.LATE]
    counts.duplicate += counted[Outcome.DUPLICATE]
    counts.rejected += counted[Outcome.REJECTED]
    counts.forecasts_used += counted[Outcome.USED]
    counts.forecasts_ignored += counted[Outcome.IGNORED]


def _alerts(
    learner: Learner, batch: Readings, ways: Ways, out: kernel.Outputs, silence: Array
) -> list[AlertEvent]:
    """Put into words what opened and what was resolved, in log order."""
    alerts: list[AlertEvent] = []
    for event in out.events.lines[: out.events.used[0]]:
        p = int(event[EVENT_POSITION])
        period_ms = learner.banks[ways.bank_of[p]].period_ms
        who = learner.series.name(int(ways.ids[p]))
        time_ms, value = int(batch.time_ms[p]), float(batch.values[p])
        alerts.append(read_event(event, who, time_ms, value, period_ms))
    for event in silence:
        who = learner.series.name(int(event[OF_SERIES]))
        alerts.append(read_silence(event, who, float(batch.values[int(event[OF_POSITION])])))
    return sorted(alerts, key=lambda alert: alert.position)


def _result(
    learner: Learner,
    ids: NDArray[np.int64],
    out: kernel.Outputs,
    learned: NDArray[np.int64],
    *,
    alerts: list[AlertEvent],
    refusals: list[Refusal],
    room: Room | None,
) -> StepResult:
    rows = slice(None) if len(learned) == len(out.outcomes) else learned  # all: no copies
    ids, names = ids[rows], learner.profile_names
    return StepResult(
        outcomes=out.outcomes,
        learned=learned,
        horizons=out.horizons[rows],
        target_ms=out.target_ms[rows],
        predicted=out.predicted[rows],
        mean=out.mean[rows],
        lower=out.lower[rows],
        upper=out.upper[rows],
        models=[names[i] for i in learner.series.profiles[ids].tolist()],
        alerts=alerts,
        refusals=refusals,
        explained=None
        if room is None
        else room.explained(learned, [learner.companions_of(one) for one in ids.tolist()]),
    )


def _plain(column: NDArray[Number], kind: type[Number]) -> NDArray[Number]:
    """Return a column as the kernel is compiled for: of this type, contiguous and writable."""
    if isinstance(column, np.ndarray) and column.dtype == kind and column.flags.carray:
        return column
    return np.require(column, kind, ["C", "W"])


def _forecasts(experts: Sequence[str] | None) -> dict[int, str]:
    """Return the positions that hold no reading but an outside expert's forecast."""
    if experts is None or not any(experts):
        return {}
    return {p: expert for p, expert in enumerate(experts) if expert}
