"""``hedgerow worker`` with a bug planted in it: ``python planted.py BUG``.

Shows that the verifier sees in earnest what it sees in synthetic topics. With POINT PASS FILE
after the bug the worker kills itself there, as ``probed.py`` does.
"""

from __future__ import annotations

import asyncio
import sys
from collections.abc import Callable, Sequence
from dataclasses import replace

from hedgerow.agents.errors import Storm
from hedgerow.agents.forecast import ForecastAgent
from hedgerow.agents.holding import Holding
from hedgerow.agents.holdings import Holdings
from hedgerow.agents.loop import Due
from hedgerow.agents.ports import Checkpoint, Claim, OutRecord, Progress
from hedgerow.app.broker.producer import KafkaEmitter
from hedgerow.app.state import scripts
from hedgerow.app.state.store import RedisStateStore
from hedgerow.models import Capture

DISTANCE = 300


def _shift_offsets(by: int) -> None:
    sound = RedisStateStore.save

    async def save(self: RedisStateStore, claim: Claim, checkpoint: Checkpoint) -> int:
        shifted = max(0, checkpoint.next_offset + by)
        return await sound(self, claim, replace(checkpoint, next_offset=shifted))

    RedisStateStore.save = save  # type: ignore[method-assign]


def offset_ahead() -> None:
    """Save an offset beyond what the snapshot has seen: after a crash the rest is lost."""
    _shift_offsets(DISTANCE)


def offset_behind() -> None:
    """Save an offset before what the snapshot has seen: after a crash it is read twice."""
    _shift_offsets(-DISTANCE)


def skipped_batch() -> None:
    """Pass over one step in five as if its batches had been worked through."""
    sound = ForecastAgent._step
    steps = 0

    def step(self: ForecastAgent, due: Sequence[Due]) -> list[Storm]:
        nonlocal steps
        steps += 1
        if steps % 5:
            return sound(self, due)
        for batch, holding in due:
            holding.next_offset = batch.next_offset
        return []

    ForecastAgent._step = step  # type: ignore[method-assign]


def offset_before_outputs() -> None:
    """Save a snapshot without waiting for the outputs before it: a crash loses them."""

    async def acknowledged(self: KafkaEmitter) -> None:
        return

    KafkaEmitter.acknowledged = acknowledged  # type: ignore[method-assign]


def no_fencing() -> None:
    """Put a snapshot in place whoever holds the partition by now."""
    scripts.FLIP = """
    redis.call('HSET', KEYS[1], 'generation', ARGV[2] + 1, 'manifest', ARGV[3])
    return {1, ARGV[2] + 1}
    """


def unsynchronised_flush() -> None:
    """Write what the learner holds a while after the offset was noted."""
    sound = Holdings._save

    async def save(
        self: Holdings, holding: Holding, capture: Capture, next_offset: int, progress: Progress
    ) -> None:
        await asyncio.sleep(0.1)
        later = holding.learner.capture()
        torn = Capture({**capture.chunks, **later.chunks}, later.names)
        await sound(self, holding, torn, next_offset, progress)

    Holdings._save = save  # type: ignore[method-assign]


def no_dead_letters() -> None:
    """Forget every second dead letter."""
    sound = KafkaEmitter.emit_with_headers
    letters = 0

    def emit_with_headers(self: KafkaEmitter, record: OutRecord) -> None:
        nonlocal letters
        letters += 1
        if letters % 2:
            sound(self, record)

    KafkaEmitter.emit_with_headers = emit_with_headers  # type: ignore[method-assign]


BUGS: dict[str, Callable[[], None]] = {
    bug.__name__: bug
    for bug in (
        offset_ahead,
        offset_behind,
        offset_before_outputs,
        skipped_batch,
        no_fencing,
        unsynchronised_flush,
        no_dead_letters,
    )
}

if __name__ == "__main__":
    from probed import run_probed  # beside this file, where a script is looked for first

    BUGS[sys.argv[1]]()
    run_probed(*sys.argv[2:])
