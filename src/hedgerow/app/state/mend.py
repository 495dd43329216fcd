"""What ``hedgerow state reset`` and ``rollback`` do, while no worker runs.

Each is told in a sentence before it is done. Both claim the partition, so that whatever held it
before is fenced, and put another snapshot in place by the same one call as a checkpoint does:
before it the old one stands, whole, and after it the new one.
"""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Callable, Sequence
from contextlib import asynccontextmanager
from dataclasses import dataclass
from fnmatch import fnmatchcase

from hedgerow.agents.ports import Partition, Stored
from hedgerow.app.broker.readings_log import LogFacts, describe_log
from hedgerow.app.broker.spans import Span, spans
from hedgerow.app.broker.topic_admin import admin_client
from hedgerow.app.city import city_model
from hedgerow.app.errors import AppError
from hedgerow.app.settings import Settings
from hedgerow.app.state.admin import StateAdmin, state_admin, whole
from hedgerow.app.state.drain import Progress as ShowProgress
from hedgerow.app.state.drain import drain
from hedgerow.app.state.look import find_series, kept_states
from hedgerow.models import Learner, series_key
from hedgerow.models.inspection import SeriesFacts, facts
from hedgerow.models.snapshot.moving import without

MUCH = 2**62  # an offset beyond every log
Name = tuple[str, str]


class NotMended(AppError):
    """What is asked for cannot be done; the sentence says what can."""


@dataclass(frozen=True, slots=True)
class Sight:
    """A partition's newest state, looked at.

    Attributes
    ----------
    stored : Stored
        Without its chunks.
    series : tuple of SeriesFacts
        Of those that were asked for, in the order in which they came.
    names : tuple of (str, str)
        Sensor and quantity of every series.
    """

    partition: Partition
    epoch: int
    stored: Stored
    series: tuple[SeriesFacts, ...]
    names: tuple[Name, ...]


@dataclass(frozen=True, slots=True)
class Reset:
    """What is to be forgotten.

    Attributes
    ----------
    names : tuple of (str, str)
        Sensor and quantity of each series.
    what : str
        What will happen, in a sentence or two.
    """

    partition: Partition
    names: tuple[Name, ...]
    what: str


@dataclass(frozen=True, slots=True)
class Rollback:
    """A way back: from what is stored to what was before."""

    partition: Partition
    newest: Stored
    to: Stored
    what: str


