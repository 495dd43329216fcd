"""All that is learned from one partition of the log, stepped a batch at a time.

Before: ``topics.codec`` turns messages into columns of readings. After: the agent publishes the
``StepResult`` and, now and then, stores a ``capture``. State and outputs depend on the readings
and the configuration alone, not on where one batch ends and the next begins.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import TypeVar

import numpy as np
from numpy.typing import NDArray

from hedgerow.models.alerts.episodes import EVENT_POSITION
from hedgerow.models.alerts.silence import OF_POSITION, OF_SERIES, Learned, Silence
from hedgerow.models.alerts.standing import open_alerts
from hedgerow.models.alerts.words import AlertEvent, read_event, read_silence
from hedgerow.models.bank import kernel
from hedgerow.models.bank.bank import Bank, outputs
from hedgerow.models.bank.nursery import Infant, Nursery
from hedgerow.models.bank.scores import SeriesScore, bank_scores, series_scores
from hedgerow.models.bank.series import NOWHERE, SeriesTable
from hedgerow.models.bank.tally import Tally, tallies
from hedgerow.models.experts.signals import Signals
from hedgerow.models.explanation.columns import Explainer, Room
from hedgerow.models.period import Grid, declared_grid, infer_grid
from hedgerow.models.profile import CityModel, Profile, series_key
from hedgerow.models.registry import EMPTY, NOTHING, Registry
from hedgerow.models.results import Counts, Outcome, Refusal, StepResult
from hedgerow.models.snapshot.capture import begin_capture, copy_rows, mark_all
from hedgerow.models.snapshot.changing import by_registry
from hedgerow.models.snapshot.chunks import Array, Capture
from hedgerow.models.snapshot.restore import restore_state, stored_registry
from hedgerow.models.zone import zone_table

Number = TypeVar("Number", np.int64, np.float64)

# The year 3000: every target time that can follow still fits a calendar.
MAX_TIME_MS = 32_503_680_000_000


class Learner:
    """Everything learned from one partition.

    Parameters
    ----------
    city : CityModel
        Profiles, time zone and the key of plug-ins.
    max_series : int
        Readings of further series are refused.
    registry : Registry
        What is declared of single sensors; it stands over the profiles. Another one is taken by
        `by_registry` alone, between two batches.

    Attributes
    ----------
    counts : Counts
        Accounting since the partition's first offset.
    notes : list of str
        What a restored learner could not keep, in sentences for the log.

    Examples
    --------
    >>> from hedgerow.models import Profile
    >>> learner = Learner(CityModel(profiles=(Profile("all", period_seconds=3600),)))
    >>> result = learner.step(["s1"], [""], np.array([0]), np.array([5.0]), np.array([0]))
    >>> result.predicted.tolist()
    [[5.0, 5.0, 5.0]]
    """

    def __init__(
        self, city: CityModel, *, max_series: int = 100_000, registry: Registry = EMPTY
    ) -> None:
        self.city = city
        self.registry = registry
        self.new_registry = True
        self.counts = Counts()
        self.notes: list[str] = []
        self.series = SeriesTable()
        self.nursery = Nursery()
        self.silence = Silence()
        self.signals = Signals(city, registry)
        self.banks: list[Bank] = []
        self._bank_numbers: dict[tuple[int, int, int], int] = {}
        self._max_series = max_series
        self._zone = zone_table(city.timezone, city.holidays)
        self._outside = [{name: i for i, name in enumerate(p.outside)} for p in city.profiles]
        self._watched = np.array([p.alerts.silent for p in city.profiles])
        self._widest = max(len(p.horizons) for p in city.profiles)
        self._explainer = Explainer() if city.explain else None

    @property
    def max_series(self) -> int:
        """How many series there may be."""
        return self._max_series

    @property
    def series_count(self) -> int:
        """Number of series seen."""
        return len(self.series)

    def step(
        self,
        sensor_ids: Sequence[str],
        quantities: Sequence[str],
        time_ms: NDArray[np.int64],
        values: NDArray[np.float64],
        offsets: NDArray[np.int64],
        *,
        experts: Sequence[str] | None = None,
    ) -> StepResult:
        """Score, learn and forecast a batch of readings in log order.

        Parameters
        ----------
        sensor_ids, quantities : sequence of str, length n
            Which series each reading belongs to.
        time_ms : ndarray of int64, shape (n,)
            Event time.
        values : ndarray of float64, shape (n,)
            What was measured.
        offsets : ndarray of int64, shape (n,)
            Log offset of the message each reading came from.
        experts : sequence of str, length n, optional
            Where it is not empty, no reading stands there but what this outside expert
            predicts, ``time_ms`` being the time it is about. Left out, all are readings.

        Returns
        -------
        StepResult
        """
        # Compiled for plain writable columns; others would be compiled for again.
        time_ms = _plain(time_ms, np.int64)
        values = _plain(values, np.float64)
        offsets = _plain(offsets, np.int64)
        out = outputs(len(sensor_ids), self._widest)
        forecasts = _forecasts(experts)
        is_forecast = np.zeros(len(sensor_ids), bool)
        if forecasts:
            is_forecast[list(forecasts)] = True
            out.outcomes[is_forecast] = Outcome.IGNORED
        usable = np.isfinite(values) & (time_ms >= 0) & (time_ms <= MAX_TIME_MS)
        refusals = [] if usable.all() else _refusals(usable, time_ms, values)

        self.signals.follow(self.series, self.banks)
        ids = self.series.lookup(sensor_ids, quantities)
        bank_of = np.where(ids >= 0, self.series.banks[ids], NOWHERE)
        for p in (usable & (bank_of < 0)).nonzero()[0].tolist():
            series = self.series.find(sensor_ids[p], quantities[p])
            if is_forecast[p]:
                if series >= 0:  # its row may have come with a reading of this batch
                    ids[p], bank_of[p] = series, self.series.banks[series]
                continue
            if series < 0:
                if len(self.series) >= self._max_series:
                    refusals.append(self._over_limit(p, sensor_ids[p], quantities[p]))
                    continue
                profile = self.profile_of(sensor_ids[p], quantities[p])
                series = self.series.add(sensor_ids[p], quantities[p], profile)
            ids[p] = series
            out.outcomes[p] = self._settle(series, int(time_ms[p]), float(values[p]))
            bank_of[p] = self.series.banks[series]
            if out.outcomes[p] != _FOR_THE_BANK:
                bank_of[p] = NOWHERE

        outside = np.full(len(sensor_ids), kernel.READING)
        for p, expert in forecasts.items():
            profile = self.series.profiles[ids[p]]
            outside[p] = self._outside[profile].get(expert, NOWHERE)
            if ids[p] < 0 or outside[p] < 0:
                bank_of[p] = NOWHERE

        self.signals.follow(self.series)
        company = self.signals.company(ids)
        calls = self.signals.calls(ids, np.where(usable, bank_of, NOWHERE), self.series.banks)
        room = (
            None
            if self._explainer is None
            else self._explainer.room(len(sensor_ids), self._widest, self.banks)
        )
        for number, positions in calls if room is None else room.cut(calls, self.series.rows[ids]):
            self.banks[number].step(
                self.series.rows[ids[positions]],
                positions,
                time_ms=time_ms,
                values=values,
                offsets=offsets,
                outside=outside,
                company=company,
                out=out,
            )
            if room is not None:
                room.take(
                    number, self.banks[number], self.series.rows[ids], positions, out.outcomes
                )

        self._count(out.outcomes)
        learned = (out.outcomes == kernel.LEARNED).nonzero()[0]
        silence = self._hear(learned, ids, time_ms, offsets)
        refusals.sort(key=lambda refusal: refusal.position)
        return self._result(
            out,
            learned,
            ids=ids,
            bank_of=bank_of,
            time_ms=time_ms,
            values=values,
            silence=silence,
            refusals=refusals,
            room=room,
        )

    def _hear(
        self,
        positions: NDArray[np.int64],
        ids: NDArray[np.int64],
        time_ms: NDArray[np.int64],
        offsets: NDArray[np.int64],
    ) -> Array:
        """Show the learned readings to the rule about silent series."""
        series = ids[positions]
        learned = Learned(
            positions=positions,
            series=series,
            sensors=self.series.sensors[series],
            periods_ms=self.watched_periods(series),
            time_ms=time_ms[positions],
            offsets=offsets[positions],
        )
        return self.silence.hear(len(self.series), learned)

    def watched_periods(self, series: NDArray[np.int64]) -> NDArray[np.int64]:
        """Return the periods of series, 0 where none is known or silence does not matter."""
        periods = np.array([bank.period_ms for bank in self.banks] + [0], np.int64)
        watched = self._watched[self.series.profiles[series]]
        return np.where(watched, periods[self.series.banks[series]], 0)

    def _settle(self, series: int, time_ms: int, value: float) -> int:
        """Bring a series without a row nearer to one; return the reading's outcome so far."""
        if self.series.banks[series] >= 0:
            return _FOR_THE_BANK
        period_ms = self.declared_period(series)
        if period_ms is not None:
            if self.nursery.infants.pop(series, None) is not None:
                self.nursery.dirty = True  # declared while it was waiting
            self._place(series, declared_grid(period_ms, time_ms))
            return _FOR_THE_BANK
        outcome = self.nursery.take(series, time_ms, value)
        if outcome != kernel.LEARNED or not self.nursery.infants[series].ready:
            return outcome
        infant = self.nursery.leave(series)
        self._place(series, infer_grid(infant.times_ms))
        self._replay(series, infant)
        return _FOR_THE_BANK

    def _place(self, series: int, grid: Grid) -> None:
        """Give a series a row in the bank of its profile and period."""
        number = self.bank_number(
            int(self.series.profiles[series]), grid.period_ms, self.places_of(series)
        )
        self.place(series, number, self.banks[number].add(grid.phase_ms))

    def place(self, series: int, bank: int, row: int) -> None:
        """Note where a series' row lies, and hold it to what is declared of its sensor."""
        self.series.place(series, bank, row)
        facts = self.registry.of(self.series.sensor_ids[series])
        if facts is not NOTHING:
            self.banks[bank].bound(row, facts)

    def profile_of(self, sensor_id: str, quantity: str) -> int:
        """Return the index of the profile that a series is learned by."""
        key = series_key(sensor_id, quantity)
        return self.city.profile_index(key, self.registry.of(sensor_id))

    def declared_period(self, series: int) -> int | None:
        """Return the declared period of a series: its sensor's, else its profile's."""
        facts = self.registry.of(self.series.sensor_ids[series])
        return facts.period_ms or self.city.profiles[self.series.profiles[series]].period_ms

    def places_of(self, series: int) -> int:
        """Return for how many companions a series has room."""
        profile: Profile = self.city.profiles[self.series.profiles[series]]
        return profile.places_by(self.registry.of(self.series.sensor_ids[series]))

    def companions_of(self, series: int) -> tuple[str, ...]:
        """Return the keys of a series' companions, in the order of their places."""
        sensor_id, quantity = self.series.name(series)
        profile: Profile = self.city.profiles[self.series.profiles[series]]
        return profile.companions_of(sensor_id, quantity, self.registry.of(sensor_id))

    def bank_number(self, profile: int, period_ms: int, places: int) -> int:
        """Return the number of the bank of series alike in these, made when needed."""
        number = self._bank_numbers.setdefault((profile, period_ms, places), len(self.banks))
        if number == len(self.banks):
            self.banks.append(self._make_bank(self.city.profiles[profile], period_ms, places))
        return number

    def _make_bank(self, profile: Profile, period_ms: int, places: int) -> Bank:
        if not profile.river:
            return Bank(profile, period_ms, self._zone, places=places)
        # River is slow to import, so only where a profile asks for it.
        from hedgerow.models.bank.plugins import PluginBank  # noqa: PLC0415

        key = self.city.plugin_key or b""
        return PluginBank(profile, period_ms, self._zone, key, places=places)

    def _replay(self, series: int, infant: Infant) -> None:
        """Learn silently from all readings of the nursery but the last."""
        n = len(infant.times_ms) - 1
        self.banks[self.series.banks[series]].step(
            np.full(n, self.series.rows[series]),
            np.arange(n),
            time_ms=np.array(infant.times_ms[:n], np.int64),
            values=np.array(infant.values[:n], np.float64),
            offsets=np.zeros(n, np.int64),
            outside=np.full(n, kernel.READING),
            company=self.signals.company(np.full(n, series)),
            out=outputs(n, self._widest),
            silent=True,
        )

    def _over_limit(self, position: int, sensor_id: str, quantity: str) -> Refusal:
        key = series_key(sensor_id, quantity)
        return Refusal(
            position,
            f"series {key!r} would be one more than the {self._max_series} this partition may "
            "hold; raise input.max_series or add partitions",
        )

    def _count(self, outcomes: NDArray[np.int8]) -> None:
        counted = np.bincount(outcomes, minlength=len(Outcome)).tolist()
        self.counts.learned += counted[Outcome.LEARNED]
        self.counts.late += counted[Outcome.LATE]
        self.counts.duplicate += counted[Outcome.DUPLICATE]
        self.counts.rejected += counted[Outcome.REJECTED]
        self.counts.forecasts_used += counted[Outcome.USED]
        self.counts.forecasts_ignored += counted[Outcome.IGNORED]

    def _result(
        self,
        out: kernel.Outputs,
        learned: NDArray[np.int64],
        *,
        ids: NDArray[np.int64],
        bank_of: NDArray[np.int64],
        time_ms: NDArray[np.int64],
        values: NDArray[np.float64],
        silence: Array,
        refusals: list[Refusal],
        room: Room | None,
    ) -> StepResult:
        events = out.events.lines[: out.events.used[0]]
        alerts: list[AlertEvent] = []
        for event in events:
            p = int(event[EVENT_POSITION])
            period_ms = self.banks[bank_of[p]].period_ms
            who = self.series.name(int(ids[p]))
            alerts.append(read_event(event, who, int(time_ms[p]), float(values[p]), period_ms))
        for event in silence:
            who = self.series.name(int(event[OF_SERIES]))
            alerts.append(read_silence(event, who, float(values[int(event[OF_POSITION])])))
        alerts.sort(key=lambda alert: alert.position)
        names = [p.name for p in self.city.profiles]
        rows = slice(None) if len(learned) == len(out.outcomes) else learned  # all: no copies
        return StepResult(
            outcomes=out.outcomes,
            learned=learned,
            horizons=out.horizons[rows],
            target_ms=out.target_ms[rows],
            predicted=out.predicted[rows],
            mean=out.mean[rows],
            lower=out.lower[rows],
            upper=out.upper[rows],
            models=[names[i] for i in self.series.profiles[ids[rows]].tolist()],
            alerts=alerts,
            refusals=refusals,
            explained=None
            if room is None
            else room.explained(learned, [self.companions_of(s) for s in ids[learned].tolist()]),
        )

    def count_messages(
        self, *, decoded: int = 0, dead_lettered: int = 0, rejected: int = 0
    ) -> None:
        """Add messages, and readings that the codec refused, to the accounting."""
        self.counts.messages_decoded += decoded
        self.counts.messages_dead_lettered += dead_lettered
        self.counts.rejected += rejected

    @property
    def reached_ms(self) -> int | None:
        """Event time that the learned readings have reached, ``None`` before the first."""
        return self.silence.reached_ms

    @property
    def plugin_failures(self) -> int:
        """Times a River plug-in failed and counted as asleep."""
        return sum(bank.failures for bank in self.banks)

    def scores(self) -> list[SeriesScore]:
        """Return the running scores of every series and horizon, in the order of series."""
        return bank_scores(self.series, self.city.profiles, self.banks)

    def tallies(self) -> list[Tally]:
        """Return what the running scores add up to, by bank and horizon: fast."""
        return [tally for bank in self.banks for tally in tallies(bank)]

    @property
    def open_alerts(self) -> dict[str, int]:
        """Episodes that are open now, by kind."""
        return open_alerts(self.banks, self.silence)

    def scores_of(self, sensor_id: str, quantity: str) -> list[SeriesScore]:
        """Return the running scores of one series, nearest horizon first; none if unknown."""
        number = self.series.find(sensor_id, quantity)
        if number == NOWHERE:
            return []
        return series_scores(self.series, self.city.profiles, self.banks, number)

    def capture(self) -> Capture:
        """Copy what changed since the last capture, all at once.

        The copies are the state after the last `step`, and stay so while stepping goes on.
        """
        capture = begin_capture(self)
        while not self.copy_rows(MUCH):
            pass
        return capture

    def begin_capture(self) -> Capture:
        """Begin to copy what changed since the last capture.

        Stepping may go on: the copies will be the state as it is now. They are complete once
        `copy_rows` says so, and not to be read before. One capture at a time;
        `recapture_all` gives it up.
        """
        return begin_capture(self)

    def copy_rows(self, most_bytes: int) -> bool:
        """Go on with a capture by about so many bytes; tell whether it is complete."""
        return copy_rows(self, most_bytes)

    @property
    def copying(self) -> bool:
        """Whether a capture has yet to be completed."""
        return any(bank.copy is not None for bank in self.banks)

    @property
    def row_bytes(self) -> int:
        """Size of the widest row, 0 before there is one."""
        return max((bank.row_bytes for bank in self.banks), default=0)

    def recapture_all(self) -> None:
        """Mark everything changed, so that the next capture is complete."""
        mark_all(self)

    def by_registry(self, registry: Registry) -> Learner:
        """Return what goes on by another registry from here; this one is not to be used again.

        Bounds change in place. Where a series has another profile, period or neighbours now, all
        is rebuilt as from a snapshot: what still fits is kept, and ``notes`` says what is not.
        """
        return by_registry(self, registry)

    @classmethod
    def restore(
        cls,
        city: CityModel,
        chunks: Mapping[str, bytes],
        *,
        max_series: int = 100_000,
        registry: Registry | None = None,
        known: Registry = EMPTY,
    ) -> Learner:
        """Rebuild a learner from the encoded chunks of a complete snapshot.

        Where a profile has changed since, or a ``registry`` is given that is not the snapshot's
        own, what still fits is kept and the rest starts anew; ``notes`` says which. One that is
        ``known`` is not read again if it is the snapshot's.

        Raises
        ------
        SnapshotError
            If a chunk is missing, damaged, or of a newer version.
        """
        if registry is None:
            registry = stored_registry(chunks, known)
        learner = cls(city, max_series=max_series, registry=registry)
        restore_state(learner, chunks)
        return learner


def _plain(column: NDArray[Number], kind: type[Number]) -> NDArray[Number]:
    """Return a column as the kernel is compiled for: of this type, contiguous and writable."""
    if isinstance(column, np.ndarray) and column.dtype == kind and column.flags.carray:
        return column
    return np.require(column, kind, ["C", "W"])


MUCH = 2**40  # bytes, more than there are
_FOR_THE_BANK = -1  # an outcome still open: the reading goes on to its bank


def _forecasts(experts: Sequence[str] | None) -> dict[int, str]:
    """Return the positions that hold no reading but an outside expert's forecast."""
    if experts is None or not any(experts):
        return {}
    return {p: expert for p, expert in enumerate(experts) if expert}


def _refusals(
    usable: NDArray[np.bool_], time_ms: NDArray[np.int64], values: NDArray[np.float64]
) -> list[Refusal]:
    """Say of each reading that cannot be used why."""
    return [
        Refusal(p, f"time {time_ms[p]} ms lies outside the years 1970 to 3000", "time")
        if np.isfinite(values[p])
        else Refusal(p, f"value {values[p]} is not a finite number", "value")
        for p in np.flatnonzero(~usable).tolist()
    ]
