"""Stand-ins for the agents' ports; they pass the same contract suites as the real things."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field

from hedgerow.agents.errors import Fenced, GenerationMoved, RolledBack, StoreUnavailable
from hedgerow.agents.ports import (
    Checkpoint,
    Claim,
    Incident,
    OutRecord,
    Partition,
    Stage,
    StateFault,
    Stored,
)
from hedgerow.models import Registry


class FakeRegistry:
    """A registry that says what a test puts there."""

    def __init__(self, known: Registry | None = None) -> None:
        self.known = known
        self.read_at = 0.0
        self.asked_anew = False

    def current(self) -> Registry | None:
        return self.known

    def read_since(self, moment: float) -> bool:
        self.asked_anew |= self.read_at <= moment
        return self.read_at > moment


@dataclass
class _Row:
    epoch: int = 0
    token: str = ""
    stored: Stored | None = None
    previous: Stored | None = None


class FakeStore:
    """A state store in a dictionary; `down` makes it unavailable, `full` take no writes."""

    def __init__(self) -> None:
        self.rows: dict[Partition, _Row] = {}
        self.down = False
        self.full = False

    def _row(self, partition: Partition) -> _Row:
        if self.down:
            raise StoreUnavailable("switched off")
        return self.rows.setdefault(partition, _Row())

    async def claim(self, partition: Partition) -> Claim:
        row = self._row(partition)
        row.epoch += 1
        row.token = f"token-{row.epoch}"
        return Claim(partition, row.epoch, row.token)

    async def holds(self, claim: Claim) -> bool:
        return self._row(claim.partition).token == claim.token

    async def load(self, claim: Claim) -> Stored | None:
        return self._row(claim.partition).stored

    async def check(self, claim: Claim, generation: int) -> None:
        row = self._row(claim.partition)
        if row.token != claim.token:
            if row.epoch < claim.epoch:
                raise RolledBack(f"epoch {row.epoch}, ours was {claim.epoch}")
            raise Fenced(f"epoch {claim.epoch} was followed by {row.epoch}")
        stored = 0 if row.stored is None else row.stored.generation
        if stored != generation:
            raise GenerationMoved("another generation", stored)

    async def save(self, claim: Claim, checkpoint: Checkpoint) -> int:
        await self.check_writable(claim)
        await self.check(claim, checkpoint.generation)
        row, generation = self._row(claim.partition), checkpoint.generation
        kept = {} if row.stored is None else row.stored.chunks
        chunks = {
            name: checkpoint.chunks[name] if name in checkpoint.chunks else kept[name]
            for name in checkpoint.names
        }
        row.previous = row.stored
        row.stored = Stored(
            generation + 1, checkpoint.next_offset, checkpoint.log_id, chunks, checkpoint.progress
        )
        return generation + 1

    async def previous(self, claim: Claim) -> Stored | None:
        return self._row(claim.partition).previous

    async def revert(self, claim: Claim) -> None:
        row = self._row(claim.partition)
        if row.token != claim.token:
            raise Fenced("claimed by another")
        row.stored, row.previous = row.previous, None

    async def check_writable(self, claim: Claim) -> None:
        self._row(claim.partition)
        if self.full:
            raise StoreUnavailable("memory is full")


@dataclass
class FakeEmitter:
    """Keeps what is emitted; everything is acknowledged at once."""

    records: list[OutRecord] = field(default_factory=list)

    async def room(self) -> None:
        return

    def emit(self, topic: str, records: Sequence[tuple[bytes, bytes]]) -> None:
        self.records.extend(OutRecord(topic, key, value) for key, value in records)

    def emit_with_headers(self, record: OutRecord) -> None:
        self.records.append(record)

    async def acknowledged(self) -> None:
        return

    def of(self, topic: str) -> list[OutRecord]:
        return [record for record in self.records if record.topic == topic]


@dataclass
class FakeClock:
    """Stands still until told otherwise."""

    now: float = 0.0

    def monotonic(self) -> float:
        return self.now


@dataclass
class FakeMeter:
    """Counts in plain counters."""

    messages_by: Counter[str] = field(default_factory=Counter)
    readings_by: Counter[str] = field(default_factory=Counter)
    checkpoints: Counter[str] = field(default_factory=Counter)
    alerts: Counter[str] = field(default_factory=Counter)
    refused_states: Counter[str] = field(default_factory=Counter)
    incidents: Counter[str] = field(default_factory=Counter)
    forecasts_by: Counter[str] = field(default_factory=Counter)

    @contextmanager
    def stage(self, stage: Stage) -> Iterator[None]:
        yield

    def batch(self, messages: int) -> None:
        return

    def messages(self, decoded: int, dead_lettered: Mapping[str, int]) -> None:
        self.messages_by["decoded"] += decoded
        for reason, count in dead_lettered.items():
            self.messages_by[reason] += count

    def readings(self, learned: int, late: int, duplicate: int, rejected: int) -> None:
        self.readings_by.update(learned=learned, late=late, duplicate=duplicate, rejected=rejected)

    def forecasts(self, used: int, ignored: int) -> None:
        self.forecasts_by.update(used=used, ignored=ignored)

    def forwarded(self, forecasts: int) -> None:
        self.forecasts_by["forwarded"] += forecasts

    def alert(self, kind: str, state: str) -> None:
        self.alerts[f"{kind}:{state}"] += 1

    def checkpoint(self, outcome: str, seconds: float, size: int) -> None:
        self.checkpoints[outcome] += 1

    def state_refused(self, reason: StateFault) -> None:
        self.refused_states[reason] += 1

    def store_reachable(self, reachable: bool) -> None:
        return

    def incident(self, kind: Incident) -> None:
        self.incidents[kind] += 1
