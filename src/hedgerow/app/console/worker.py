"""What the worker that serves the page knows because it learns: its partitions, and its experts.

Before: the holdings. After: `session` adds it to what the topics tell. Read on the event loop,
where the learners are stepped, so that a row is never seen half learned.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Protocol

from hedgerow.agents.holding import Holding
from hedgerow.agents.holdings import Holdings
from hedgerow.app.console.looks import Look, look
from hedgerow.app.console.past import Past
from hedgerow.app.console.reports import Report
from hedgerow.app.console.views import Sample, Worker


class Saved(Protocol):
    """Tells when the last checkpoint was stored."""

    saved_at: float | None


class HeldHere:
    """Looks into the partitions that this worker holds.

    Parameters
    ----------
    saved : Saved
        The worker's metrics.
    lag_of : Callable[[Holding], int | None]
        Messages of a partition's log not learned yet.
    not_ready : Callable[[], str | None]
        Why the worker is not ready, ``None`` when it is.
    clock : Callable[[], float]
        Monotonic seconds, as the holdings count them.
    name : str
        What the worker is called.
    past : Past, optional
        Has noted the weights of its series.
    """

    def __init__(
        self,
        holdings: Holdings,
        saved: Saved,
        *,
        lag_of: Callable[[Holding], int | None],
        not_ready: Callable[[], str | None],
        clock: Callable[[], float],
        name: str = "this worker",
        past: Past | None = None,
    ) -> None:
        self._holdings = holdings
        self._saved = saved
        self._lag_of = lag_of
        self._not_ready = not_ready
        self._clock = clock
        self.name = name
        self._past = past
        self._learned: dict[int, tuple[float, int]] = {}

    def facts(self) -> Worker:
        """Say how this worker is."""
        held = self._holdings.all()
        lags = [lag for holding in held if (lag := self._lag_of(holding)) is not None]
        saved_at = self._saved.saved_at
        return Worker(
            partitions=sorted(holding.claim.partition.number for holding in held),
            series=sum(holding.learner.series_count for holding in held),
            lag=sum(lags) if lags else None,
            unsaved=sum(max(0, h.next_offset - max(0, h.saved_offset)) for h in held),
            saved_seconds_ago=None if saved_at is None else self._clock() - saved_at,
            not_ready=self._not_ready(),
        )

    def reports(self) -> list[Report]:
        """Tell how each partition is; readings a second are those since the call before."""
        now, not_ready = self._clock(), self._not_ready()
        before, self._learned = self._learned, {}
        found = []
        for holding in self._holdings.all():
            number, learned = holding.claim.partition.number, holding.learner.counts.learned
            self._learned[number] = now, learned
            then, least = before.get(number, (now, learned))
            found.append(
                Report(
                    worker=self.name,
                    partition=number,
                    readings_per_second=(learned - least) / (now - then) if now > then else None,
                    lag=self._lag_of(holding),
                    unsaved=max(0, holding.next_offset - max(0, holding.saved_offset)),
                    saved_seconds_ago=now - holding.stored_at,
                    generation=holding.generation,
                    not_ready=not_ready,
                )
            )
        return found

    def look(self, sensor_id: str, quantity: str) -> Look | None:
        """Look at a series as it stands, ``None`` if it is not held here or has no forecast."""
        looks = (look(holding.learner, sensor_id, quantity) for holding in self._holdings.all())
        return next((one for one in looks if one is not None), None)

    def past(self, sensor_id: str, quantity: str) -> list[Sample] | None:
        """Return how a series was weighed before, the oldest first; ``None`` if not held here."""
        return None if self._past is None else self._past.of(sensor_id, quantity)
