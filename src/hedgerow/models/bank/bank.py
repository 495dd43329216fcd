"""A bank: the rows of all series of one profile, period and number of companions, in one step.

``learner`` sorts a batch's readings by bank; a bank runs the compiled kernel over them and
remembers which of its rows changed since the last snapshot.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from typing import TYPE_CHECKING, TypeVar

import numpy as np
from numpy.typing import NDArray

from hedgerow.models.aggregation import RULES
from hedgerow.models.alerts.episodes import EVENT_SIZE, MOST_EVENTS, Events, Rules
from hedgerow.models.bank import kernel
from hedgerow.models.bank import rows as row_places
from hedgerow.models.bank.layout import PHASE, SLOT, RowLayout
from hedgerow.models.bank.planes import row_layout
from hedgerow.models.errors import SnapshotError
from hedgerow.models.experts.catalogue import NAIVE_EXPERTS
from hedgerow.models.experts.companions import Company
from hedgerow.models.experts.ensemble import Team
from hedgerow.models.profile import Profile, RiverExpert
from hedgerow.models.registry import SensorFacts
from hedgerow.models.snapshot.chunks import RawChunk
from hedgerow.models.zone import ZoneTable

if TYPE_CHECKING:
    from hedgerow.models.snapshot.copying import RowCopy

CHUNK_ROWS = 64
Number = TypeVar("Number", np.float64, np.float32)


class Bank:
    """Rows of one profile and period.

    Parameters
    ----------
    profile : Profile
        How these series are learned.
    period_ms : int
        Length of a slot.
    zone : ZoneTable
        The city's time zone.
    places : int, optional
        For how many companions there is room; as many as the profile names when left out.

    Attributes
    ----------
    rows : ndarray of float64, shape (capacity, width)
        One row a series on the exact plane; only the first ``count`` are in use.
    singles : ndarray of float32, shape (capacity, single_width)
        The same on the single-precision plane.
    bounds : ndarray of float64, shape (capacity, 2)
        The least and the most that is right, NaN for none: those of the profile, or of the
        series' sensor. They follow from what is declared, so that a snapshot does not hold them.
    setup : Setup
        What the kernel needs to know of all rows.
    dirty : set of int
        Chunks of 64 rows that changed since they were last captured.
    new : bool
        Whether the layout has never been captured.
    copy : RowCopy or None
        The copy of changed rows that is under way, if one is.
    failures : int
        Times a plug-in failed; always 0 where there are none.
    """

    def __init__(
        self, profile: Profile, period_ms: int, zone: ZoneTable, *, places: int | None = None
    ) -> None:
        self.profile = profile
        self.period_ms = period_ms
        self.layout: RowLayout = row_layout(profile, period_ms, places)
        self.rows = np.empty((0, self.layout.sizes.width))
        self.singles = np.empty((0, self.layout.sizes.single_width), np.float32)
        self.bounds = np.empty((0, 2))
        self.count = 0
        self.dirty: set[int] = set()
        self.new = True
        self.copy: RowCopy | None = None
        self.failures = 0
        self.setup = _setup(profile, self.layout, zone)
        self.scratch = row_places.scratch(self.layout.sizes)

    def add(self, phase_ms: int) -> int:
        """Start a row for a series whose grid points lie at ``phase_ms`` and return it."""
        row = self.add_blank(1)
        self.rows[row, PHASE] = phase_ms
        return row

    @property
    def row_bytes(self) -> int:
        """Size of a row, both planes."""
        return 8 * self.layout.sizes.width + 4 * self.layout.sizes.single_width

    def reserve(self, rows: int) -> None:
        """Make room for that many rows more, all at once."""
        capacity = self.count + rows
        if capacity > len(self.rows):
            self.rows = _grown(self.rows, self.count, capacity)
            self.singles = _grown(self.singles, self.count, capacity)
            self.bounds = _grown(self.bounds, self.count, capacity)

    def add_blank(self, rows: int) -> int:
        """Start that many rows and return the first."""
        first = self.extend(rows)
        self.rows[first : self.count] = self.layout.blank
        self.singles[first : self.count] = self.layout.blank_single
        return first

    def extend(self, rows: int) -> int:
        """Take room for that many rows, whatever is in it, and return the first."""
        first = self.count
        if first + rows > len(self.rows):
            self.reserve(max(16, len(self.rows), rows))
        self.count += rows
        self.bounds[first : self.count] = self.setup.rules[:2]
        self.dirty.update(range(first // CHUNK_ROWS, (self.count - 1) // CHUNK_ROWS + 1))
        return first

    def reached_ms(self, end: int, first: int = 0) -> NDArray[np.int64]:
        """Return the grid point of the last reading of some rows; far in the past before one."""
        rows = self.rows[first:end]
        return (rows[:, PHASE] + rows[:, SLOT] * self.period_ms).astype(np.int64)

    def step(
        self,
        where: NDArray[np.int64],
        positions: NDArray[np.int64],
        *,
        time_ms: NDArray[np.int64],
        values: NDArray[np.float64],
        offsets: NDArray[np.int64],
        outside: NDArray[np.int64],
        company: Company,
        out: kernel.Outputs,
        silent: bool = False,
    ) -> None:
        """Step readings ``positions`` of a batch, each on its row, in log order.

        Parameters
        ----------
        where : ndarray of int64, shape (m,)
            Row of each reading.
        positions : ndarray of int64, shape (m,)
            Index of each reading in the batch's columns.
        time_ms, values, offsets, outside : ndarray, shape (n,)
            The batch's columns; ``outside`` is the number of an outside expert whose forecast
            this is, -1 for a reading.
        company : Company
            What the series of the partition show each other.
        out : Outputs
            Written at ``positions``; events are appended.
        silent : bool
            Learn without publishing: no alerts, no outputs, and the forecasts made are not
            scored.
        """
        self._before_change(where)
        kernel.step_rows(
            self.rows, self.singles, self.setup, self.bounds, where, positions, time_ms, values,
            offsets, outside, company, silent, self.scratch, out,
        )  # fmt: skip

    def bound(self, row: int, facts: SensorFacts) -> None:
        """Hold a row to what is declared of its sensor; to the profile where that is nothing."""
        lower, upper = facts.bound_lower, facts.bound_upper
        if lower is None and upper is None:
            self.bounds[row] = self.setup.rules[:2]
        else:
            self.bounds[row] = [math.nan if one is None else one for one in (lower, upper)]

    def _before_change(self, where: NDArray[np.int64]) -> None:
        """Note which rows are about to change, and let a copy under way have them first."""
        if self.copy is not None:
            self.copy.before_step(where)
        self.dirty.update((where // CHUNK_ROWS).tolist())

    def plugin_chunk(self, name: str, chunk: int) -> RawChunk | None:
        """Return the state of plug-ins beside a chunk of rows; none here."""
        return None

    def restore_plugins(
        self,
        raw: RawChunk,
        first: int,
        taken: NDArray[np.bool_],
        *,
        rows: int,
        before: Sequence[RiverExpert],
    ) -> set[str]:
        """Take back the state of plug-ins; there are none here."""
        raise SnapshotError(f"{raw.name}: the profile {self.profile.name!r} names no plug-ins")


def _grown(rows: NDArray[Number], used: int, capacity: int) -> NDArray[Number]:
    grown = np.empty((capacity, rows.shape[1]), rows.dtype)
    grown[:used] = rows[:used]
    return grown


def _setup(profile: Profile, layout: RowLayout, zone: ZoneTable) -> row_places.Setup:
    experts = layout.plan
    absent_absolute, absent_squared = (np.zeros(len(experts.names), bool) for _ in range(2))
    if not profile.naive:
        for naive in range(len(NAIVE_EXPERTS)):
            absent_absolute[naive] = absent_squared[naive] = True
    if experts.hour >= 0:
        absent_absolute[experts.hour + 1] = absent_squared[experts.hour] = True
    if experts.hold >= 0:
        absent_squared[experts.hold] = True
    if experts.companions >= 0:
        absent_absolute[experts.companions + 1] = absent_squared[experts.companions] = True
    return row_places.Setup(
        sizes=layout.sizes,
        horizons=layout.horizons,
        blocks=layout.blocks,
        single_blocks=layout.single_blocks,
        memories=np.array(experts.memories, np.float64),
        team=Team(
            pattern=experts.pattern,
            levels=experts.levels,
            holt=experts.holt,
            rls=experts.rls,
            gradient=experts.gradient,
            hour=experts.hour,
            hold=experts.hold,
            outside=experts.outside,
            kinds=np.array([kind for kind, _ in experts.linear], np.int64),
            rates=np.array([rate for _, rate in experts.linear], np.float64),
            minimum=-math.inf if profile.minimum is None else float(profile.minimum),
            maximum=math.inf if profile.maximum is None else float(profile.maximum),
        ),
        companions=experts.companions,
        river=experts.river,
        rule=RULES.index(profile.aggregation),
        absent_absolute=absent_absolute,
        absent_squared=absent_squared,
        drift=profile.drift,
        rules=_rules(profile),
        zone=zone,
    )


def _rules(profile: Profile) -> Rules:
    lower, upper = profile.bound_lower, profile.bound_upper
    return Rules(
        bound_lower=math.nan if lower is None else float(lower),
        bound_upper=math.nan if upper is None else float(upper),
        bound=int(profile.alerts.bound),
        forecast_breach=int(profile.alerts.forecast_breach),
        anomaly=int(profile.alerts.anomaly),
        drift=int(profile.alerts.drift),
        stuck=int(profile.alerts.stuck),
    )


def outputs(readings: int, horizons: int) -> kernel.Outputs:
    """Make room for what a step of that many readings can write."""
    shape = (readings, horizons)
    predicted, mean, lower, upper = forecasts = np.empty((4, *shape))
    forecasts.fill(np.nan)
    return kernel.Outputs(
        outcomes=np.full(readings, kernel.REJECTED, np.int8),
        horizons=np.zeros(shape, np.int32),
        target_ms=np.zeros(shape, np.int64),
        predicted=predicted,
        mean=mean,
        lower=lower,
        upper=upper,
        events=Events(np.empty((MOST_EVENTS * readings, EVENT_SIZE)), np.zeros(1, np.int64)),
    )
