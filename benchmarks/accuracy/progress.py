"""How far a run is, and how long the rest will take."""

from __future__ import annotations

from types import TracebackType
from typing import Protocol, Self

from rich.console import Console
from rich.progress import (
    BarColumn,
    Progress,
    TaskProgressColumn,
    TextColumn,
    TimeElapsedColumn,
    TimeRemainingColumn,
)


class Watch(Protocol):
    """Told what a run does."""

    def say(self, text: str) -> None:
        """Something is over."""

    def expect(self, work: float) -> None:
        """So much lies ahead: in seconds of some machine, since only shares matter."""

    def done(self, work: float) -> None:
        """So much of it is behind."""


class Silent:
    """Tells nobody."""

    def say(self, text: str) -> None:
        """Keep quiet."""

    def expect(self, work: float) -> None:
        """Keep quiet."""

    def done(self, work: float) -> None:
        """Keep quiet."""


class Bar:
    """A progress bar with the time left, and lines above it.

    Parameters
    ----------
    console : Console
        Where it is shown.
    """

    def __init__(self, console: Console) -> None:
        self._progress = Progress(
            TextColumn("{task.description}"),
            BarColumn(),
            TaskProgressColumn(),
            TimeElapsedColumn(),
            TextColumn("left"),
            TimeRemainingColumn(),
            console=console,
            # Fits of different methods alternate; a short memory would let the estimate jump.
            speed_estimate_period=600,
            refresh_per_second=1,
        )
        self._task = self._progress.add_task("accuracy", total=None)
        self._total = 0.0

    def say(self, text: str) -> None:
        """Write a line."""
        self._progress.console.print(text)

    def expect(self, work: float) -> None:
        """Lengthen the way."""
        self._total += work
        self._progress.update(self._task, total=self._total)

    def done(self, work: float) -> None:
        """Move on."""
        self._progress.advance(self._task, work)

    def __enter__(self) -> Self:
        """Show it."""
        self._progress.start()
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        """Leave it as it stands."""
        self._progress.stop()
