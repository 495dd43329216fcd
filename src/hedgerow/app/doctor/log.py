"""Checks of the readings' log against the state: partitions, partitioner, series in two places.

Where the broker or Redis does not answer, `hedgerow.app.doctor.examine` has said so, and these keep
silent.
"""

from __future__ import annotations

import asyncio
from collections.abc import Iterator

from redis.exceptions import RedisError

from hedgerow.agents.errors import PortError, Refused, StoreUnavailable
from hedgerow.agents.ports import Partition
from hedgerow.app.access.stores import connect, disconnect
from hedgerow.app.broker.partitioner import recognise
from hedgerow.app.broker.readings_log import LogFacts, describe_log
from hedgerow.app.broker.spans import Span, SpanReader, spans
from hedgerow.app.broker.topic_admin import admin_client
from hedgerow.app.doctor.check import Check, Status
from hedgerow.app.errors import AppError
from hedgerow.app.settings import Settings
from hedgerow.app.state.census import Census, RedisCensus
from hedgerow.app.state.store import RedisStateStore
from hedgerow.models import ModelError
from hedgerow.models.snapshot.moving import stored_series

SAMPLE = 200  # messages at the end of each partition
ENOUGH = 50_000  # messages altogether, should the topic grow faster than it is read
NO_END = 2**62
FEWEST_KEYS = 10  # below this a partitioner may fit by chance
NEARLY_ALL = 0.95
SHOWN = 3


def examine_log(settings: Settings) -> Iterator[Check]:
    """Check one thing after the other."""
    try:
        facts = describe_log(admin_client(settings.kafka), settings.topics.readings)
        yield _partitioner(settings, facts)
        census, series = asyncio.run(_stored(settings, facts))
    except (AppError, StoreUnavailable, Refused, RedisError, OSError):
        return
    except (PortError, ModelError) as error:
        advice = "see `hedgerow state list`; restore Redis, or run `hedgerow state forget`"
        yield Check("state", Status.FAIL, str(error), advice)
        return
    yield _partitions(facts, census)
    yield _doubled(series)


def _partitioner(settings: Settings, facts: LogFacts) -> Check:
    name, set_to = "partitioner", settings.topics.partitioner
    keys = _sample(settings, facts)
    if facts.partitions == 1 or len(keys) < FEWEST_KEYS:
        found = f"{len(keys)} keys in {facts.partitions} partitions: too few to recognise one"
        return Check(name, Status.OK, found)
    shares = recognise(keys, facts.partitions)
    best = max(shares, key=lambda one: shares[one])
    found = f"{shares[set_to]:.0%} of {len(keys)} keys lie where {set_to} puts them"
    if shares[set_to] >= NEARLY_ALL:
        return Check(name, Status.OK, found)
    if shares[best] >= NEARLY_ALL:
        advice = f'set topics.partitioner = "{best}", which explains {shares[best]:.0%}'
        return Check(name, Status.WARN, found, advice)
    advice = (
        "senders choose partitions in another way than by the key's hash; should partitions be "
        "added, `hedgerow state repartition` cannot know where series go"
    )
    return Check(name, Status.WARN, found, advice)


def _sample(settings: Settings, facts: LogFacts) -> set[tuple[bytes, int]]:
    """Read the keys of the last messages of each partition."""
    topic = settings.topics.readings
    partitions = [Partition(topic, number) for number in range(facts.partitions)]
    ends = spans(settings.kafka, partitions)
    # To where a fetch finds nothing more: the embedded broker tells its ends too low.
    wanted = {p: Span(max(s.earliest, s.end - SAMPLE), NO_END) for p, s in ends.items()}
    found: set[tuple[bytes, int]] = set()
    count = 0
    with SpanReader(settings.kafka, wanted) as reader:
        while not reader.finished and count < ENOUGH:
            for partition, messages in reader.read().items():
                found.update((m.key, partition.number) for m in messages if m.key)
                count += len(messages)
    return found


async def _stored(
    settings: Settings, facts: LogFacts
) -> tuple[Census | None, dict[str, list[int]]]:
    """Read the census, and in which partitions each series was learned."""
    client = connect(settings.redis)
    prefix, group, topic = settings.redis.prefix, settings.group, settings.topics.readings
    store = RedisStateStore(client, prefix=prefix, group=group)
    try:
        census = await RedisCensus(client, prefix=prefix, group=group, topic=topic).read()
        series: dict[str, list[int]] = {}
        for number in range(census.partitions if census else facts.partitions):
            stored = await store.peek(Partition(topic, number), ["series/"])
            for key in stored_series(stored.chunks) if stored is not None else ():
                series.setdefault(key, []).append(number)
    finally:
        await disconnect(client)
    return census, series


def _partitions(facts: LogFacts, census: Census | None) -> Check:
    name = "partitions"
    if census is None:
        return Check(name, Status.OK, f"{facts.partitions}, nothing learned yet")
    advice = "stop all workers, then run `hedgerow state repartition`"
    if census.moving_to:
        found = f"a move from {census.partitions} to {census.moving_to} is not finished"
        return Check(name, Status.FAIL, found, advice)
    if census.partitions != facts.partitions:
        found = f"{facts.partitions}, and the state was learned with {census.partitions}"
        return Check(name, Status.FAIL, found, advice)
    return Check(name, Status.OK, f"{facts.partitions}, as the state was learned with")


def _doubled(series: dict[str, list[int]]) -> Check:
    name = "series"
    doubled = {key: places for key, places in series.items() if len(places) > 1}
    if not doubled:
        return Check(name, Status.OK, f"{len(series):,}, each in one partition")
    shown = ", ".join(
        f"{key} in {' and '.join(map(str, places))}"
        for key, places in sorted(doubled.items())[:SHOWN]
    )
    advice = "key messages by sensor: in each partition such a series is learned by itself"
    found = f"{len(doubled):,} of {len(series):,} in several partitions: {shown}"
    return Check(name, Status.WARN, found, advice)
