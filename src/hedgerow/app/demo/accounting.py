"""What became of every message and reading, from the snapshots in Redis.

The counts are part of the snapshots, so they are exact whatever happened to the worker.
"""

from __future__ import annotations

import asyncio
from collections.abc import Sequence
from dataclasses import dataclass

from redis.asyncio import Redis

from hedgerow.agents.errors import StoreCorrupt, StoreUnavailable
from hedgerow.agents.ports import Partition, Stored
from hedgerow.app.city import city_model
from hedgerow.app.demo.feed import Expected
from hedgerow.app.errors import StateUnavailable
from hedgerow.app.settings import Settings
from hedgerow.app.state.store import RedisStateStore
from hedgerow.models import Learner, SnapshotError


def read_learners(settings: Settings, partitions: int) -> list[Learner]:
    """Read what every partition has learned, without claiming any.

    Raises
    ------
    StateUnavailable
        If Redis does not answer, or holds something that cannot be read.
    """
    try:
        stored = asyncio.run(_peek_all(settings, partitions))
        city = city_model(settings)
        limit = settings.input.max_series
        return [Learner.restore(city, one.chunks, max_series=limit) for one in stored]
    except (StoreUnavailable, StoreCorrupt, SnapshotError) as error:
        raise StateUnavailable(str(error)) from None


async def _peek_all(settings: Settings, partitions: int) -> list[Stored]:
    async with Redis.from_url(
        settings.redis.url.get_secret_value(), socket_timeout=settings.redis.timeout_seconds
    ) as client:
        store = RedisStateStore(client, prefix=settings.redis.prefix, group=settings.group)
        topic = settings.topics.readings
        found = [await store.peek(Partition(topic, number)) for number in range(partitions)]
    return [stored for stored in found if stored is not None]


@dataclass(frozen=True, slots=True)
class Accounts:
    """The counts of all partitions together."""

    decoded: int
    dead_lettered: int
    learned: int
    late: int
    duplicate: int
    rejected: int

    @classmethod
    def of(cls, learners: Sequence[Learner]) -> Accounts:
        """Add up the learners' counts."""
        counts = [learner.counts for learner in learners]
        return cls(
            decoded=sum(c.messages_decoded for c in counts),
            dead_lettered=sum(c.messages_dead_lettered for c in counts),
            learned=sum(c.learned for c in counts),
            late=sum(c.late for c in counts),
            duplicate=sum(c.duplicate for c in counts),
            rejected=sum(c.rejected for c in counts),
        )

    @property
    def messages(self) -> int:
        """All messages."""
        return self.decoded + self.dead_lettered

    @property
    def readings(self) -> int:
        """All readings."""
        return self.learned + self.late + self.duplicate + self.rejected

    def lines(self) -> tuple[str, str]:
        """Write both equations with their numbers."""
        return (
            f"  messages {self.messages:,} = {self.decoded:,} decoded "
            f"+ {self.dead_lettered:,} dead-lettered",
            f"  readings {self.readings:,} = {self.learned:,} learned + {self.late:,} late "
            f"+ {self.duplicate:,} duplicate + {self.rejected:,} rejected",
        )

    def faults(self, expected: Expected, *, predictions: int, dead_letters: int) -> list[str]:
        """Compare with what was sent and what arrived on the topics; empty if all agree.

        Parameters
        ----------
        predictions, dead_letters : int
            Records on their topics, repeats dropped.
        """
        pairs = (
            ("messages sent", expected.messages, self.messages, "accounted"),
            ("bad messages sent", expected.dead_letters, self.dead_lettered, "dead-lettered"),
            ("readings sent", expected.readings, self.readings, "accounted"),
            ("readings learned", self.learned, predictions, "predictions published"),
            ("dead-lettered", self.dead_lettered, dead_letters, "on the dead letters' topic"),
        )
        return [
            f"{what} {wanted:,}, but {found:,} {where}"
            for what, wanted, found, where in pairs
            if wanted != found
        ]
