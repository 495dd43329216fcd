"""What ``hedgerow state rollback SERIES`` does: one series goes back, all others stay.

Before: ``mend`` has connected, and no worker runs. After: one more checkpoint at the end of the
log, in which the row of the series is that of an older generation. What it learned since is gone,
and is not learned again: learned again from the log it would be what it is now.
"""

from __future__ import annotations

from dataclasses import dataclass

from hedgerow.agents.holding import Holding
from hedgerow.agents.ports import Partition, Stored
from hedgerow.app.state.admin import whole
from hedgerow.app.state.drain import Progress as ShowProgress
from hedgerow.app.state.look import find_series
from hedgerow.app.state.mend import Mender, Name, NotMended, Sight, left_open
from hedgerow.models import Learner
from hedgerow.models.bank.series import NOWHERE
from hedgerow.models.inspection import SeriesFacts, facts
from hedgerow.models.snapshot.moving import with_series_of


@dataclass(frozen=True, slots=True)
class SeriesRollback:
    """A way back for one series.

    Attributes
    ----------
    name : tuple of str
        Its sensor and quantity.
    generation : int
        The one that its row comes from.
    what : str
        What will happen, in a few sentences.
    """

    partition: Partition
    key: str
    name: Name
    generation: int
    what: str


async def plan_series_rollback(mender: Mender, key: str, generation: int | None) -> SeriesRollback:
    """Say what going back will do to a series; changes nothing.

    Raises
    ------
    NotKept
        If there is no such generation.
    NotMended
        If the series was not in it.
    StoreCorrupt, SnapshotError
        If it cannot be used.
    """
    mender.admin.no_workers()
    partitions = await mender.admin.partitions()
    where = await find_series(mender.settings, mender.store, partitions, key, older=True)
    sight = await mender.see(where.partition, lambda name: name == where.name)
    if sight is None:
        raise NotMended(f"nothing is stored of {where.partition} any more")
    kept = await mender.kept()
    _, to = await kept.before(where.partition, generation)
    registry = await mender.registry_of(where.partition)
    _, older = await kept.one(where.partition, to.generation, registry)
    then = _known(older, where.name, key, to)
    now = sight.series[0] if sight.series else None
    has = f"where it has {now.learned:,} now" if now else "where nothing is known of it now"
    notes = "".join(f". {note}" for note in older.notes)
    return SeriesRollback(
        where.partition,
        key,
        where.name,
        to.generation,
        f"{await mender.first(sight)}. Then {key} goes back to what generation {to.generation} (at "
        f"offset {to.next_offset:,}) knew of it: {then.learned:,} readings learned, {has}. Those "
        "since are not learned again, as if they had not come, and their outputs stand. "
        f"{_others(sight, where.name)} stay as they are"
        f"{left_open(now, then) if now else ''}{notes}",
    )


async def rollback_series(mender: Mender, plan: SeriesRollback, show: ShowProgress) -> int:
    """Learn the partition to its end, then put the series back; return the next offset.

    Raises
    ------
    NotKept
        If the generation was let go since it was planned.
    """
    mender.admin.no_workers()
    registry = await mender.registry_of(plan.partition)
    # Before the partition is saved: a checkpoint lets go of the oldest generation.
    _, older = await (await mender.kept()).one(plan.partition, plan.generation, registry)
    held: Holding = await mender.drained(plan.partition, show)
    back = with_series_of(held.learner, older, plan.name)
    log_id = (await mender.log()).log_id
    checkpoint = whole(back, held.generation, held.next_offset, log_id, held.progress)
    await mender.store.save(held.claim, checkpoint)
    return held.next_offset


def _known(older: Learner, name: Name, key: str, to: Stored) -> SeriesFacts:
    """Look at what a generation knew of a series."""
    number = older.series.find(*name)
    placed = number != NOWHERE and older.series.banks[number] != NOWHERE
    if number == NOWHERE or not (placed or number in older.nursery.infants):
        why = "; ".join(older.notes) or "it had not come yet"
        raise NotMended(
            f"generation {to.generation} (at offset {to.next_offset:,}) holds nothing of {key} to "
            f"go back to ({why}); `hedgerow state reset` lets it begin anew"
        )
    return facts(older, number)


def _others(sight: Sight, name: Name) -> str:
    count = len(set(sight.names) - {name})
    return f"The {count:,} other series"
