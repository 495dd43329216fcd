"""The partitions this worker holds: claimed, loaded, stepped, checkpointed, dropped.

Before: the transport asks `Holdings.assign` where to seek. After: the forecast agent steps
the learners found here, and checkpoints make what they learned durable.

A checkpoint is a copy of what changed, begun between two batches and therefore the state at
exactly one offset: bit by bit, a row about to be stepped first. It is written while the loop
goes on, after every output that precedes that offset has been acknowledged. The partitions take
turns, so that there is one copy at a time. A newer registry is taken where a checkpoint begins,
and then the partition waits for it: nothing is published by a registry that could still be lost.
"""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Callable, Iterable, Mapping, Sequence

from hedgerow.agents.errors import (
    EmitFailed,
    Fenced,
    GenerationMoved,
    Refused,
    RolledBack,
    StoreCorrupt,
    StoreUnavailable,
)
from hedgerow.agents.fencing import Fencing
from hedgerow.agents.holding import NOWHERE, UNKNOWN, Holding, StartOf, cancelled
from hedgerow.agents.ports import (
    Arrived,
    Checkpoint,
    Claim,
    Clock,
    Emitter,
    Meter,
    NoProbe,
    Partition,
    Probe,
    Progress,
    RegistrySource,
    StateStore,
    Stored,
)
from hedgerow.agents.restoring import Restorer
from hedgerow.models import Capture, CityModel

logger = logging.getLogger(__name__)

RETRY_SECONDS = 0.5
LOADED_AT_ONCE = 2  # partitions; each needs its snapshot's size of memory while it is unpacked


