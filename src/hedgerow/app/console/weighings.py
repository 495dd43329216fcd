"""How the experts of the chosen series were weighed, at one reading after the other.

Before: `closer` has looked at a series, in what this worker learns or in a checkpoint. After:
`views` shows the weights over time. What was noted stays for a while after the last viewer has
left, so that who comes back sees what was between.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field

from msgspec import UNSET

from hedgerow.app.console import views
from hedgerow.app.console.looks import Look, Whose
from hedgerow.topics import Prediction, parse_time

MOST = 600  # moments of one series
MOST_SERIES = 64


@dataclass(slots=True)
class _Noted:
    whose: Whose
    samples: dict[int, views.Sample] = field(default_factory=dict)
    newest: Look | None = None


class Weighings:
    """The weights of some series, by the time of the reading after which they stood."""

    def __init__(self) -> None:
        self._noted: dict[str, _Noted] = {}

    def note(
        self,
        key: str,
        whose: Whose,
        looks: Iterable[Look],
        samples: Iterable[views.Sample] = (),
    ) -> bool:
        """Note the weights that some looks tell, and samples; say whether there was news.

        Of two looks at one moment the later one counts, and a look more than a sample; the series
        that was noted longest ago is forgotten where there are too many.
        """
        noted = self._noted.pop(key, None)
        if noted is None or noted.whose.partition != whose.partition:
            noted = _Noted(whose)
        self._noted[key] = noted
        while len(self._noted) > MOST_SERIES:
            del self._noted[next(iter(self._noted))]
        news = False
        for sample in samples:
            news = news or sample[0] not in noted.samples
            noted.samples.setdefault(sample[0], sample)
        for look in looks:
            newest = noted.newest
            changed = newest is None or (look.at, look.generation) != (newest.at, newest.generation)
            news = news or changed
            noted.samples[look.at] = (look.at, {s.horizon: s.weights for s in look.scores})
            if newest is None or look.at >= newest.at:
                noted.newest = look
        while len(noted.samples) > MOST:
            del noted.samples[min(noted.samples)]
        return news

    def known(self) -> list[tuple[str, Whose]]:
        """List the series that were noted."""
        return [(key, noted.whose) for key, noted in self._noted.items()]

    def held(self, key: str, records: Sequence[Prediction] = ()) -> views.Held | None:
        """Return what is known of a series, ``None`` where that is nothing.

        Parameters
        ----------
        records : sequence of Prediction
            Of the series; where they tell the weights themselves, those count.
        """
        noted = self._noted.get(key)
        told = told_weights(records)
        if noted is None or noted.newest is None:
            return views.Held(views.weights_over_time(told), [], None, None) if told else None
        first = told[0][0] if told else None
        samples = [noted.samples[at] for at in sorted(noted.samples) if first is None or at < first]
        newest = noted.newest
        return views.Held(
            views.weights_over_time(samples + told),
            [views.lifetime(score) for score in newest.scores],
            newest.at,
            newest.generation,
        )


def told_weights(records: Sequence[Prediction]) -> list[views.Sample]:
    """Return the weights that records tell, where ``predictions.explain`` was set for them."""
    samples: list[views.Sample] = []
    for record in records:
        by_horizon = {
            forecast.horizon: {one.expert: one.weight for one in forecast.explanation.experts}
            for forecast in record.forecasts
            if forecast.explanation is not UNSET
        }
        if by_horizon:
            samples.append((parse_time(record.issued_at), by_horizon))
    return samples
