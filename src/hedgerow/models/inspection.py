"""What is known of a series, in numbers that a person can read.

Before: a learner, as it is or as a snapshot had it. After: ``hedgerow state list`` and ``show``.
"""

from __future__ import annotations

from dataclasses import dataclass

from hedgerow.models.alerts.open_episodes import OpenEpisode, open_episodes
from hedgerow.models.bank import layout as at
from hedgerow.models.bank.nursery import Infant
from hedgerow.models.bank.scores import SeriesScore
from hedgerow.models.bank.series import NOWHERE
from hedgerow.models.learner import Learner


@dataclass(frozen=True, slots=True)
class SeriesFacts:
    """What is stored of one series.

    Attributes
    ----------
    sensor_id, quantity, profile : str
        Which series, and how it is learned.
    period_ms, phase_ms : int or None
        Its grid; ``None`` while it waits for a period.
    learned : int
        Readings learned since it began; those that wait for a period count.
    last_ms : int or None
        Grid point of its last reading, or that reading's own time while it waits.
    last_value : float or None
        That reading.
    scores : tuple of SeriesScore
        By horizon, nearest first; none while it waits.
    episodes : tuple of OpenEpisode
        What is wrong with it now.
    """

    sensor_id: str
    quantity: str
    profile: str
    period_ms: int | None
    phase_ms: int | None
    learned: int
    last_ms: int | None
    last_value: float | None
    scores: tuple[SeriesScore, ...]
    episodes: tuple[OpenEpisode, ...]

    @property
    def skill(self) -> float | None:
        """Of the nearest horizon, against persistence; ``None`` while that is not known."""
        if not self.scores or not self.scores[0].references[0].n:
            return None
        return self.scores[0].references[0].skill


def facts(learner: Learner, series: int) -> SeriesFacts:
    """Look at a series by its number.

    Examples
    --------
    >>> import numpy as np
    >>> from hedgerow.models import CityModel, Profile
    >>> learner = Learner(CityModel((Profile("hourly", ("*",), 3600.0),)))
    >>> _ = learner.step(["s"], [""], np.array([7_200_000]), np.array([3.0]), np.array([0]))
    >>> found = facts(learner, 0)
    >>> found.profile, found.learned, found.last_ms, found.skill
    ('hourly', 1, 7200000, None)
    """
    sensor_id, quantity = learner.series.name(series)
    profile = learner.city.profiles[int(learner.series.profiles[series])].name
    episodes = tuple(open_episodes(learner, sensor_id, quantity))
    if learner.series.banks[series] == NOWHERE:
        infant = learner.nursery.infants.get(series)
        waiting = Infant() if infant is None else infant
        return SeriesFacts(
            sensor_id=sensor_id,
            quantity=quantity,
            profile=profile,
            period_ms=None,
            phase_ms=None,
            learned=len(waiting.times_ms),
            last_ms=waiting.times_ms[-1] if waiting.times_ms else None,
            last_value=waiting.values[-1] if waiting.values else None,
            scores=(),
            episodes=episodes,
        )
    bank = learner.banks[int(learner.series.banks[series])]
    row, sizes = bank.rows[int(learner.series.rows[series])], bank.layout.sizes
    seen = row[at.SLOT] != at.NEVER
    slot, phase_ms = int(row[at.SLOT]), int(row[at.PHASE])
    return SeriesFacts(
        sensor_id=sensor_id,
        quantity=quantity,
        profile=profile,
        period_ms=bank.period_ms,
        phase_ms=phase_ms,
        learned=int(row[at.SEEN]),
        last_ms=phase_ms + slot * bank.period_ms if seen else None,
        last_value=float(row[sizes.ring + slot % sizes.ring_size]) if seen else None,
        scores=tuple(learner.scores_of(sensor_id, quantity)),
        episodes=episodes,
    )
