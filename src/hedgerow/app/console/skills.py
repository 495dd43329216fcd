"""How good the nearest forecasts of each series are just now, against persistence.

Before: `session` decodes the records of a line of the list. After: the line carries the skill, and
the map its colour. Judged as everywhere: on the labels that came, both forecasts made at the same
moment. Older labels count less and less, so that what is shown is of the last hundred or so.
"""

from __future__ import annotations

from collections.abc import Sequence

from hedgerow.app.console.slots import forecast_about, slots_of
from hedgerow.topics import Prediction

KEPT = 0.99  # of what a label counted, once another has come
LEAST_LABELS = 3.0  # before that a skill is chance


class Skills:
    """Running errors of every series that somebody was told of, by its number on the board.

    Examples
    --------
    >>> from hedgerow.topics import Forecast
    >>> def record(hour, observed, next_one):
    ...     ahead = Forecast(1, f"2026-01-01T{hour + 1:02}:00:00Z", next_one, next_one, None, None)
    ...     at = f"2026-01-01T{hour:02}:00:00Z"
    ...     return Prediction("t:0:1:s", "s", "s", None, hour, at, observed, "all", (ahead,))
    >>> skills = Skills()
    >>> rising = [record(hour, 10.0 * hour, 10.0 * hour + 8.0) for hour in range(6)]
    >>> skills.follow(0, rising[:2])  # one label is chance
    >>> round(skills.follow(0, rising[1:]), 2)  # off by 2 where persistence is by 10
    0.8
    """

    def __init__(self) -> None:
        self._errors: dict[int, list[float]] = {}  # labels, ours, persistence's, newest label

    def follow(self, number: int, last: Sequence[Prediction]) -> float | None:
        """Take the newest records of a series, oldest first; return its skill, if there is one.

        Labels that were seen before are not counted again.
        """
        errors = self._errors.setdefault(number, [0.0, 0.0, 0.0, float("-inf")])
        slots = slots_of(last)
        for position in range(1, len(last)):
            slot = slots[position]
            if slot <= errors[3]:
                continue
            observed = last[position].observed
            found = forecast_about(slot, last[:position])
            if found is not None:
                earlier, forecast = found
                errors[:3] = [KEPT * one for one in errors[:3]]
                errors[0] += 1.0
                errors[1] += abs(forecast.predicted - observed)
                errors[2] += abs(earlier.observed - observed)
            errors[3] = slot
        labels, ours, naive, _ = errors
        return 1.0 - ours / naive if labels >= LEAST_LABELS * KEPT**3 and naive > 0.0 else None
