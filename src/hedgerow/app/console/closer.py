"""Looks closer at what somebody has chosen, and at what alerts are about, one after the other.

Before: `board` knows the records of the chosen series and the episodes. After: `weighings` has the
weights of their experts, and the board what carried the forecasts of the episodes.
"""

from __future__ import annotations

import asyncio
import time
from collections.abc import Callable, Sequence

from hedgerow.agents.errors import PortError
from hedgerow.app.console.board import Board, Told
from hedgerow.app.console.carriers import Carried, carried, told
from hedgerow.app.console.insight import Insight
from hedgerow.app.console.looks import Look, Whose, whose
from hedgerow.app.console.records import decoded
from hedgerow.app.console.views import Sample
from hedgerow.app.console.weighings import Weighings
from hedgerow.models import SnapshotError

MOST_AT_ONCE = 10  # episodes
AGAIN_SECONDS = 30.0
ANSWER_SECONDS = 10.0


class Closer:
    """Fills in what the topics do not tell.

    Parameters
    ----------
    insight : Insight
        Looks at a series.
    weighings : Weighings
        Where weights are noted.
    clock : Callable[[], float]
        Monotonic seconds.

    Attributes
    ----------
    trouble : str or None
        Why nothing can be known just now, in a sentence.
    """

    def __init__(
        self,
        board: Board,
        insight: Insight,
        weighings: Weighings,
        *,
        clock: Callable[[], float] = time.monotonic,
    ) -> None:
        self._board = board
        self._insight = insight
        self._weighings = weighings
        self._clock = clock
        self._tried: dict[str, float] = {}
        self._begun: dict[str, float] = {}  # until when an answer is waited for
        self.trouble: str | None = None

    async def go_on(self) -> None:
        """Look at every chosen series, then at some episodes of which nothing is known yet."""
        try:
            watched = list(self._board.watched)
            self._begun = {key: at for key, at in self._begun.items() if key in watched}
            for key in watched:
                await self._weigh(key)
            for one in self._wanting():
                await self._explain(one)
        except (PortError, SnapshotError) as error:
            self.trouble = str(error)
        else:
            self.trouble = None

    async def _weigh(self, key: str) -> None:
        """Note how the experts of a series are weighed, and at first how they were."""
        newest = decoded(self._board.records_of(key)[-1:])
        who = whose(newest[0]) if newest else None
        if who is None:
            return
        found = [] if key in self._begun else await self._insight.past(who)
        now = await self._insight.now(who)
        if now is not None:
            found.append(now)
        samples = await self._before(key, who)
        if (found or samples) and self._weighings.note(key, who, found, samples):
            self._board.touch(key)

    async def _before(self, key: str, who: Whose) -> list[Sample]:
        """Return how a series was weighed before it was chosen, once that is told."""
        until = self._begun.setdefault(key, self._clock() + ANSWER_SECONDS)
        if self._clock() > until:
            return []
        samples = await self._insight.noted(who)
        if samples is None:
            return []
        self._begun[key] = float("-inf")
        return samples

    def _wanting(self) -> Sequence[Told]:
        """Return the newest episodes that have no words yet, those that are open."""
        now = self._clock()
        wanting = [
            one
            for one in self._board.alerts()
            if one.carried is None
            and (one.newest.state == "open" or one.newest.series in self._board.watched)
            and self._tried.get(one.newest.episode, -AGAIN_SECONDS) <= now - AGAIN_SECONDS
        ]
        chosen = self._board.watched
        wanting.sort(key=lambda one: (one.newest.series in chosen, one.newest.at), reverse=True)
        return wanting[:MOST_AT_ONCE]

    async def _explain(self, one: Told) -> None:
        alert = one.newest
        self._tried[alert.episode] = self._clock()
        words = told(alert, decoded(self._board.records_of(alert.series)))
        who = whose(alert)
        if words is None and who is not None and alert.state == "open":
            words = await self._by_state(one, who)
        if words is not None:
            self._tried.pop(alert.episode)
            self._board.carry(alert.episode, words)

    async def _by_state(self, one: Told, who: Whose) -> Carried | None:
        """Explain an episode by the series as it stands, or by a kept checkpoint before."""
        now = await self._insight.now(who)
        words = await _explained(one, now)
        if words is None or words.exact:
            return words
        for look in reversed(await self._insight.past(who)):
            earlier = await _explained(one, look)
            if earlier is not None and earlier.exact:
                return earlier
        return words


async def _explained(one: Told, look: Look | None) -> Carried | None:
    if look is None:
        return None
    return await asyncio.to_thread(carried, one.newest, look)
