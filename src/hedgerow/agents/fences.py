"""Notices when being fenced is no accident: two workers that steal partitions from each other.

Before: the holdings have dropped a partition that another worker claimed. After: the worker goes
on with what a rebalance gives it, or stops.
"""

from __future__ import annotations

import asyncio
from collections.abc import Callable

from hedgerow.agents.errors import FencedForGood
from hedgerow.agents.ports import Partition

REJOIN_SECONDS = 30.0


class Fences:
    """Remembers in which assignment this worker was fenced.

    Usually a rebalance follows (this worker was paused longer than its session). Where none does,
    or the same happens after it, two workers are stealing from each other.

    Parameters
    ----------
    on_failure : Callable[[Exception], None]
        Told when it is for good.
    """

    def __init__(self, on_failure: Callable[[Exception], None]) -> None:
        self._on_failure = on_failure
        self._fenced_at = -2
        self.assignments = 0

    def note(self, partition: Partition) -> None:
        """Note that a partition was claimed by another worker."""
        if self._fenced_at == self.assignments - 1:
            self._give_up(partition)
        elif self._fenced_at != self.assignments:
            asyncio.get_running_loop().call_later(
                REJOIN_SECONDS, self._expect_rebalance, self.assignments, partition
            )
        self._fenced_at = self.assignments

    def _expect_rebalance(self, assignments: int, partition: Partition) -> None:
        if self.assignments == assignments:
            self._give_up(partition)

    def _give_up(self, partition: Partition) -> None:
        self._on_failure(
            FencedForGood(
                f"{partition} was claimed by another worker although the group assigns it to "
                "this one; do two workers share kafka.instance_id, or two groups one name?"
            )
        )
