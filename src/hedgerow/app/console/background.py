"""What goes on beside the page while nobody looks.

Before: the worker begins to serve. After: `reports`, `asking` and `past` do their work again and
again, until it ends.
"""

from __future__ import annotations

import asyncio


class Background:
    """Something that is done again and again, by a task of its own."""

    _task: asyncio.Task[None] | None = None

    def start(self) -> None:
        """Begin."""
        self._task = asyncio.create_task(self._run())

    def stop(self) -> None:
        """End."""
        if self._task is not None:
            self._task.cancel()

    async def once(self) -> None:
        """Do it."""
        raise NotImplementedError

    @property
    def pause_seconds(self) -> float:
        """How long to wait until it is done again."""
        raise NotImplementedError

    async def _run(self) -> None:
        while True:
            await self.once()
            await asyncio.sleep(self.pause_seconds)
