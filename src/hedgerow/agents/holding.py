"""One partition in this worker's hands, and the copy a checkpoint takes of it.

Before: the holdings have claimed and loaded it. After: the agents step its learner.
"""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Awaitable, Callable, Mapping, Sequence
from contextlib import suppress
from dataclasses import dataclass, field

from hedgerow.agents.errors import Refused, StoreUnavailable
from hedgerow.agents.ports import (
    Claim,
    Meter,
    Partition,
    Progress,
    RegistrySource,
    StateStore,
)
from hedgerow.models import Capture, Learner, Registry

logger = logging.getLogger(__name__)

SLICE_BYTES = 2**20  # copied without a pause: 0.5 to 2 ms, new memory's page faults included
COPIED_AT_ONCE_BYTES = 4 * 2**20  # of rows that are copied because they are about to be stepped
UNKNOWN = 2**63 - 1  # how far a log reaches, until the broker was asked
CLAIM_SECONDS = 20.0  # a partition is stepped so long after its claim was last seen to stand
NOWHERE = -1  # next offset of a partition whose start has yet to be asked for

StartOf = Callable[[Sequence[Partition]], Awaitable[Mapping[Partition, int]]]


@dataclass(slots=True)
class Holding:
    """One partition in this worker's hands.

    Attributes
    ----------
    next_offset : int
        The first offset `learner` has not seen. The two change together, without an
        ``await`` between them.
    progress : Progress
        What is remembered of the log up to `next_offset`; the two change together.
    generation : int
        The store's generation this worker last read or wrote.
    saved_offset : int
        ``next_offset`` of the last checkpoint; nothing is due when the two are equal.
    stored_at : float
        When the store was last written, read, or found to hold what was written last; by the
        holdings' clock.
    settled : bool
        Whether the registry that `learner` goes by is in the store. While it is not, nothing is
        learned: a crash would replay what follows by the registry before.
    replayed_until : int
        How far the log reached some while after the state was loaded. Up to there it may have been
        published before, by the registry that the state goes by; so no other one is taken.
    loaded_at : float
        When the state was claimed and loaded, by the holdings' clock: a registry that was read
        since is no older than the one in it.
    confirmed_at : float
        When the store was last asked about the claim and found it standing, by the same clock.
    behind : bool
        Whether it was said that the registry as this worker has read it may be an older one.
    """

    claim: Claim
    learner: Learner
    next_offset: int
    generation: int
    saved_offset: int
    due_at: float
    stored_at: float
    progress: Progress = Progress()
    settled: bool = True
    replayed_until: int = 0
    loaded_at: float = 0.0
    confirmed_at: float = 0.0
    behind: bool = field(default=False, repr=False)
    saving: asyncio.Task[None] | None = field(default=None, repr=False)

    def seen_to_stand(self, now: float) -> bool:
        """Tell whether the claim stood a short while ago."""
        return now - self.confirmed_at <= CLAIM_SECONDS

    async def stands(self, store: StateStore, now: float) -> bool:
        """Ask the store whether the claim stands."""
        try:
            stands = await store.holds(self.claim)
        except (StoreUnavailable, Refused):
            return False
        if stands:
            self.confirmed_at = now
        return stands

    async def note_end(self, ends_of: StartOf | None, now: float) -> None:
        """Note how far what was loaded may have been published before, for registries' sake.

        That is asked when whoever held the partition before has surely heard that it lost it.
        """
        surely = now >= self.loaded_at + 1.25 * CLAIM_SECONDS
        if self.replayed_until == UNKNOWN and ends_of is not None and surely:
            partition = self.claim.partition
            self.replayed_until = (await ends_of([partition])).get(partition, UNKNOWN)

    @property
    def most_messages(self) -> int:
        """How many messages may be stepped without a pause; 0 for any number."""
        if not self.learner.copying:
            return 0
        return max(1, COPIED_AT_ONCE_BYTES // self.learner.row_bytes)

    async def take_registry(self, source: RegistrySource) -> None:
        """Go by the registry as it is now from `next_offset` on, if it is another one.

        From here until it is stored nothing is stepped, so that rebuilding can take its time.
        """
        registry = source.current()
        if registry is None or self._may_be_older(registry, source):
            return
        if registry.version == self.learner.registry.version:
            self.learner.by_registry(registry)
            return
        if self.next_offset < self.replayed_until:
            return
        self.settled = False
        self.learner.notes.clear()  # those of its own restoring were told then
        rebuilding = asyncio.ensure_future(asyncio.to_thread(self.learner.by_registry, registry))
        try:
            await asyncio.shield(rebuilding)
        finally:  # a thread cannot be stopped half way
            self.learner = await rebuilding
        partition = self.claim.partition
        for note in self.learner.notes:
            logger.warning("%s: %s", partition, note)
        logger.info(
            "%s: goes by another registry of sensors (%s) from offset %d on",
            partition, registry.version or "an empty one", self.next_offset,
        )  # fmt: skip

    def _may_be_older(self, registry: Registry, source: RegistrySource) -> bool:
        """Tell whether this registry may be one from before that in the state.

        The worker that stored it may have read further in the topic. Or the topic was made anew,
        or cut short: then what is read from its beginning since the state was loaded counts.
        """
        own = self.learner.registry
        if registry.follows(own) or source.read_since(self.loaded_at):
            self.behind = False
            return False
        if not self.behind:
            logger.warning(
                "%s: its state goes by a registry that was read to %s, here it was read to %s; it "
                "goes on by that one until the registry has been read anew",
                self.claim.partition, own.mark, registry.mark,
            )  # fmt: skip
        self.behind = True
        return True

    async def copied(self, meter: Meter) -> Capture:
        """Copy the state as it is now, in slices between the batches that come meanwhile."""
        with meter.stage("checkpoint"):
            capture = self.learner.begin_capture()
        complete = False
        while not complete:
            await asyncio.sleep(0)
            with meter.stage("checkpoint"):
                complete = self.learner.copy_rows(SLICE_BYTES)
        return capture


async def cancelled(task: asyncio.Task[None] | None) -> None:
    """Cancel a task and wait for its end."""
    if task is not None:
        task.cancel()
        with suppress(asyncio.CancelledError):
            await task
