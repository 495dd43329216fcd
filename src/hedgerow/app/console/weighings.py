"""How the experts of the chosen series are weighed, noted while somebody looks.

Before: `session` asks the serving worker when a chosen series has news. After: `views` shows the
weights over time. What was before somebody looked is nowhere kept.
"""

from __future__ import annotations

from collections import deque
from collections.abc import Collection, Sequence
from dataclasses import dataclass, field

from hedgerow.app.console import views
from hedgerow.models import SeriesScore

MOST = 600  # moments of one series


@dataclass(slots=True)
class _Noted:
    samples: deque[views.Sample] = field(default_factory=lambda: deque(maxlen=MOST))
    lifetime: list[views.Lifetime] = field(default_factory=list)
    behind: bool = False


class Weighings:
    """The weights of some series at one moment after the other."""

    def __init__(self) -> None:
        self._noted: dict[str, _Noted] = {}

    def is_news(self, key: str, at: int) -> bool:
        """Tell whether a series has learned a reading since it was last noted."""
        noted = self._noted.get(key)
        return noted is None or not noted.samples or noted.samples[-1][0] < at

    def note(
        self, key: str, at: int, scores: Sequence[SeriesScore], *, behind: bool = False
    ) -> None:
        """Note the weights that stand after the reading of this time.

        Without scores the series is not learned here, and what was noted is forgotten. While the
        records read are `behind`, the weights are of a later reading: the next note replaces
        this one.
        """
        if not scores:
            self._noted.pop(key, None)
            return
        noted = self._noted.setdefault(key, _Noted())
        if noted.behind:
            noted.samples.clear()
        noted.behind = behind
        noted.samples.append((at, {score.horizon: score.weights for score in scores}))
        noted.lifetime = [views.lifetime(score) for score in scores]

    def keep_only(self, keys: Collection[str]) -> None:
        """Forget the series that nobody looks at any more."""
        for key in self._noted.keys() - set(keys):
            del self._noted[key]

    def held(self, key: str) -> views.Held | None:
        """Return what is known of a series, ``None`` where we do not learn it."""
        noted = self._noted.get(key)
        if noted is None:
            return None
        return views.Held(views.weights_over_time(list(noted.samples)), noted.lifetime)
