"""The progress bar of everything that sends or learns readings."""

from __future__ import annotations

from types import TracebackType
from typing import Self

from rich.console import Console
from rich.progress import BarColumn, Progress, ProgressColumn, Task, TaskID, TextColumn
from rich.text import Text

from hedgerow.app.wording import counted


class _Rate(ProgressColumn):
    """Readings and readings per second."""

    def render(self, task: Task) -> Text:
        """Write both."""
        readings = int(task.fields["readings"])
        seconds = task.elapsed or 0.0
        rate = readings / seconds if seconds > 0.1 else 0.0
        return Text(f"{counted(readings, 'reading')}, {rate:,.0f}/s", style="cyan")


class ReplayProgress:
    """A bar with the share done, the readings and the readings per second.

    Parameters
    ----------
    console : Console
        Where it is drawn; nothing but the end is drawn if that is not a terminal, and nothing
        stays where no reading came.
    label : str
        What is going on.
    """

    def __init__(self, console: Console, label: str) -> None:
        self._progress = Progress(
            TextColumn("{task.description}"),
            BarColumn(bar_width=20),
            TextColumn("{task.percentage:>3.0f}%"),
            _Rate(),
            console=console,
        )
        self._task: TaskID = self._progress.add_task(label, total=1.0, readings=0)
        self._readings = 0

    def show(self, fraction: float, readings: int) -> None:
        """Draw this state."""
        self._readings = readings
        self._progress.update(self._task, completed=fraction, readings=readings)

    def describe(self, label: str, fraction: float, readings: int) -> None:
        """Draw this state of something else."""
        self._readings = readings
        self._progress.update(self._task, description=label, completed=fraction, readings=readings)

    def __enter__(self) -> Self:
        self._progress.start()
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        if self._readings:
            self._progress.stop()
        else:  # the bar alone, for `Progress.stop` ends the line even where nothing was drawn
            self._progress.live.transient = True
            self._progress.live.stop()
