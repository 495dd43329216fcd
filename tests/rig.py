"""One worker's loop on fakes: feed it a log, crash it, look at what came out."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Iterable, Sequence
from dataclasses import dataclass, field

from fakes import FakeClock, FakeEmitter, FakeMeter, FakeStore

from hedgerow.agents.forecast import ForecastAgent
from hedgerow.agents.holdings import Holdings
from hedgerow.agents.outputs import Outputs
from hedgerow.agents.ports import Batch, Fetch, Message, Partition, RegistrySource
from hedgerow.agents.storms import StormLimits
from hedgerow.models import CityModel, Learner
from hedgerow.topics import ReadingDecoder, TopicNames

PARTITION = Partition("sensor-data", 0)


@dataclass(frozen=True)
class Record:
    """One message of a made-up log."""

    offset: int
    value: bytes | None
    key: bytes | None = None
    timestamp: int = 1_800_000_000_000


def log(values: Iterable[bytes | None], key: bytes | None = b"k") -> list[Record]:
    return [Record(offset, value, key) for offset, value in enumerate(values)]


@dataclass
class Rig:
    """A worker on fakes; `restart` loses its memory and keeps the store."""

    city: CityModel
    store: FakeStore = field(default_factory=FakeStore)
    emitter: FakeEmitter = field(default_factory=FakeEmitter)
    meter: FakeMeter = field(default_factory=FakeMeter)
    clock: FakeClock = field(default_factory=FakeClock)
    failures: list[Exception] = field(default_factory=list)
    realigned: list[tuple[Partition, int]] = field(default_factory=list)
    max_series: int = 1_000
    interval_seconds: float = 10.0
    load_seconds: float = 60.0
    limits: StormLimits = StormLimits()
    log_id: str = "first"
    stop_on_rollback: bool = False
    registry: RegistrySource | None = None

    def __post_init__(self) -> None:
        self.restart()

    def restart(self) -> None:
        self.holdings = Holdings(
            store=self.store,
            emitter=self.emitter,
            meter=self.meter,
            clock=self.clock,
            city=self.city,
            max_series=self.max_series,
            interval_seconds=self.interval_seconds,
            load_seconds=self.load_seconds,
            log_id=self.log_id,
            stop_on_rollback=self.stop_on_rollback,
            on_failure=self.failures.append,
            registry=self.registry,
        )
        self.agent = ForecastAgent(
            decoder=ReadingDecoder(),
            holdings=self.holdings,
            outputs=Outputs(TopicNames(), self.meter),
            emitter=self.emitter,
            meter=self.meter,
            realign=lambda partition, offset: self.realigned.append((partition, offset)),
            on_failure=self.failures.append,
            limits=self.limits,
        )

    async def assign(self, partition: Partition = PARTITION, *, log_end: int = 0) -> int:
        async def earliest(partitions: Sequence[Partition]) -> dict[Partition, int]:
            return dict.fromkeys(partitions, 0)

        async def ends(partitions: Sequence[Partition]) -> dict[Partition, int]:
            return dict.fromkeys(partitions, log_end)

        return (await self.holdings.assign([partition], earliest, ends))[partition]

    async def feed(self, *batches: Batch) -> None:
        async def stream() -> AsyncIterator[Fetch]:
            for batch in batches:
                yield [batch]

        await self.agent.run(stream())

    async def feed_from(self, offset: int, messages: Sequence[Message]) -> None:
        await self.feed(batch(messages[offset:], start=offset))

    async def save(self) -> None:
        await self.holdings.checkpoint_all(5.0)

    async def checkpoint(self) -> None:
        """Let the checkpoint come that is due next."""
        self.clock.now += max(self.interval_seconds, 30.0)  # longer than any claim is trusted
        self.holdings.checkpoint_when_due()
        while saving := [held.saving for held in self.holdings.all() if held.saving]:
            await asyncio.wait(saving)

    @property
    def learner(self) -> Learner:
        holding = self.holdings.get(PARTITION)
        assert holding is not None
        return holding.learner


def batch(messages: Sequence[Message], start: int | None = None) -> Batch:
    first = messages[0].offset if start is None else start
    return Batch(PARTITION, first, messages[-1].offset + 1, messages)
