"""What an agent needs from the outside: a state store, an emitter and a clock.

Before: the transport hands the agent a fetch. After: ``app`` gives each port a body (Redis,
the confluent-kafka producer, the machine's clock); tests give it a fake that passes the same
contract suite.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from contextlib import AbstractContextManager
from dataclasses import dataclass, field, replace
from typing import Literal, Protocol

from hedgerow.models import Registry


@dataclass(frozen=True, slots=True, order=True)
class Partition:
    """One partition of the readings' topic."""

    topic: str
    number: int

    def __str__(self) -> str:
        return f"{self.topic}/{self.number}"


# What is told of a partition whose state is there, and of the offset at which it goes on.
Arrived = Callable[[Partition, int], None]


class Message(Protocol):
    """One Kafka record as the client library delivers it; times in epoch milliseconds."""

    @property
    def offset(self) -> int: ...  # noqa: D102

    @property
    def timestamp(self) -> int: ...  # noqa: D102

    @property
    def key(self) -> bytes | None: ...  # noqa: D102

    @property
    def value(self) -> bytes | None: ...  # noqa: D102


@dataclass(frozen=True, slots=True)
class Batch:
    """A run of messages of one partition, as the transport delivers them.

    Attributes
    ----------
    start : int
        The offset this batch goes on from: the ``next_offset`` of the batch before it, or
        where the partition was sought to. Not always the first message's own offset, since a
        log may have holes (compaction, transactions).
    next_offset : int
        The last message's offset + 1.
    skipped : int
        Messages between ``start`` and the first of these that Kafka no longer held; the
        policy for gaps allowed to go on without them.
    """

    partition: Partition
    start: int
    next_offset: int
    messages: Sequence[Message]
    skipped: int = 0

    def until(self, position: int) -> Batch:
        """Return the same batch without its messages from this position on."""
        last = self.messages[position].offset
        return replace(self, next_offset=last, messages=self.messages[:position])

    def split(self, count: int) -> tuple[Batch, Batch]:
        """Return the first so many messages, and the rest, as two batches that go on."""
        middle = self.messages[count - 1].offset + 1
        return (
            replace(self, next_offset=middle, messages=self.messages[:count]),
            replace(self, start=middle, messages=self.messages[count:], skipped=0),
        )


Fetch = Sequence[Batch]  # what came at once, of each partition at most one


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
class Progress:
    """What is remembered of a partition's log beside what was learned from it.

    It belongs to the next offset as the snapshot does, so that it is a function of the log.

    Attributes
    ----------
    skipped : int
        Messages that Kafka no longer held when their turn came.
    bad_run : int
        Messages in a row, up to here, that became dead letters.
    window_messages, window_bad : int
        Messages of the current window of the storm limits, and the dead letters among them.
    """

    skipped: int = 0
    bad_run: int = 0
    window_messages: int = 0
    window_bad: int = 0


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
    progress: Progress = Progress()


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
    progress: Progress = Progress()


class StateStore(Protocol):
    """Snapshots and offsets by partition, written as one unit, fenced by claim.

    Every method may be repeated after a lost connection without doing anything twice.
    Unreachable stores raise `StoreUnavailable`, unreadable contents `StoreCorrupt`, a login or
    permission that is refused `Refused`.
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
        RolledBack
            If the store knows of no claim as late as this one: it was restored from a copy
            made before, or emptied.
        """
        ...

    async def check(self, claim: Claim, generation: int) -> None:
        """Make sure that what the claim wrote last still stands; raises what `save` does."""
        ...

    async def previous(self, claim: Claim) -> Stored | None:
        """Read the generation before the stored one, ``None`` when it is not kept."""
        ...

    async def revert(self, claim: Claim) -> None:
        """Make the generation before the stored one, if kept, the stored one.

        Raises
        ------
        Fenced
            If another claim holds the partition.
        """
        ...

    async def check_writable(self, claim: Claim) -> None:
        """Write something small.

        Raises
        ------
        StoreUnavailable
            If the store does not answer, or takes no writes (its memory is full).
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

    def emit(self, topic: str, records: Sequence[tuple[bytes, bytes]]) -> None:
        """Hand over (key, value) pairs for one topic, in order, without waiting."""
        ...

    def emit_with_headers(self, record: OutRecord) -> None:
        """Hand over one record that carries headers, without waiting."""
        ...

    async def acknowledged(self) -> None:
        """Wait until everything emitted before this call is acknowledged.

        Raises
        ------
        EmitFailed
            If the broker refused one of them for good.
        Refused
            If that was for want of a permission.
        """
        ...


class Clock(Protocol):
    """Monotonic seconds, for deadlines and time budgets; never part of an output."""

    def monotonic(self) -> float:
        """Return seconds since an arbitrary start."""
        ...


class RegistrySource(Protocol):
    """Knows what is declared of single sensors."""

    def current(self) -> Registry | None:
        """Return the registry as it was read last; ``None`` before it was read to its end once."""
        ...

    def read_since(self, moment: float) -> bool:
        """Tell whether `current` was read from its beginning since a moment of the clock.

        Where it was not, that is begun now.
        """
        ...


Stage = Literal["decode", "learn", "encode", "emit", "checkpoint"]
StateFault = Literal["tampered", "unreadable"]

Incident = Literal["rollback", "revert", "gap"]
"""The store was found restored from an older copy; a damaged generation was given up for the
one before; messages were gone from Kafka before they were learned."""


class Meter(Protocol):
    """Counts what happens; the names of the metrics are its own business."""

    def stage(self, stage: Stage) -> AbstractContextManager[None]:
        """Measure the time spent in one stage of the loop."""
        ...

    def batch(self, messages: int) -> None:
        """Count one batch of so many messages."""
        ...

    def messages(self, decoded: int, dead_lettered: Mapping[str, int]) -> None:
        """Count messages by outcome, the dead-lettered ones by reason."""
        ...

    def readings(self, learned: int, late: int, duplicate: int, rejected: int) -> None:
        """Count readings by outcome."""
        ...

    def forecasts(self, used: int, ignored: int) -> None:
        """Count forecasts of outside experts by outcome."""
        ...

    def forwarded(self, forecasts: int) -> None:
        """Count forecasts handed on from their own topic to the readings' topic."""
        ...

    def alert(self, kind: str, state: str) -> None:
        """Count one alert record."""
        ...

    def checkpoint(self, outcome: str, seconds: float, size: int) -> None:
        """Count one checkpoint: ``saved``, ``unavailable`` or ``fenced``; size in bytes."""
        ...

    def state_refused(self, reason: StateFault) -> None:
        """Count a stored state that was not loaded."""
        ...

    def store_reachable(self, reachable: bool) -> None:
        """Note whether the state store answered the last time it was asked."""
        ...

    def incident(self, kind: Incident) -> None:
        """Count one thing that should not happen and was mended."""
        ...


Point = Literal[
    "polled", "emitted", "written", "flipped", "revoking", "assigning", "restoring", "restored"
]
"""Where a worker may be caught: a batch has come; its outputs are handed over and nothing is
acknowledged; a checkpoint's chunks are written and its manifest is not; now the manifest is;
partitions are being taken away; being given; one is claimed, its snapshot not read; read."""


class Probe(Protocol):
    """Told where the worker stands, so that a test can end it exactly there."""

    def at(self, point: Point) -> None:
        """Pass a point."""
        ...


class NoProbe:
    """What a worker passes its points with: nothing happens."""

    def at(self, point: Point) -> None:
        """Pass a point."""
