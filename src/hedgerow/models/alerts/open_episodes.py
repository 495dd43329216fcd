"""The episodes that stand open in a state: what is wrong with a series now, and since when.

Before: ``episodes`` and ``silence`` opened them on the way of some reading. After: commands that
look at a series tell of them.
"""

from __future__ import annotations

from dataclasses import dataclass

from hedgerow.models.alerts import silence
from hedgerow.models.alerts.words import KIND_NAMES, SEVERITIES
from hedgerow.models.bank.layout import (
    ALERT_SIZE,
    ALERTS,
    KINDS,
    OPEN,
    OPENED_MS,
    OPENING_OFFSET,
    SILENT,
)
from hedgerow.models.bank.series import NOWHERE
from hedgerow.models.learner import Learner


@dataclass(frozen=True, slots=True)
class OpenEpisode:
    """An episode that is open.

    Attributes
    ----------
    kind, severity : str
        As in an alert.
    opened_ms, opening_offset : int
        Event time and log offset of the reading that opened it.
    """

    kind: str
    severity: str
    opened_ms: int
    opening_offset: int


def open_episodes(learner: Learner, sensor_id: str, quantity: str = "") -> list[OpenEpisode]:
    """Return the episodes of a series that are open, the oldest first.

    Examples
    --------
    >>> import numpy as np
    >>> from hedgerow.models import CityModel, Profile
    >>> profile = Profile("hourly", ("*",), 3600.0, bound_upper=10.0)
    >>> learner = Learner(CityModel((profile,)))
    >>> _ = learner.step(["s"], [""], np.array([7]), np.array([99.0]), np.array([4]))
    >>> open_episodes(learner, "s")
    [OpenEpisode(kind='bound', severity='critical', opened_ms=7, opening_offset=4)]
    """
    number = learner.series.find(sensor_id, quantity)
    if number == NOWHERE:
        return []
    found = []
    if learner.series.banks[number] != NOWHERE:
        bank = learner.banks[learner.series.banks[number]]
        row = bank.rows[learner.series.rows[number]]
        for kind in range(KINDS):
            state = row[ALERTS + kind * ALERT_SIZE :]
            if state[OPEN] == 1.0:
                found.append(_episode(kind, state[OPENED_MS], state[OPENING_OFFSET]))
    if number < len(learner.silence.lines):
        line = learner.silence.lines[number]
        if line[silence.OPENING_OFFSET] >= 0.0:
            found.append(_episode(SILENT, line[silence.OPENED_MS], line[silence.OPENING_OFFSET]))
    return sorted(found, key=lambda one: (one.opened_ms, one.kind))


def _episode(kind: int, opened_ms: float, opening_offset: float) -> OpenEpisode:
    return OpenEpisode(KIND_NAMES[kind], SEVERITIES[kind], int(opened_ms), int(opening_offset))
