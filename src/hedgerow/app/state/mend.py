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

from hedgerow.agents.holding import Holding
from hedgerow.agents.ports import Partition, Stored
from hedgerow.app.broker.readings_log import LogFacts, describe_log
from hedgerow.app.broker.spans import Span, whole_spans
from hedgerow.app.broker.topic_admin import admin_client
from hedgerow.app.errors import AppError
from hedgerow.app.settings import Settings
from hedgerow.app.state.admin import StateAdmin, state_admin, whole
from hedgerow.app.state.drain import Progress as ShowProgress
from hedgerow.app.state.drain import begins_at, drain
from hedgerow.app.state.kept import KeptStates, settled
from hedgerow.app.state.look import find_series
from hedgerow.models import EMPTY, Registry, series_key
from hedgerow.models.inspection import SeriesFacts, facts
from hedgerow.models.registry import CHUNK as REGISTRY
from hedgerow.models.snapshot.moving import without
from hedgerow.models.snapshot.restore import stored_registry
from hedgerow.topics import format_time

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
    settings : Settings
        As given.
    admin : StateAdmin
        Knows whether workers run, and which partitions there are.
    store : RedisStateStore
        Where the snapshots are.
    """

    def __init__(self, settings: Settings, admin: StateAdmin) -> None:
        self.settings = settings
        self.admin = admin
        self.store = admin.store
        self._topic = settings.topics.readings
        self._kafka = admin_client(settings.kafka)
        self._log: LogFacts | None = None

    async def log(self) -> LogFacts:
        """Describe the readings' topic; the broker is asked once."""
        if self._log is None:
            self._log = await asyncio.to_thread(describe_log, self._kafka, self._topic)
        return self._log

    async def kept(self) -> KeptStates:
        """Return the kept states of the topic."""
        return KeptStates(self.settings, self.store, await self.log())

    async def see(self, partition: Partition, wanted: Callable[[Name], bool]) -> Sight | None:
        """Look at the wanted series of a partition; ``None`` if nothing is stored."""
        state = await (await self.kept()).newest(partition)
        if state is None:
            return None
        stored, learner = state
        names = tuple(learner.series.name(number) for number in range(learner.series_count))
        epoch, _ = await self.store.standing(partition)
        found = tuple(facts(learner, n) for n, name in enumerate(names) if wanted(name))
        bare = Stored(stored.generation, stored.next_offset, stored.log_id, {}, stored.progress)
        return Sight(partition, epoch, bare, found, names)

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
        where = await find_series(self.settings, self.store, await self.admin.partitions(), key)
        sight = await self.see(where.partition, lambda name: name == where.name)
        if sight is None:
            raise NotMended(f"nothing is stored of {where.partition} any more")
        return sight

    async def partitions(self, numbers: Sequence[int] = ()) -> list[Partition]:
        """Return these partitions, or all there may be state of."""
        if numbers:
            return [self._partition(number) for number in numbers]
        return await self.admin.partitions()

    # ---------------------------------------------------------------- reset

    async def plan_series(self, key: str) -> Reset:
        """Say what resetting a series will do; changes nothing."""
        self.admin.no_workers()
        sight = await self.see_series(key)
        [one] = sight.series
        others = f"the {len(sight.names) - 1:,} other series stay as they are"
        return Reset(
            sight.partition,
            ((one.sensor_id, one.quantity),),
            f"{await self.first(sight)}. Then what was learned of {key} ({one.learned:,} readings) "
            f"is forgotten: it begins anew with its next reading, and {others}{left_open(one)}",
        )

    async def plan_partition(self, number: int) -> Reset:
        """Say what resetting a partition will do; changes nothing."""
        self.admin.no_workers()
        sight = await self.see(self._partition(number), lambda _: False)
        if sight is None:
            raise NotMended(f"nothing is stored of {self._partition(number)}: it begins anew as is")
        return Reset(
            sight.partition,
            sight.names,
            f"{await self.first(sight)}. Then what was learned of all its {len(sight.names):,} "
            "series is forgotten: they begin anew with their next readings, and what was learned "
            "before is not learned again (`hedgerow state forget` does that)",
        )

    async def reset(self, plan: Reset, show: ShowProgress) -> int:
        """Learn the partition to its end, then forget the series; return the next offset."""
        self.admin.no_workers()
        log, partition = await self.log(), plan.partition
        held = await self.drained(partition, show)
        rest = without(held.learner, set(plan.names))
        checkpoint = whole(rest, held.generation, held.next_offset, log.log_id, held.progress)
        await self.store.save(held.claim, checkpoint)
        return held.next_offset

    # ---------------------------------------------------------------- learning to the end

    async def _span(self, partition: Partition) -> Span:
        kafka = self.settings.kafka
        return (await asyncio.to_thread(whole_spans, kafka, [partition]))[partition]

    async def registry_of(self, partition: Partition) -> Registry:
        """Return the registry that a partition's newest state goes by."""
        stored = await settled(self.store.peek, partition, ("meta", REGISTRY))
        return EMPTY if stored is None else stored_registry(stored.chunks)

    async def drained(self, partition: Partition, show: ShowProgress) -> Holding:
        """Claim a partition, learn it to its end and save that."""
        held = {partition: await self._span(partition)}
        [one] = await drain(self.settings, await self.log(), self.admin.redis, held, show)
        return one

    async def first(self, sight: Sight) -> str:
        """Say what `drained` will do with a partition.

        Raises
        ------
        PortError
            If messages are gone and the policy is to stop then.
        """
        due, span = sight.stored.next_offset, await self._span(sight.partition)
        begin = begins_at(self.settings, sight.partition, due, span)
        if begin == due:
            return (
                f"{sight.partition} is first learned to its end, from offset {due:,} on, and the "
                "outputs of that are published"
            )
        skipped = (
            f"the {begin - due:,} messages from offset {due:,} on are skipped as a worker would"
        )
        why = f"(Kafka no longer holds all of them; on_gap = {self.settings.on_gap})"
        if begin == span.end:
            return f"{sight.partition}: {skipped} {why}, and nothing is left to learn first"
        return (
            f"{sight.partition} is first learned to its end, from offset {begin:,} on, and the "
            f"outputs of that are published; {skipped} {why}"
        )

    # ---------------------------------------------------------------- rollback

    async def plan_rollback(self, number: int, generation: int | None) -> Rollback:
        """Say what going back will do; changes nothing.

        Raises
        ------
        NotKept
            If there is no such generation.
        StoreCorrupt, SnapshotError
            If it cannot be used.
        """
        self.admin.no_workers()
        partition = self._partition(number)
        kept = await self.kept()
        newest, to = await kept.before(partition, generation)
        await kept.one(partition, to.generation)  # can it be used?
        span = await self._span(partition)
        gone = max(0, span.earliest - to.next_offset)
        lost = (
            f"; {gone:,} of them Kafka no longer holds, and on_gap = {self.settings.on_gap} "
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
        self.admin.no_workers()
        claim = await self.store.claim(plan.partition)
        kept = await self.store.kept(plan.partition)
        numbers = [one.generation for one in kept]
        if numbers[:1] != [plan.newest.generation] or plan.to.generation not in numbers:
            raise NotMended(f"{plan.partition} was saved meanwhile; look again and repeat")
        await self.store.revert(claim, plan.to.generation)

    def _partition(self, number: int) -> Partition:
        return Partition(self._topic, number)


@asynccontextmanager
async def mender(settings: Settings) -> AsyncIterator[Mender]:
    """Connect, for the length of an ``async with`` block."""
    async with state_admin(settings) as admin:
        yield Mender(settings, admin)


def left_open(now: SeriesFacts, then: SeriesFacts | None = None) -> str:
    """Say which open alerts of a series will not be known any more, and so never resolved.

    Parameters
    ----------
    now : SeriesFacts
        What stands.
    then : SeriesFacts, optional
        What it goes back to, but for when it was last heard; nothing otherwise.
    """
    kept = set() if then is None else {(one.kind, one.opened_ms) for one in then.episodes}
    lost = [
        f"{one.kind} since {format_time(one.opened_ms)}"
        for one in now.episodes
        if (one.kind, one.opened_ms) not in kept and not (then and one.kind == "silent")
    ]
    return f". No record will resolve its open alerts: {', '.join(lost)}" if lost else ""
