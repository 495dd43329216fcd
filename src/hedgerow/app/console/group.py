"""The health of all workers: what each tells of itself, and what the stored checkpoints tell.

Before: every worker with a console writes reports. After: `views` shows a line for each worker, and
which partitions nobody tells of, with what is known of those.
"""

from __future__ import annotations

import time
from collections.abc import Callable, Mapping
from typing import NamedTuple

from hedgerow.agents.errors import PortError
from hedgerow.agents.ports import Partition
from hedgerow.app.console.checkpoints import Checkpoints
from hedgerow.app.console.reports import Report, Reports
from hedgerow.app.console.views import Member, Members, Untold

ASK_SECONDS = 2.0


class _Seen(NamedTuple):
    generation: int
    at: float


class Group:
    """Asks how the workers are, while somebody looks.

    Parameters
    ----------
    topic : str
        The readings' topic.
    here : str
        Name of the worker that serves the page.

    Attributes
    ----------
    members : Members or None
        What was found last, ``None`` before the first time.
    trouble : str or None
        Why nothing can be known just now, in a sentence.
    """

    def __init__(
        self,
        reports: Reports,
        checkpoints: Checkpoints,
        *,
        topic: str,
        here: str,
        clock: Callable[[], float] = time.monotonic,
    ) -> None:
        self._reports = reports
        self._checkpoints = checkpoints
        self._topic = topic
        self._here = here
        self._clock = clock
        self._asked_at = float("-inf")
        self._seen: dict[int, _Seen] = {}
        self.members: Members | None = None
        self.trouble: str | None = None

    async def ask(self, ends: Mapping[int, int]) -> None:
        """Ask again, unless that was a moment ago.

        Parameters
        ----------
        ends : Mapping of int to int
            Where the log of each partition ends.
        """
        if self._clock() - self._asked_at < ASK_SECONDS or not ends:
            return
        self._asked_at = self._clock()
        try:
            reports = await self._reports.read(sorted(ends))
            untold = [await self._stored(n, ends[n]) for n in sorted(ends.keys() - reports.keys())]
        except PortError as error:
            self.trouble = str(error)
        else:
            self.trouble = None
            self.members = Members(self._by_worker(reports), untold, len(ends))

    def _by_worker(self, reports: Mapping[int, Report]) -> list[Member]:
        by_worker: dict[str, list[Report]] = {}
        for report in reports.values():
            by_worker.setdefault(report.worker, []).append(report)
        return [member(name, told, name == self._here) for name, told in sorted(by_worker.items())]

    def lag(self, committed: int | None) -> int | None:
        """Return the messages that the group has not learned yet.

        Its workers know best; what is committed for lag tools is a few seconds old.

        Parameters
        ----------
        committed : int or None
            The lag by what is committed, for where a worker does not tell.
        """
        if self.members is None or self.trouble is not None:
            return committed
        lags = [one.lag for one in self.members.workers]
        if None in lags:
            return committed
        return sum(lag or 0 for lag in lags) + sum(one.since for one in self.members.untold)

    async def _stored(self, number: int, end: int) -> Untold:
        """Say of a partition that nobody tells of what its newest checkpoint says."""
        kept = await self._checkpoints.kept(Partition(self._topic, number))
        if not kept:
            return Untold(number, None, end, 0.0)
        now, newest = self._clock(), kept[0]
        seen = self._seen.get(number)
        if seen is None or seen.generation != newest.generation:
            seen = self._seen[number] = _Seen(newest.generation, now)
        since = max(0, end - newest.next_offset)
        return Untold(number, newest.generation, since, now - seen.at)


def member(name: str, reports: list[Report], here: bool) -> Member:
    """Add up what a worker tells of its partitions.

    Examples
    --------
    >>> one = Report("w", 3, 10.0, 5, 70, 4.0, 2, None)
    >>> other = Report("w", 1, None, None, 0, 9.0, 7, None)
    >>> both = member("w", [one, other], here=True)
    >>> both.partitions, both.readings_per_second, both.lag, both.unsaved, both.saved_seconds_ago
    ([1, 3], 10.0, 5, 70, 9.0)
    """
    rates = [one.readings_per_second for one in reports if one.readings_per_second is not None]
    lags = [one.lag for one in reports if one.lag is not None]
    return Member(
        worker=name,
        here=here,
        partitions=sorted(one.partition for one in reports),
        readings_per_second=sum(rates) if rates else None,
        lag=sum(lags) if lags else None,
        unsaved=sum(one.unsaved for one in reports),
        saved_seconds_ago=max(one.saved_seconds_ago for one in reports),
        saved=all(one.generation > 0 for one in reports),
        not_ready=next((one.not_ready for one in reports if one.not_ready), None),
    )