class Mender:
    """Looks at partitions and mends them, for one group and topic.

    Attributes
    ----------
    store : RedisStateStore
        Where the snapshots are.
    """

    def __init__(self, settings: Settings, admin: StateAdmin) -> None:
        self._settings = settings
        self._admin = admin
        self.store = admin.store
        self._topic = settings.topics.readings
        self._kafka = admin_client(settings.kafka)
        self._log: LogFacts | None = None

    async def log(self) -> LogFacts:
        """Describe the readings' topic; the broker is asked once."""
        if self._log is None:
            self._log = await asyncio.to_thread(describe_log, self._kafka, self._topic)
        return self._log

    async def see(self, partition: Partition, wanted: Callable[[Name], bool]) -> Sight | None:
        """Look at the wanted series of a partition; ``None`` if nothing is stored."""
        async for stored, learner in kept_states(
            self._settings, self.store, partition, await self.log()
        ):
            names = tuple(learner.series.name(number) for number in range(learner.series_count))
            epoch, _ = await self.store.standing(partition)
            found = tuple(facts(learner, n) for n, name in enumerate(names) if wanted(name))
            bare = Stored(stored.generation, stored.next_offset, stored.log_id, {}, stored.progress)
            return Sight(partition, epoch, bare, found, names)
        return None

    async def see_matching(self, partition: Partition, pattern: str) -> Sight | None:
        """Look at the series of a partition whose key matches; ``None`` if nothing is stored."""
        return await self.see(partition, lambda name: fnmatchcase(series_key(*name), pattern))

    async def see_series(self, key: str) -> Sight:
        """Look at one series.

        Raises
        ------
        SeriesUnknown
            If there is none of that key.
        """
        where = await find_series(self._settings, self.store, await self._admin.partitions(), key)
        sight = await self.see(where.partition, lambda name: name == where.name)
        if sight is None:
            raise NotMended(f"nothing is stored of {where.partition} any more")
        return sight

    async def partitions(self, numbers: Sequence[int] = ()) -> list[Partition]:
        """Return these partitions, or all there may be state of."""
        if numbers:
            return [self._partition(number) for number in numbers]
        return await self._admin.partitions()

    # ---------------------------------------------------------------- reset

    async def plan_series(self, key: str) -> Reset:
        """Say what resetting a series will do; changes nothing."""
        self._admin.no_workers()
        sight = await self.see_series(key)
        [one] = sight.series
        others = f"the {len(sight.names) - 1:,} other series stay as they are"
        return Reset(
            sight.partition,
            ((one.sensor_id, one.quantity),),
            f"{_first(sight)}. Then what was learned of {key} ({one.learned:,} readings) is "
            f"forgotten: it begins anew with its next reading, and {others}",
        )

    async def plan_partition(self, number: int) -> Reset:
        """Say what resetting a partition will do; changes nothing."""
        self._admin.no_workers()
        sight = await self.see(self._partition(number), lambda _: False)
        if sight is None:
            raise NotMended(f"nothing is stored of {self._partition(number)}: it begins anew as is")
        return Reset(
            sight.partition,
            sight.names,
            f"{_first(sight)}. Then what was learned of all its {len(sight.names):,} series is "
            "forgotten: they begin anew with their next readings, and what was learned before is "
            "not learned again (`hedgerow state forget` does that)",
        )

    async def reset(self, plan: Reset, show: ShowProgress) -> int:
        """Learn the partition to its end, then forget the series; return the next offset."""
        self._admin.no_workers()
        log, partition = await self.log(), plan.partition
        span = (await asyncio.to_thread(spans, self._settings.kafka, [partition]))[partition]
        to_end = {partition: Span(span.earliest, MUCH)}  # a fetch finds the end
        [held] = await drain(self._settings, log, self._admin.redis, to_end, show)
        rest = without(held.learner, set(plan.names))
        checkpoint = whole(rest, held.generation, held.next_offset, log.log_id, held.progress)
        await self.store.save(held.claim, checkpoint)
        return held.next_offset

    # ---------------------------------------------------------------- rollback

    async def plan_rollback(self, number: int, generation: int | None) -> Rollback:
        """Say what going back will do; changes nothing."""
        self._admin.no_workers()
        partition = self._partition(number)
        kept = await self.store.kept(partition)
        told = ", ".join(f"{one.generation} (at offset {one.next_offset:,})" for one in kept)
        if len(kept) < 2:  # noqa: PLR2004 - the newest and one to go back to
            raise NotMended(
                f"{partition} has no generation to go back to: kept is {told or 'nothing'}. With "
                f"checkpoint.keep = {self._settings.checkpoint.keep} so many are, from as many "
                "checkpoints on"
            )
        newest, *older = kept
        to = next((one for one in older if generation in {None, one.generation}), None)
        if to is None:
            raise NotMended(
                f"{partition} cannot go back to generation {generation}: kept are {told}, and the "
                "first of them is what stands"
            )
        await self._check(partition, to)
        span = (await asyncio.to_thread(spans, self._settings.kafka, [partition]))[partition]
        gone = max(0, span.earliest - to.next_offset)
        lost = (
            f"; {gone:,} of them Kafka no longer holds, and on_gap = {self._settings.on_gap} "
            "decides what a worker does then"
            if gone
            else ""
        )
        between = newest.next_offset - to.next_offset
        again = (
            f"A worker learns the {between:,} messages between again and publishes their outputs "
            f"again, under the same ids{lost}"
            if between
            else "No message lies between, so nothing is learned or published again"
        )
        return Rollback(
            partition,
            newest,
            to,
            f"{partition} goes back from generation {newest.generation} at offset "
            f"{newest.next_offset:,} to generation {to.generation} at offset {to.next_offset:,}. "
            f"{again}",
        )

    async def rollback(self, plan: Rollback) -> None:
        """Put the generation before in place, fencing whoever held the partition.

        Raises
        ------
        NotMended
            If something was stored since it was planned.
        """
        self._admin.no_workers()
        claim = await self.store.claim(plan.partition)
        kept = await self.store.kept(plan.partition)
        numbers = [one.generation for one in kept]
        if numbers[:1] != [plan.newest.generation] or plan.to.generation not in numbers:
            raise NotMended(f"{plan.partition} was saved meanwhile; look again and repeat")
        await self.store.revert(claim, plan.to.generation)

    async def _check(self, partition: Partition, to: Stored) -> None:
        """Make sure that what is gone back to can be used."""
        stored = await self.store.peek_at(partition, to.generation)
        if stored is not None:
            limit = self._settings.input.max_series
            city = city_model(self._settings)
            await asyncio.to_thread(Learner.restore, city, stored.chunks, max_series=limit)

    def _partition(self, number: int) -> Partition:
        return Partition(self._topic, number)


@asynccontextmanager
async def mender(settings: Settings) -> AsyncIterator[Mender]:
    """Connect, for the length of an ``async with`` block."""
    async with state_admin(settings) as admin:
        yield Mender(settings, admin)


def _first(sight: Sight) -> str:
    return (
        f"{sight.partition} is first learned to its end, from offset "
        f"{sight.stored.next_offset:,} on, and the outputs of that are published"
    )
