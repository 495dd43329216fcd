"""All that is learned from one partition of the log, stepped a batch at a time.

Before: ``topics.codec`` turns messages into columns of readings. After: the agent publishes the
``StepResult`` and, now and then, stores a ``capture``. State and outputs depend on the readings
and the configuration alone, not on where one batch ends and the next begins.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence

import numpy as np
from numpy.typing import NDArray

from hedgerow.models.alerts.silence import Silence
from hedgerow.models.alerts.standing import open_alerts
from hedgerow.models.bank.bank import Bank
from hedgerow.models.bank.nursery import Nursery
from hedgerow.models.bank.scores import SeriesScore, bank_scores, series_scores
from hedgerow.models.bank.series import NOWHERE, SeriesTable
from hedgerow.models.bank.tally import Tally, tallies
from hedgerow.models.experts.signals import Signals
from hedgerow.models.explanation.columns import Explainer
from hedgerow.models.profile import CityModel, Profile, series_key
from hedgerow.models.registry import EMPTY, NOTHING, Registry
from hedgerow.models.results import Counts, StepResult
from hedgerow.models.snapshot.capture import begin_capture, copy_rows, mark_all
from hedgerow.models.snapshot.changing import by_registry
from hedgerow.models.snapshot.chunks import Capture
from hedgerow.models.snapshot.restore import restore_state, stored_registry
from hedgerow.models.stepping import Readings, step
from hedgerow.models.zone import zone_table

MUCH = 2**40  # bytes, more than there are


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
        self.widest = max(len(p.horizons) for p in city.profiles)
        self.explainer = Explainer() if city.explain else None
        self.profile_names = [p.name for p in city.profiles]

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
        batch = Readings(sensor_ids, quantities, time_ms, values, offsets)
        return step(self, batch, experts)

    def place(self, series: int, bank: int, row: int) -> None:
        """Note where a series' row lies, and hold it to what is declared of its sensor."""
        watched = self.city.profiles[self.series.profiles[series]].alerts.silent
        self.series.place(series, bank, row, self.banks[bank].period_ms if watched else 0)
        facts = self.registry.of(self.series.sensor_ids[series])
        if facts is not NOTHING:
            self.banks[bank].bound(row, facts)

    def profile_of(self, sensor_id: str, quantity: str) -> int:
        """Return the index of the profile that a series is learned by."""
        key = series_key(sensor_id, quantity)
        return self.city.profile_index(key, self.registry.of(sensor_id))

    def outsider(self, series: int, expert: str) -> int:
        """Return the number of an outside expert of a series, ``NOWHERE`` if it has none such."""
        profile = int(self.series.profiles[series])
        return self._outside[profile].get(expert, NOWHERE)

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
