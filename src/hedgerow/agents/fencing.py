"""What follows when another worker has claimed a partition of this one.

Before: a checkpoint was refused. After: usually a rebalance (this worker was paused longer than its
session), and nothing is to be done. Where none follows, or the same happens after it, two workers
are stealing from each other, and this one stops.
"""

from __future__ import annotations

import asyncio
from collections.abc import Callable

from hedgerow.agents.errors import FencedForGood
from hedgerow.agents.ports import Partition

REJOIN_SECONDS = 30.0


class Fencing:
    """Counts assignments between the partitions that were lost.

    Parameters
    ----------
    on_failure : Callable[[Exception], None]
        Told when the worker has to stop.
    """

    def __init__(self, on_failure: Callable[[Exception], None]) -> None:
        self._on_failure = on_failure
        self._assignments = 0
        self._fenced_at = -2

    def assigned(self) -> None:
        """Note that an assignment begins."""
        self._assignments += 1

    def fenced(self, partition: Partition) -> None:
        """Note a partition that was lost; stop if one was lost in the assignment before, too."""
        if self._fenced_at == self._assignments - 1:
            self._give_up(partition)
        elif self._fenced_at != self._assignments:
            asyncio.get_running_loop().call_later(
                REJOIN_SECONDS, self._expect_rebalance, self._assignments, partition
            )
        self._fenced_at = self._assignments

    def _expect_rebalance(self, assignments: int, partition: Partition) -> None:
        if self._assignments == assignments:
            self._give_up(partition)

    def _give_up(self, partition: Partition) -> None:
        self._on_failure(
            FencedForGood(
                f"{partition} was claimed by another worker although the group assigns it to "
                "this one; do two workers share kafka.instance_id, or two groups one name?"
            )
        )
