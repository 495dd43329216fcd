"""What each worker tells of itself, for the page that another one serves.

Before: `worker` knows how its partitions are. After: `group` shows the health of all. A report lies
in Redis beside the state of its partition, is overwritten by whoever holds it next, and is gone a
few seconds after its worker. No more than SET and MGET is needed, which the state needs as well.
"""

from __future__ import annotations

import logging
from collections.abc import Callable, Iterable, Sequence

import msgspec
from msgspec import Struct
from redis.asyncio import Redis

from hedgerow.agents.errors import PortError
from hedgerow.agents.ports import Partition
from hedgerow.app.console.background import Background
from hedgerow.app.state.failures import unavailable
from hedgerow.app.state.keys import Keys

logger = logging.getLogger(__name__)

REPORT_SECONDS = 5.0
GONE_SECONDS = 16  # after three that did not come


class Report(Struct, frozen=True, gc=False):
    """How one partition is, by the worker that holds it.

    Attributes
    ----------
    worker : str
        Its name.
    readings_per_second : float or None
        Learned since the report before, ``None`` in the first one.
    lag : int or None
        Messages not learned yet, ``None`` while the broker has not told.
    unsaved : int
        Messages learned since the last checkpoint.
    saved_seconds_ago : float
        Age of the last checkpoint, from when it last was found to stand.
    generation : int
        Of that checkpoint; 0 before the first.
    not_ready : str or None
        Why the worker is not ready, ``None`` when it is.
    """

    worker: str
    partition: int
    readings_per_second: float | None
    lag: int | None
    unsaved: int
    saved_seconds_ago: float
    generation: int
    not_ready: str | None


class Reports:
    """The reports of one group and topic.

    Parameters
    ----------
    redis : Redis
        Bytes in, bytes out.
    prefix, group, topic : str
        Parts of the keys, as in `hedgerow.app.state.keys`.
    """

    def __init__(self, redis: Redis, *, prefix: str, group: str, topic: str) -> None:
        self._redis = redis
        self._keys = Keys(prefix, group)
        self._topic = topic

    async def write(self, reports: Iterable[Report]) -> None:
        """Write reports, to be forgotten soon; raises `PortError` if Redis does not answer."""
        for report in reports:
            body = msgspec.json.encode(report)
            with unavailable():
                await self._redis.set(self._key(report.partition), body, ex=GONE_SECONDS)

    async def read(self, partitions: Sequence[int]) -> dict[int, Report]:
        """Read what is told of partitions; those that nobody tells of are left out."""
        found = {}
        for number in partitions:  # each lies in a slot of its own
            with unavailable():
                (body,) = await self._redis.mget([self._key(number)])
            if body is not None:
                try:
                    found[number] = msgspec.json.decode(body, type=Report)
                except msgspec.DecodeError:  # by another release
                    continue
        return found

    def _key(self, partition: int) -> str:
        return self._keys.holder(Partition(self._topic, partition))


class Reporter(Background):
    """Writes what a worker tells of its partitions, every few seconds, looked at or not.

    Parameters
    ----------
    told : Callable[[], list of Report]
        What there is to tell now.
    """

    def __init__(self, reports: Reports, told: Callable[[], list[Report]]) -> None:
        self._reports = reports
        self._told = told
        self._reached = True

    @property
    def pause_seconds(self) -> float:
        """The same for all workers."""
        return REPORT_SECONDS

    async def once(self) -> None:
        """Write; that Redis does not answer is said once."""
        try:
            await self._reports.write(self._told())
        except PortError as error:
            if self._reached:
                logger.warning("other workers' consoles do not hear of this one: %s", error)
            self._reached = False
        else:
            self._reached = True
