"""What a learner tells of one series: its scores, its experts' weights, and its last forecasts.

Before: the worker's own learner, or one that `checkpoints` made. After: `weighings` keeps the
weights, and `carriers` says what an alert's forecast rested on.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import NamedTuple

from hedgerow.agents.ports import Partition
from hedgerow.models import Learner, SeriesScore
from hedgerow.models.explanation.explain import NothingToExplain, Standing, standing
from hedgerow.topics import Alert, Prediction


class Whose(NamedTuple):
    """A series, and the partition of the readings' topic that it is learned in."""

    partition: Partition
    sensor_id: str
    quantity: str


@dataclass(frozen=True, slots=True)
class Look:
    """One series after one of its readings.

    Attributes
    ----------
    standing : Standing
        Its row as it was then, with the forecasts it had made.
    scores : list of SeriesScore
        Nearest horizon first.
    generation : int or None
        Of the checkpoint that it was read from; ``None`` where the serving worker learns it.
    """

    standing: Standing
    scores: list[SeriesScore]
    generation: int | None

    @property
    def at(self) -> int:
        """The grid point of that reading."""
        return self.standing.slot_ms


def look(
    learner: Learner, sensor_id: str, quantity: str, generation: int | None = None
) -> Look | None:
    """Look at a series, ``None`` where the learner has no forecast of it.

    Examples
    --------
    >>> import numpy as np
    >>> from hedgerow.models import CityModel, Profile
    >>> learner = Learner(CityModel((Profile("hourly", period_seconds=3600.0),)))
    >>> hours = np.arange(30)
    >>> _ = learner.step(["a"] * 30, [""] * 30, hours * 3_600_000, hours % 5.0, hours)
    >>> seen = look(learner, "a", "")
    >>> seen.at == 29 * 3_600_000, [score.horizon for score in seen.scores]
    (True, [1, 3, 12])
    >>> look(learner, "b", "") is None
    True
    """
    try:
        stands = standing(learner, sensor_id, quantity, copy=True)
    except NothingToExplain:
        return None
    return Look(stands, learner.scores_of(sensor_id, quantity), generation)


def whose(record: Prediction | Alert) -> Whose | None:
    """Say where the series of a record is learned: its id begins with topic and partition.

    Examples
    --------
    >>> record = Prediction("sensor-data:3:41:a/b", "a/b", "a", "b", 41, "", 0.0, "all", ())
    >>> whose(record)
    Whose(partition=Partition(topic='sensor-data', number=3), sensor_id='a', quantity='b')
    """
    topic, number, _ = f"{record.id}::".split(":", 2)
    if not number.isdecimal():  # a record by somebody else
        return None
    return Whose(Partition(topic, int(number)), record.sensor_id, record.quantity or "")