class Holdings:
    """Every partition this worker holds, with their checkpoints.

    Parameters
    ----------
    city : CityModel
        What is learned, and how.
    max_series : int
        Limit of series for each partition.
    interval_seconds : float
        How often a partition with news is checkpointed.
    load_seconds : float
        How long claiming and loading may take before the worker gives up.
    log_id : str
        Names the incarnation of the readings' topic; empty when unknown.
    stop_on_rollback : bool
        Whether to stop when the store is found restored from an older copy. Otherwise a
        worker whose memory is newer writes that, and one without learns again from the older
        offset.
    on_failure : Callable[[Exception], None]
        Told when going on would break a promise (an output was refused for good, or a
        partition is fenced again and again); the worker has to stop.
    registry : RegistrySource, optional
        What is declared of single sensors; each partition takes what is new at its checkpoints.
    probe : Probe, optional
        Told which points an assignment has reached.
    """

    def __init__(
        self,
        *,
        store: StateStore,
        emitter: Emitter,
        meter: Meter,
        clock: Clock,
        city: CityModel,
        max_series: int,
        interval_seconds: float,
        load_seconds: float = 75.0,
        log_id: str = "",
        stop_on_rollback: bool = False,
        on_failure: Callable[[Exception], None],
        registry: RegistrySource | None = None,
        probe: Probe | None = None,
    ) -> None:
        self._store = store
        self._emitter = emitter
        self._meter = meter
        self._clock = clock
        self._interval = interval_seconds
        self._load_seconds = load_seconds
        self._log_id = log_id
        self._stop_on_rollback = stop_on_rollback
        self._on_failure = on_failure
        self._registry = registry
        self._probe = probe or NoProbe()
        self._restorer = Restorer(
            store, meter, city, max_series=max_series, log_id=log_id, registry=registry
        )
        self._held: dict[Partition, Holding] = {}
        self._unsaved: set[Partition] = set()
        self._ends_of: StartOf | None = None
        self._fencing = Fencing(on_failure)
        self.ready = False

    def get(self, partition: Partition) -> Holding | None:
        """Return the holding of a partition, ``None`` when it is not ours."""
        return self._held.get(partition)

    def all(self) -> list[Holding]:
        """Return every holding, by partition."""
        return [self._held[key] for key in sorted(self._held)]

    @property
    def paused(self) -> bool:
        """Whether nothing is learned because the store cannot be written."""
        return bool(self._unsaved)

    async def room(self) -> None:
        """Wait while the store cannot be written, trying again now and then.

        What is learned meanwhile would be learned again after a crash, more and more of it;
        so nothing is, and the messages wait in Kafka. The group goes on hearing from us.
        """
        while self._unsaved:
            await asyncio.sleep(RETRY_SECONDS)
            for partition in sorted(self._unsaved):
                held = self._held.get(partition)
                if held is None:
                    self._unsaved.discard(partition)
                elif held.saving is None:
                    self._begin(held, None)
                if held is not None and held.saving is not None:
                    await asyncio.wait([held.saving])

    async def ready_to_step(self, partitions: Sequence[Partition]) -> dict[Partition, Holding]:
        """Return what is held of partitions once the registries they go by are stored.

        What is published before that could not be published again after a crash. Nor is anything
        stepped long after the store was last heard to hold our claim: a worker that was stopped,
        or cut off from its group, would publish by its registry what another one publishes too.
        """
        while True:
            held = {one: self._held[one] for one in partitions if one in self._held}
            waiting = next((one for one in held.values() if not self._may_be_stepped(one)), None)
            if waiting is None:
                return held
            await self._make_ready(waiting)

    def _may_be_stepped(self, held: Holding) -> bool:
        now = self._clock.monotonic()
        return held.settled and (self._registry is None or held.seen_to_stand(now))

    async def _make_ready(self, held: Holding) -> None:
        """Do once what can make a holding ready, or wait for it."""
        was_settled, confirmed_at = held.settled, held.confirmed_at
        if was_settled and await held.stands(self._store, self._clock.monotonic()):
            return
        if self._held.get(held.claim.partition) is not held:
            return
        if held.saving is None:  # a checkpoint asks too, and answers to what it finds
            self._begin(held, None)
        if held.saving is not None:
            await asyncio.wait([held.saving])
        if not held.settled or (was_settled and held.confirmed_at == confirmed_at):
            await asyncio.sleep(RETRY_SECONDS)

    # ---------------------------------------------------------------- assignment

    async def assign(
        self,
        partitions: Iterable[Partition],
        start_of: StartOf,
        ends_of: StartOf | None = None,
        arrived: Arrived = lambda *_: None,
    ) -> Mapping[Partition, int]:
        """Take exactly these partitions and tell where each goes on.

        A partition kept through a rebalance whose claim still stands keeps its memory and
        goes on at memory's next offset; any other is claimed and loaded. Each can be stepped as
        soon as it has arrived, while the others are still being loaded.

        Parameters
        ----------
        partitions : Iterable of Partition
            The whole assignment.
        start_of : Callable
            Asked once, for all partitions without state: where they begin.
        ends_of : Callable, optional
            Asked later, for each partition that was loaded: how far its log reaches. Up to there
            somebody else may have published, by the registry that the state goes by. Where it does
            not tell, it is asked again.
        arrived : Callable[[Partition, int], None], optional
            Told of each partition when it can be stepped, and at which offset it goes on.

        Raises
        ------
        StoreUnavailable
            If the store did not answer within the time limit.
        SnapshotError
            If a snapshot cannot be used, and neither can the one before it.
        LogChanged
            If a snapshot belongs to another topic of the same name.
        RolledBack
            If the store was restored from an older copy, and the policy is to stop.
        """
        self.ready = False
        self._ends_of = ends_of
        self._fencing.assigned()
        wanted = sorted(partitions)
        for gone in set(self._held) - set(wanted):
            await self._drop(gone)
        self._probe.at("assigning")
        try:
            async with asyncio.timeout(self._load_seconds):
                await self._take_all(wanted, arrived)
                await self._start_new(start_of, arrived)
        except TimeoutError:
            raise StoreUnavailable(
                f"the state of {len(wanted)} partitions could not be loaded within "
                f"{self._load_seconds:.0f} s; is Redis up, and near?"
            ) from None
        self.ready = True
        return {partition: held.next_offset for partition, held in self._held.items()}

    async def _take_all(self, partitions: Iterable[Partition], arrived: Arrived) -> None:
        """Take partitions, one being read from the store while another is unpacked."""
        waiting = iter(partitions)

        async def take_what_waits() -> None:
            for partition in waiting:
                await self._take(partition)
                if (held := self._held.get(partition)) and held.next_offset != NOWHERE:
                    arrived(partition, held.next_offset)

        lanes = [asyncio.ensure_future(take_what_waits()) for _ in range(LOADED_AT_ONCE)]
        try:
            await asyncio.gather(*lanes)
        finally:
            for lane in lanes:
                lane.cancel()
            await asyncio.wait(lanes)

    async def _take(self, partition: Partition) -> None:
        while True:
            try:
                await self._keep_or_load(partition)
            except StoreUnavailable as error:
                self._meter.store_reachable(False)
                logger.warning("waiting for the state store to load %s: %s", partition, error)
                await asyncio.sleep(RETRY_SECONDS)
            else:
                self._meter.store_reachable(True)
                return

    async def _start_new(self, start_of: StartOf, arrived: Arrived) -> None:
        """Ask where the partitions without state begin, all at once: brokers answer slowly."""
        new = {p: held for p, held in self._held.items() if held.next_offset == NOWHERE}
        if not new:
            return
        for partition, offset in (await start_of(sorted(new))).items():
            new[partition].next_offset = offset
            new[partition].due_at = self._clock.monotonic()  # "latest" must not move by a crash
            arrived(partition, offset)
            logger.info("%s: no state yet, starts at offset %d", partition, offset)

    async def _keep_or_load(self, partition: Partition) -> None:
        held = self._held.get(partition)
        if held is not None and await self._store.holds(held.claim):
            return
        claimed_at = self._clock.monotonic()
        claim = await self._store.claim(partition)
        self._probe.at("restoring")
        if held is not None and claim.epoch <= held.claim.epoch:  # epochs only rise
            self._note_rollback(held, f"its newest claim was epoch {claim.epoch - 1}")
            await cancelled(held.saving)
            self._write_over(held, claim)
            return
        self._held.pop(partition, None)
        found = await self._restorer.restore(claim)
        if found is None:
            stored, learner = Stored(0, NOWHERE), self._restorer.begin()
        else:
            stored, learner = found
            for note in learner.notes:
                logger.warning("%s: %s", partition, note)
            logger.info(
                "%s: %d series restored, goes on at offset %d (epoch %d, generation %d)",
                partition, learner.series_count, stored.next_offset, claim.epoch,
                stored.generation,
            )  # fmt: skip
        self._probe.at("restored")
        self._held[partition] = Holding(
            claim=claim,
            learner=learner,
            next_offset=stored.next_offset,
            progress=stored.progress,
            generation=stored.generation,
            saved_offset=stored.next_offset,
            settled=found is not None or self._registry is None,
            replayed_until=0 if found is None or self._ends_of is None else UNKNOWN,
            due_at=self._clock.monotonic() + self._interval,
            stored_at=self._clock.monotonic(),
            loaded_at=self._clock.monotonic(),
            confirmed_at=claimed_at,
        )

    def abandon(self, partition: Partition) -> None:
        """Forget a partition without saving it: its memory can no longer be trusted."""
        held = self._held.pop(partition, None)
        self._unsaved.discard(partition)
        if held is not None and held.saving is not None:
            held.saving.cancel()

    async def _drop(self, partition: Partition) -> None:
        held = self._held.pop(partition)
        self._unsaved.discard(partition)
        await cancelled(held.saving)
        logger.info("%s: given up at offset %d", partition, held.next_offset)

    # ---------------------------------------------------------------- checkpoints

    def checkpoint_when_due(self) -> None:
        """Start the checkpoint that has been due for longest, if one is and none is under way."""
        begun = (held for held in self._held.values() if held.next_offset != NOWHERE)
        first = min(begun, key=lambda held: held.due_at, default=None)
        if first is None or self._clock.monotonic() < first.due_at:
            return
        if all(held.saving is None for held in self._held.values()):
            self._begin(first, self._registry)

    async def checkpoint_all(self, limit_seconds: float) -> None:
        """Save everything held that has news, waiting at most so long (rebalance, shutdown).

        There is no time for another registry then: whoever goes on takes it.
        """
        for holding in self.all():
            if holding.saving is None and holding.next_offset != NOWHERE:
                self._begin(holding, None)
        running = [held.saving for held in self._held.values() if held.saving is not None]
        if running:
            await asyncio.wait(running, timeout=limit_seconds)
        for holding in self.all():  # news since a checkpoint that was already running
            if holding.saving is None and holding.next_offset != holding.saved_offset:
                self._begin(holding, None)
        running = [held.saving for held in self._held.values() if held.saving is not None]
        if running:
            await asyncio.wait(running, timeout=limit_seconds)

    def _begin(self, holding: Holding, registry: RegistrySource | None) -> None:
        holding.due_at = self._clock.monotonic() + self._interval
        holding.saving = asyncio.ensure_future(self._checkpoint(holding, registry))

    async def _checkpoint(self, holding: Holding, registry: RegistrySource | None) -> None:
        """Write the state as it is now; whatever fails, the next checkpoint is a full one.

        Where there is no news it asks whether what was written last still stands.
        """
        began = self._clock.monotonic()
        partition, outcome = holding.claim.partition, "unavailable"
        try:
            if registry is not None:
                await holding.note_end(self._ends_of, began)
                await holding.take_registry(registry)
            if holding.next_offset == holding.saved_offset and holding.settled:
                await self._store.check(holding.claim, holding.generation)
            else:
                if partition in self._unsaved:  # a full copy would be for nothing
                    await self._store.check_writable(holding.claim)
                next_offset, progress = holding.next_offset, holding.progress
                capture = await holding.copied(self._meter)
                await self._save(holding, capture, next_offset, progress)
            outcome = "saved"
            holding.stored_at, holding.confirmed_at = self._clock.monotonic(), began
            self._meter.store_reachable(True)
            self._unsaved.discard(partition)
        except Fenced as error:
            outcome = "fenced"
            self._fenced(holding, error)
        except GenerationMoved as error:
            outcome = "moved"
            self._moved(holding, error)
        except RolledBack as error:
            outcome = "moved"
            await self._reclaim(holding, error)
        except StoreUnavailable as error:
            self._unavailable(holding, error)
        except (EmitFailed, Refused, StoreCorrupt) as error:
            self._on_failure(error)
        except Exception as error:  # the learner cannot be trusted: the last checkpoint stands
            logger.exception("%s: cannot be saved", partition)
            self._held.pop(partition, None)
            self._unsaved.discard(partition)
            self._on_failure(error)
        finally:
            holding.saving = None
            if outcome != "saved":
                holding.learner.recapture_all()
                self._meter.checkpoint(outcome, self._clock.monotonic() - began, 0)
        self.checkpoint_when_due()

    async def _save(
        self, holding: Holding, capture: Capture, next_offset: int, progress: Progress
    ) -> None:
        """Write one captured state, after the outputs before it are acknowledged."""
        began = self._clock.monotonic()
        await self._emitter.acknowledged()
        chunks = await asyncio.to_thread(capture.encoded)
        holding.generation = await self._store.save(
            holding.claim,
            Checkpoint(
                generation=holding.generation,
                next_offset=next_offset,
                names=tuple(capture.names),
                chunks=chunks,
                log_id=self._log_id,
                progress=progress,
            ),
        )
        holding.saved_offset = next_offset
        holding.settled = True
        size = sum(map(len, chunks.values()))
        self._meter.checkpoint("saved", self._clock.monotonic() - began, size)

    def _unavailable(self, holding: Holding, error: StoreUnavailable) -> None:
        """Learn no more until this partition can be saved."""
        self._meter.store_reachable(False)
        partition = holding.claim.partition
        if partition not in self._unsaved and self._held.get(partition) is holding:
            self._unsaved.add(partition)
            logger.warning(
                "%s: cannot be saved, and nothing is learned until it can: %s", partition, error
            )
        holding.due_at = self._clock.monotonic() + RETRY_SECONDS

    def _moved(self, holding: Holding, error: GenerationMoved) -> None:
        """Write everything over a generation that is not the one written last."""
        try:
            if error.generation < holding.generation:
                self._note_rollback(holding, str(error))
        except RolledBack as stop:
            self._on_failure(stop)
            return
        holding.generation = error.generation
        holding.saved_offset = NOWHERE
        holding.due_at = self._clock.monotonic()
        logger.warning("%s: %s; a full checkpoint follows", holding.claim.partition, error)

    async def _reclaim(self, holding: Holding, error: RolledBack) -> None:
        """Claim again what the store has forgotten was ours."""
        try:
            self._note_rollback(holding, str(error))
            self._write_over(holding, await self._store.claim(holding.claim.partition))
        except (RolledBack, Refused) as stop:
            self._on_failure(stop)
        except StoreUnavailable as unavailable:
            self._unavailable(holding, unavailable)

    def _note_rollback(self, holding: Holding, found: str) -> None:
        """Note that the store was restored from an older copy; by policy, stop.

        Raises
        ------
        RolledBack
            If the policy is to stop.
        """
        partition = holding.claim.partition
        self._meter.incident("rollback")
        what = f"{partition}: Redis was restored from an older copy, or emptied ({found})"
        if self._stop_on_rollback:
            raise RolledBack(
                f'{what}, and redis.on_rollback is "stop": put a newer copy there, or set it to '
                '"continue", which learns again what the copy lacks and publishes the same '
                "outputs again"
            )
        logger.error("%s; what this worker has learned up to offset %d is written over it", what,
                     holding.next_offset)  # fmt: skip

    def _write_over(self, holding: Holding, claim: Claim) -> None:
        """Make everything in memory due under a new claim, over whatever is stored."""
        holding.claim = claim
        holding.generation = NOWHERE  # the store will tell
        holding.saved_offset = NOWHERE
        holding.learner.recapture_all()
        holding.due_at = self._clock.monotonic()

    def _fenced(self, holding: Holding, error: Fenced) -> None:
        """Drop a partition that another worker has claimed."""
        partition = holding.claim.partition
        logger.warning("%s: fenced and dropped at offset %d: %s", partition,
                       holding.next_offset, error)  # fmt: skip
        if self._held.get(partition) is holding:
            del self._held[partition]
            self._unsaved.discard(partition)
        self._fencing.fenced(partition)
