"""Reading a partition's snapshot, or, where it is damaged, the one before it.

Before: a partition has been claimed. After: the holdings go on from what was found here. Nothing
that does not check out is ever loaded.
"""

from __future__ import annotations

import asyncio
import logging

from hedgerow.agents.errors import LogChanged, StoreCorrupt
from hedgerow.agents.ports import Claim, Meter, Partition, RegistrySource, StateStore, Stored
from hedgerow.models import (
    EMPTY,
    CityModel,
    Learner,
    Registry,
    SnapshotError,
    SnapshotTooNew,
    StateTampered,
)

logger = logging.getLogger(__name__)


class Restorer:
    """Turns what the store holds into learners.

    Parameters
    ----------
    max_series : int
        Limit of series for each partition.
    log_id : str
        Names the incarnation of the readings' topic; empty when unknown.
    registry : RegistrySource, optional
        What is declared now: usually what the snapshots were learned by.
    """

    def __init__(
        self,
        store: StateStore,
        meter: Meter,
        city: CityModel,
        *,
        max_series: int,
        log_id: str,
        registry: RegistrySource | None = None,
    ) -> None:
        self._registry = registry
        self._store = store
        self._meter = meter
        self._city = city
        self._max_series = max_series
        self._log_id = log_id

    def begin(self) -> Learner:
        """Return a learner of nothing yet, by what is declared now."""
        return Learner(self._city, max_series=self._max_series, registry=self._declared())

    async def restore(self, claim: Claim) -> tuple[Stored, Learner] | None:
        """Return a partition's snapshot and the learner in it, ``None`` if it never had one.

        Raises
        ------
        SnapshotError
            If the snapshot cannot be used, and neither can the one before it.
        LogChanged
            If it belongs to another topic of the same name.
        """
        partition = claim.partition
        try:
            stored = await self._store.load(claim)
            return None if stored is None else (stored, await self._learner(partition, stored))
        except SnapshotTooNew:
            self._meter.state_refused("unreadable")
            raise  # good, but not for us: going back would throw away a later release's work
        except (StoreCorrupt, SnapshotError) as error:
            tampered = isinstance(error, StateTampered)
            self._meter.state_refused("tampered" if tampered else "unreadable")
            fault = error
        older, learner = await self._previous(claim, fault)
        await self._store.revert(claim)
        self._meter.incident("revert")
        logger.error(
            "%s: the snapshot is damaged: %s; gone back to generation %d, at offset %d",
            partition, fault, older.generation, older.next_offset,
        )  # fmt: skip
        return older, learner

    async def _previous(
        self, claim: Claim, fault: StoreCorrupt | SnapshotError
    ) -> tuple[Stored, Learner]:
        partition = claim.partition
        kind = type(fault) if isinstance(fault, SnapshotError) else SnapshotError
        remedy = (
            f"{partition}: {fault}; restore Redis from a copy, or run `hedgerow state forget "
            f"--partition {partition.number}` to learn this partition again from its log"
        )
        try:
            older = await self._store.previous(claim)
            if older is not None:
                return older, await self._learner(partition, older)
        except (StoreCorrupt, SnapshotError) as error:
            raise kind(f"{remedy} (the generation before it: {error})") from None
        raise kind(f"{remedy} (no generation before it is kept)")

    async def _learner(self, partition: Partition, stored: Stored) -> Learner:
        if stored.log_id and self._log_id and stored.log_id != self._log_id:
            raise LogChanged(
                f"the state of {partition} belongs to another topic of that name (id "
                f"{stored.log_id}, now {self._log_id}): it was deleted and made anew. Stop all "
                "workers, then run `hedgerow state adopt` to go on with what was learned at the "
                "start of the new log, or `hedgerow state forget` to begin anew"
            )
        return await asyncio.to_thread(
            Learner.restore,
            self._city,
            stored.chunks,
            max_series=self._max_series,
            known=self._declared(),
        )

    def _declared(self) -> Registry:
        declared = None if self._registry is None else self._registry.current()
        return declared or EMPTY
