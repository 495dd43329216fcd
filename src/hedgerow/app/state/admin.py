"""What ``hedgerow state`` does with the learning state in Redis, while no worker runs.

``repartition`` and ``adopt`` write new snapshots of all partitions beside the stored ones first
and then note in the census that a move is under way; from there on, being called again
finishes it. Before, nothing has happened.
"""

from __future__ import annotations

import asyncio
import time
from collections.abc import AsyncIterator, Sequence
from contextlib import asynccontextmanager
from dataclasses import dataclass

from confluent_kafka import KafkaError, KafkaException
from confluent_kafka.admin import AdminClient
from redis.asyncio import Redis

from hedgerow.agents.ports import Checkpoint, NoProbe, Partition, Progress
from hedgerow.app.access.stores import connect, disconnect
from hedgerow.app.broker.partitioner import partition_of
from hedgerow.app.broker.readings_log import LogFacts, describe_log
from hedgerow.app.broker.spans import spans
from hedgerow.app.broker.topic_admin import admin_client
from hedgerow.app.city import city_model
from hedgerow.app.errors import AppError, BrokerUnavailable, WorkersRunning
from hedgerow.app.settings import Settings
from hedgerow.app.state.census import Census, RedisCensus
from hedgerow.app.state.drain import Progress as ShowProgress
from hedgerow.app.state.drain import drain
from hedgerow.app.state.store import RedisStateStore
from hedgerow.models import Counts, Learner, decode_chunk
from hedgerow.models.snapshot.moving import deal

ANSWER_SECONDS = 10.0
_NO_GROUP = {KafkaError.GROUP_ID_NOT_FOUND}


@dataclass(frozen=True, slots=True)
class Kept:
    """What is stored of one partition, ``None`` where it was never saved."""

    partition: int
    epoch: int
    generation: int | None = None
    next_offset: int | None = None
    series: int = 0
    counts: Counts | None = None
    skipped: int = 0
    log_id: str = ""


@dataclass(frozen=True, slots=True)
class Shift:
    """What a repartition or an adoption did.

    Attributes
    ----------
    before, after : int
        Partitions.
    moved, kept : int
        Series that changed their partition, and that did not.
    doubled : tuple of str
        Series that were learned in several partitions.
    """

    before: int
    after: int
    moved: int
    kept: int
    doubled: tuple[str, ...] = ()


