"""Storms of bad input: where in the log a worker must stop rather than drain the topic.

Before: the codec says which messages of a batch it could not use. After: the agent learns what
lies before the message that goes over a limit, saves it, and stops with the reason. What is
counted is part of the state, so a worker that is started again stops at the same message.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace

from hedgerow.agents.errors import Storm
from hedgerow.agents.ports import Partition, Progress


@dataclass(frozen=True, slots=True)
class StormLimits:
    """How much bad input is borne.

    Attributes
    ----------
    max_run : int
        Dead letters in a row; 0 for no limit.
    max_ratio : float
        Share of dead letters in a window; 1 for no limit.
    window : int
        Messages of a window; one begins where the one before it ends.
    """

    max_run: int = 10_000
    max_ratio: float = 0.5
    window: int = 10_000

    def weigh(
        self, progress: Progress, messages: int, failed: Sequence[int]
    ) -> tuple[Progress, int | None]:
        """Count a batch up to the message that goes over a limit.

        Parameters
        ----------
        messages : int
            How many the batch has.
        failed : sequence of int
            Positions of those that became dead letters, rising.

        Returns
        -------
        Progress
            After the messages that may be taken.
        int or None
            Position of the message that may not; ``None`` if all may.

        Examples
        --------
        >>> StormLimits(max_run=2).weigh(Progress(bad_run=1), 4, [0, 1, 3])
        (Progress(skipped=0, bad_run=2, window_messages=1, window_bad=1), 1)
        """
        at = 0
        for position in failed:
            progress = self._after_good(progress, position - at)
            run, bad = progress.bad_run + 1, progress.window_bad + 1
            if (0 < self.max_run < run) or (self.max_ratio < 1 and bad > self._most):
                return progress, position
            seen = progress.window_messages + 1
            progress = replace(
                progress,
                bad_run=run,
                window_messages=seen % self.window,
                window_bad=bad if seen < self.window else 0,
            )
            at = position + 1
        return self._after_good(progress, messages - at), None

    @property
    def _most(self) -> float:
        return self.max_ratio * self.window

    def _after_good(self, progress: Progress, messages: int) -> Progress:
        if not messages:
            return progress
        seen = progress.window_messages + messages
        return replace(
            progress,
            bad_run=0,
            window_messages=seen % self.window,
            window_bad=progress.window_bad if seen < self.window else 0,
        )

    def storm(self, partition: Partition, offset: int, progress: Progress, error: str) -> Storm:
        """Say why the worker stops before a message, and what to do."""
        if 0 < self.max_run <= progress.bad_run:
            what = f"{progress.bad_run:,} messages in a row before it could not be used either"
            setting = f"dead_letters.max_run (now {self.max_run:,}; 0 for no limit)"
        else:
            what = (
                f"{progress.window_bad:,} of the last {progress.window_messages:,} before it "
                "could not be used either"
            )
            setting = f"dead_letters.max_ratio (now {self.max_ratio:g}; 1 for no limit)"
        return Storm(
            f"a storm of bad input: the message at offset {offset} of {partition} cannot be used "
            f"({error}), and {what}; everything before it is saved. Mend the sender, look at "
            f"`hedgerow dlq list`; to go on through the storm, raise {setting}"
        )
