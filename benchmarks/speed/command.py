"""``make bench``: which parts, how long, and where the figures go."""

from __future__ import annotations

import tempfile
import time
from pathlib import Path
from typing import Annotated

import typer
from rich.console import Console
from rich.progress import BarColumn, MofNCompleteColumn, Progress, TextColumn, TimeElapsedColumn

from benchmarks.speed import page
from benchmarks.speed.bench import Bench, keep
from benchmarks.speed.contest import Watcher
from benchmarks.speed.parts.order import NAMED_ONLY, PARTS
from benchmarks.speed.servers import lacking, servers
from benchmarks.speed.topics import Topics

PAGE = Path("docs/performance.md")


def main(
    only: Annotated[
        str,
        typer.Option(
            help=f"Which parts, by comma: {', '.join(PARTS)}; all but the last two otherwise."
        ),
    ] = "",
    size: Annotated[
        float, typer.Option(help="Less than 1 for a quick look; the page is not written then.")
    ] = 1.0,
    runs: Annotated[int, typer.Option(help="Alternating runs, of which the median counts.")] = 3,
    embedded: Annotated[
        bool, typer.Option("--embedded", help="On the embedded broker, whatever is here.")
    ] = False,
    soak_readings: Annotated[
        int, typer.Option("--soak", help="Readings of a soak, too; 20000000 for the page.")
    ] = 0,
    write_page: Annotated[
        bool, typer.Option("--page", help="Measure nothing; write the page from build/bench.")
    ] = False,
) -> None:
    """Measure how fast the worker is; figures go to build/bench and docs/performance.md."""
    console = Console(highlight=False)
    if write_page:
        page.write(PAGE)
        return
    names = [name for name in only.split(",") if name]
    names = names or [name for name in PARTS if name not in NAMED_ONLY]
    if soak_readings and "soak" not in names:
        names.append("soak")
    for name in names:
        if name not in PARTS:
            raise typer.BadParameter(f"no part {name}; there are {', '.join(PARTS)}")
    absent = lacking()
    if absent and not embedded:
        console.print(f"Missing: {absent}. Measuring on the embedded broker instead.")
    columns = (TextColumn("{task.description}"), BarColumn(), MofNCompleteColumn(),
               TimeElapsedColumn())  # fmt: skip
    began = time.monotonic()
    with (
        servers(embedded=embedded) as running,
        tempfile.TemporaryDirectory(prefix="hedgerow-bench-") as folder,
        Progress(*columns, console=console, transient=True) as bar,
    ):
        topics = Topics(running.bootstrap, exact_ends=running.real)
        bench = Bench(
            running, topics, Watcher(topics, running.broker_pid, running.redis_pid),
            Path(folder), console, bar, size, runs, soak_readings,
        )  # fmt: skip
        console.print(f"on {running.broker} and {running.redis}")
        for name in names:
            console.print(f"[bold]{name}[/bold]")
            kept = keep(name, PARTS[name](bench), bench)
            console.print(page.table(name))
            console.print(f"{kept}, after {(time.monotonic() - began) / 60:.1f} min")
    if running.real and size >= 1:
        page.write(PAGE)
        console.print(f"{PAGE} is written")