class StateAdmin:
    """The state of one group and topic.

    Parameters
    ----------
    settings : Settings
        Which group, topic, broker and Redis.
    redis : Redis
        Bytes in, bytes out.

    Attributes
    ----------
    redis : Redis
        As given.
    store : RedisStateStore
        Where the snapshots are.
    """

    def __init__(self, settings: Settings, redis: Redis) -> None:
        self._settings = settings
        self.redis = redis
        self._topic = settings.topics.readings
        self._admin: AdminClient = admin_client(settings.kafka)
        prefix, group = settings.redis.prefix, settings.group
        self.store = RedisStateStore(
            redis, prefix=prefix, group=group, probe=NoProbe(), keep=settings.checkpoint.keep
        )
        self._census = RedisCensus(redis, prefix=prefix, group=group, topic=self._topic)

    async def kept(self) -> list[Kept]:
        """Look at what is stored of each partition; changes nothing."""
        return [await self._kept(partition) for partition in await self.partitions()]

    async def forget(self, numbers: Sequence[int] = ()) -> list[int]:
        """Remove what is stored of some partitions, or of all and the census with them.

        Returns
        -------
        list of int
            The partitions.
        """
        self.no_workers()
        wanted = [Partition(self._topic, number) for number in numbers]
        for partition in wanted or await self.partitions():
            await self.store.forget_all(partition)
        if not wanted:
            wanted = await self.partitions()
            await self._census.forget()
        return [partition.number for partition in wanted]

    async def repartition(self, progress: ShowProgress) -> Shift:
        """Learn the old partitions to their ends, then move each series to its new one."""
        self.no_workers()
        log = describe_log(self._admin, self._topic)
        before = await self._finish_move(log)
        if before == log.partitions:
            return Shift(before, log.partitions, 0, 0)
        if before > log.partitions:
            raise AppError(
                f"{self._topic} has {log.partitions} partitions, the state {before}: Kafka never "
                "takes partitions away, so the topic was made anew; run `hedgerow state adopt`"
            )
        old = [Partition(self._topic, number) for number in range(before)]
        held = await drain(
            self._settings, log, self.redis, spans(self._settings.kafka, old), progress
        )
        places = [(holding.next_offset, holding.progress) for holding in held]
        return await self._move(log, [holding.learner for holding in held], places)

    async def adopt(self) -> Shift:
        """Take what was learned over to the topic as it is now, and begin at its start."""
        self.no_workers()
        log = describe_log(self._admin, self._topic)
        await self._finish_move(log)
        learners = []
        skipped = []
        city, limit = city_model(self._settings), self._settings.input.max_series
        for partition in await self.partitions():
            stored = await self.store.peek(partition)
            if stored is None:
                learners.append(Learner(city, max_series=limit))
                skipped.append(0)
            else:
                learners.append(Learner.restore(city, stored.chunks, max_series=limit))
                skipped.append(stored.progress.skipped)
        now = [Partition(self._topic, number) for number in range(log.partitions)]
        held = spans(self._settings.kafka, now)
        skipped += [0] * (log.partitions - len(skipped))
        places = [
            (held[partition].earliest, Progress(skipped=count))
            for partition, count in zip(now, skipped, strict=False)
        ]
        return await self._move(log, learners, places)

    # ---------------------------------------------------------------- pieces

    async def partitions(self) -> list[Partition]:
        """Return the partitions there may be state of."""
        census = await self._census.read()
        if census is None:
            count = describe_log(self._admin, self._topic).partitions
        else:
            count = max(census.partitions, census.moving_to)
        return [Partition(self._topic, number) for number in range(count)]

    async def _kept(self, partition: Partition) -> Kept:
        epoch, _ = await self.store.standing(partition)
        stored = await self.store.peek(partition, ["meta"])
        if stored is None:
            return Kept(partition.number, epoch)
        meta = decode_chunk(stored.chunks["meta"]).meta
        return Kept(
            partition.number,
            epoch,
            stored.generation,
            stored.next_offset,
            int(meta["series"]),
            Counts(**meta["counts"]),
            stored.progress.skipped,
            stored.log_id,
        )

    async def _move(
        self,
        log: LogFacts,
        learners: list[Learner],
        places: Sequence[tuple[int, Progress]],
    ) -> Shift:
        """Deal the series out, store every partition anew, and write the new census."""
        settings, after = self._settings, log.partitions
        partitioner = settings.topics.partitioner
        before = len(learners)
        if before == after:  # another log, the same partitions: every series stays
            dealt, moved, doubled = learners, 0, []
            kept = sum(learner.series_count for learner in learners)
        else:
            result = deal(
                learners,
                city=city_model(settings),
                partitions=after,
                target_of=lambda sensor: partition_of(
                    partitioner, sensor.encode("utf-8", "surrogatepass"), after
                ),
                max_series=settings.input.max_series,
            )
            dealt, moved, kept = result.learners, result.moved, result.kept
            doubled = result.doubled
        now = [Partition(self._topic, number) for number in range(after)]
        new = now[len(places) :]
        starts = spans(self._settings.kafka, new) if new else {}
        places = [*places, *((starts[partition].earliest, Progress()) for partition in new)]
        for partition, learner, (offset, progress) in zip(now, dealt, places, strict=False):
            await self._stage(log, partition, learner, offset, progress)
        await self._census.write(Census(before, moving_to=after))
        await self._finish_move(log)
        return Shift(before, after, moved, kept, tuple(doubled))

    async def _stage(
        self, log: LogFacts, partition: Partition, learner: Learner, offset: int, progress: Progress
    ) -> None:
        claim = await self.store.claim(partition)
        _, generation = await self.store.standing(partition)
        await self.store.stage(claim, whole(learner, generation, offset, log.log_id, progress))

    async def _finish_move(self, log: LogFacts) -> int:
        """Put in place what a move has made ready, if one is under way.

        Returns
        -------
        int
            The partitions of the state now.
        """
        census = await self._census.read()
        if census is None:
            return log.partitions
        if census.moving_to:
            for number in range(census.moving_to):
                await self.store.promote(Partition(self._topic, number))
            for number in range(census.moving_to, census.partitions):
                await self.store.forget_all(Partition(self._topic, number))
            census = Census(census.moving_to)
            await self._census.write(census)
        return census.partitions

    def no_workers(self) -> None:
        """Refuse while the group has members."""
        group = self._settings.group
        deadline = time.monotonic() + ANSWER_SECONDS
        while True:
            try:
                found = self._admin.describe_consumer_groups(
                    [group], request_timeout=ANSWER_SECONDS
                )[group].result(ANSWER_SECONDS)
            except KafkaException as error:
                if error.args[0].code() in _NO_GROUP:
                    return
                if time.monotonic() > deadline:
                    raise BrokerUnavailable(
                        f"the broker does not tell who is in group {group}: {error.args[0].str()}"
                    ) from None
                time.sleep(0.2)  # the group's coordinator is being looked for
                continue
            if found.members:
                names = ", ".join(sorted(member.host for member in found.members))
                raise WorkersRunning(
                    f"{len(found.members)} workers of group {group} are running (on {names}); "
                    "stop them all first"
                )
            return


def whole(
    learner: Learner, generation: int, next_offset: int, log_id: str, progress: Progress
) -> Checkpoint:
    """Make a checkpoint of all that a learner holds, to follow a generation."""
    learner.recapture_all()
    capture = learner.capture()
    names = tuple(capture.names)
    return Checkpoint(generation, next_offset, names, capture.encoded(), log_id, progress)


@asynccontextmanager
async def state_admin(settings: Settings) -> AsyncIterator[StateAdmin]:
    """Connect, for the length of an ``async with`` block."""
    redis = connect(settings.redis)
    try:
        yield await asyncio.to_thread(StateAdmin, settings, redis)
    finally:
        await disconnect(redis)
