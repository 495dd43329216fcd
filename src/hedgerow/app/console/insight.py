"""What is known of a series beyond its records, from whichever worker serves the page.

Before: `worker` looks into what this worker learns, `checkpoints` into what the others have stored.
After: `closer` notes weights and says what alerts' forecasts rested on.
"""

from __future__ import annotations

import time
from collections import OrderedDict
from collections.abc import Callable
from typing import NamedTuple, Protocol

from hedgerow.agents.ports import Partition
from hedgerow.app.console.asking import Asking
from hedgerow.app.console.checkpoints import Checkpoints
from hedgerow.app.console.looks import Look, Whose
from hedgerow.app.console.views import Sample
from hedgerow.app.state.kept import DAMAGE

ASK_SECONDS = 3.0  # between two questions for a partition's newest checkpoint
MOST_LOOKS = 256
MOST_PAST = 24  # kept generations shown of a series


class Here(Protocol):
    """Knows the series that this worker learns."""

    def look(self, sensor_id: str, quantity: str) -> Look | None:
        """Look at a series, ``None`` if it is learned elsewhere."""

    def past(self, sensor_id: str, quantity: str) -> list[Sample] | None:
        """Return how it was weighed before, as far as noted; ``None`` if learned elsewhere."""


class _Newest(NamedTuple):
    asked_at: float
    generations: list[int]


class Insight:
    """Looks at series, those of this worker as they are now, others as they were stored last.

    Parameters
    ----------
    here : Here
        The serving worker.
    checkpoints : Checkpoints or None
        What all workers have stored.
    asking : Asking or None
        Reaches the other workers.
    clock : Callable[[], float]
        Monotonic seconds.
    """

    def __init__(
        self,
        here: Here,
        checkpoints: Checkpoints | None = None,
        asking: Asking | None = None,
        *,
        clock: Callable[[], float] = time.monotonic,
    ) -> None:
        self._here = here
        self._asking = asking
        self._checkpoints = checkpoints
        self._clock = clock
        self._newest: dict[Partition, _Newest] = {}
        self._looks: OrderedDict[tuple[Whose, int], Look | None] = OrderedDict()

    async def now(self, whose: Whose) -> Look | None:
        """Look at a series as it is now, or was at the last checkpoint.

        Raises
        ------
        PortError
            If Redis does not answer.
        SnapshotError
            If what is stored is damaged, or was learned by other profiles.
        """
        found = self._here.look(whose.sensor_id, whose.quantity)
        if found is None:
            generations = await self._generations(whose.partition)
            found = await self._stored(whose, generations[0]) if generations else None
        return found

    async def noted(self, whose: Whose) -> list[Sample] | None:
        """Return how a series was weighed before, by whichever worker learns it.

        ``None`` while that one has not answered; raises what `now` does.
        """
        noted = self._here.past(whose.sensor_id, whose.quantity)
        if noted is None and self._asking is not None:
            return await self._asking.ask(whose)
        return noted or []

    async def past(self, whose: Whose) -> list[Look]:
        """Look at a series in every kept checkpoint, the oldest first; raises what `now` does.

        An older one that cannot be used is passed over, as by all who look through them.
        """
        generations = (await self._generations(whose.partition))[:MOST_PAST]
        found = [
            await self._stored(whose, one, older=one != generations[0])
            for one in reversed(generations)
        ]
        return [one for one in found if one is not None]

    async def _generations(self, partition: Partition) -> list[int]:
        """Return the generations that are kept, the newest first, as they were a moment ago."""
        if self._checkpoints is None:
            return []
        known = self._newest.get(partition)
        if known is None or self._clock() - known.asked_at > ASK_SECONDS:
            kept = await self._checkpoints.kept(partition)
            known = _Newest(self._clock(), [one.generation for one in kept])
            self._newest[partition] = known
        return known.generations

    async def _stored(self, whose: Whose, generation: int, *, older: bool = False) -> Look | None:
        if self._checkpoints is None:
            return None
        place = whose, generation
        if place not in self._looks:
            try:
                self._looks[place] = await self._checkpoints.look(whose, generation)
            except DAMAGE:
                if not older:
                    raise
                self._looks[place] = None
            if len(self._looks) > MOST_LOOKS:
                self._looks.popitem(last=False)
        return self._looks[place]
