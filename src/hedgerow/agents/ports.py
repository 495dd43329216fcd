"""What an agent needs from the outside: a state store, an emitter and a clock.

Before: the transport hands the agent a batch. After: ``app`` gives each port a body (Redis,
the confluent-kafka producer, the machine's clock); tests give it a fake that passes the same
contract suite.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from typing import Protocol


@dataclass(frozen=True, slots=True, order=True)
class Partition:
    """One partition of the readings' topic."""

    topic: str
    number: int

    def __str__(self) -> str:
        return f"{self.topic}/{self.number}"


@dataclass(frozen=True, slots=True)
class Claim:
    """The right to write one partition's state, until somebody else claims it.

    Attributes
    ----------
    epoch : int
        Rises by one with every claim of the partition, for logs and humans.
    token : str
        Random name of this claim: the store accepts a write only from the token it holds.
    """

    partition: Partition
    epoch: int
    token: str


@dataclass(frozen=True, slots=True)
class Stored:
    """What the store holds of a partition: one snapshot and the offset it belongs to.

    Attributes
    ----------
    generation : int
        Counts the checkpoints of the partition; 0 before the first.
    next_offset : int
        The first offset the snapshot has not seen.
    log_id : str
        Names the incarnation of the topic the offset belongs to, empty when unknown.
    chunks : Mapping[str, bytes]
        The snapshot, chunk by chunk, checksums verified by whoever decodes it.
    """

    generation: int
    next_offset: int
    log_id: str = ""
    chunks: Mapping[str, bytes] = field(default_factory=dict)


@dataclass(frozen=True, slots=True)
class Checkpoint:
    """One write to the store: the chunks that changed and the names of all that live.

    ``names`` may hold names that are not in ``chunks``: those are unchanged since
    ``generation`` and the store keeps what it has.
    """

    generation: int
    next_offset: int
    names: tuple[str, ...]
    chunks: Mapping[str, bytes]
    log_id: str = ""


class StateStore(Protocol):
    """Snapshots and offsets by partition, written as one unit, fenced by claim.

    Every method may be repeated after a lost connection without doing anything twice.
    Unreachable stores raise `StoreUnavailable`, unreadable contents `StoreCorrupt`.
    """

    async def claim(self, partition: Partition) -> Claim:
        """Take the partition: from now on older claims are refused."""
        ...

    async def load(self, claim: Claim) -> Stored | None:
        """Read the partition's snapshot, ``None`` when it never had one."""
        ...

    async def save(self, claim: Claim, checkpoint: Checkpoint) -> int:
        """Write a checkpoint over ``checkpoint.generation`` and return the new generation.

        Raises
        ------
        Fenced
            If another claim holds the partition.
        GenerationMoved
            If the claim is good but the store holds another generation than the one this
            checkpoint was made against (it was restored from a copy): a full one is due.
        """
        ...

    async def holds(self, claim: Claim) -> bool:
        """Tell whether the claim is still the one the store accepts."""
        ...


@dataclass(frozen=True, slots=True)
class OutRecord:
    """One record on its way out."""

    topic: str
    key: bytes | None
    value: bytes | None
    headers: tuple[tuple[str, bytes], ...] = ()


class Emitter(Protocol):
    """Sends records and knows which of them the broker has acknowledged."""

    async def room(self) -> None:
        """Wait until the emitter can take another batch (backpressure)."""
        ...

    def emit(self, records: Iterable[OutRecord]) -> None:
        """Hand records over, in order, without waiting."""
        ...

    async def acknowledged(self) -> None:
        """Wait until everything emitted before this call is acknowledged.

        Raises
        ------
        EmitFailed
            If the broker refused one of them for good.
        """
        ...


class Clock(Protocol):
    """Monotonic seconds, for deadlines and time budgets; never part of an output."""

    def monotonic(self) -> float:
        """Return seconds since an arbitrary start."""
        ...
