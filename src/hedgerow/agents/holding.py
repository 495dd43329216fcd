"""One partition in this worker's hands, and the copy a checkpoint takes of it.

Before: the holdings have claimed and loaded it. After: the agents step its learner.
"""

from __future__ import annotations

import asyncio
from dataclasses import dataclass, field

from hedgerow.agents.ports import Claim, Meter, Progress
from hedgerow.models import Capture, Learner

SLICE_BYTES = 2**20  # copied without a pause: 0.5 to 2 ms, new memory's page faults included
COPIED_AT_ONCE_BYTES = 4 * 2**20  # of rows that are copied because they are about to be stepped
NOWHERE = -1  # next offset of a partition whose start has yet to be asked for


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
    """

    claim: Claim
    learner: Learner
    next_offset: int
    generation: int
    saved_offset: int
    due_at: float
    stored_at: float
    progress: Progress = Progress()
    saving: asyncio.Task[None] | None = field(default=None, repr=False)

    @property
    def most_messages(self) -> int:
        """How many messages may be stepped without a pause; 0 for any number."""
        if not self.learner.copying:
            return 0
        return max(1, COPIED_AT_ONCE_BYTES // self.learner.row_bytes)

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
