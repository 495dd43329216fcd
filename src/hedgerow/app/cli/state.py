"""``hedgerow state``: look at the learning state in Redis, move it, remove it."""
# ruff: noqa: PLC0415 - the clients are imported when a command runs

from __future__ import annotations

import json
from collections.abc import Awaitable, Callable
from typing import TYPE_CHECKING, Annotated

import typer

from hedgerow.app.cli import state_series
from hedgerow.app.cli.asking import Answer, ask
from hedgerow.app.cli.output import (
    ConfigOption,
    JsonOption,
    errors,
    print_table,
    printable,
    read_settings,
    results,
)
from hedgerow.app.cli.state_series import YesOption, list_series

if TYPE_CHECKING:
    from hedgerow.app.settings import Settings
    from hedgerow.app.state.admin import Shift, StateAdmin

DOUBLED_SHOWN = 10
COLUMNS = ("partition", "epoch", "generation", "next offset", "series", "learned", "late",
           "duplicate", "rejected", "dead letters", "skipped")  # fmt: skip


def add_to(app: typer.Typer) -> None:
    """Add the group."""
    group = typer.Typer(
        no_args_is_help=True, help="Look at the learning state in Redis, move it, remove it."
    )
    group.command("list", epilog="Example: hedgerow state list --series 'bridge-*'")(list_)
    group.command("ls", hidden=True, epilog="Example: hedgerow state ls")(list_)
    state_series.add_to(group)
    group.command("repartition", epilog="Example: hedgerow state repartition")(repartition)
    group.command("adopt", epilog="Example: hedgerow state adopt")(adopt)
    group.command("forget", epilog="Example: hedgerow state forget --partition 3")(forget)
    app.add_typer(group, name="state")


def list_(
    config: ConfigOption = None,
    partition: Annotated[
        list[int] | None,
        typer.Option(min=0, help="The series of this partition; may be repeated."),
    ] = None,
    series: Annotated[
        str | None, typer.Option(help="The series that match, for example 'traffic-*'.")
    ] = None,
    as_json: JsonOption = False,
) -> None:
    """Show what is stored of each partition, or of series; changes nothing, workers may run."""
    settings = read_settings(config)
    if partition or series is not None:
        wanted = list(partition or ())
        list_series(settings, partitions=wanted, pattern=series or "*", as_json=as_json)
        return
    from dataclasses import asdict

    kept = _run(settings, lambda admin: admin.kept())
    if as_json:
        typer.echo(json.dumps([asdict(one) for one in kept]))
        return
    rows = []
    for one in kept:
        counts = one.counts
        if counts is None:
            rows.append([str(one.partition), str(one.epoch), "never", *["-"] * 8])
            continue
        numbers = (one.partition, one.epoch, one.generation, one.next_offset, one.series,
                   counts.learned, counts.late, counts.duplicate, counts.rejected,
                   counts.messages_dead_lettered, one.skipped)  # fmt: skip
        rows.append([f"{number:,}" for number in numbers])
    print_table(COLUMNS, rows)


def repartition(config: ConfigOption = None) -> None:
    """After partitions were added: move each series to where its readings now arrive.

    Stop all workers first. The old partitions are learned to their ends, and their outputs
    published, before anything is moved. May be run again after a failure.
    """
    settings = read_settings(config)
    from hedgerow.app.cli.progress import ReplayProgress

    with ReplayProgress(errors, "learning the old partitions") as bar:
        shift = _run(settings, lambda admin: admin.repartition(bar.show))
    if shift.before == shift.after:
        results.print(f"{settings.topics.readings} has {shift.after} partitions as before")
        return
    _show(shift, f"moved from {shift.before} to {shift.after} partitions")


def adopt(config: ConfigOption = None, yes: YesOption = False) -> None:
    """After the readings' topic was made anew: keep what was learned, begin at its start.

    Stop all workers first. Readings that were learned from the old topic and stand in the new
    one too are late or duplicate there.
    """
    settings = read_settings(config)
    if not yes:
        typer.confirm(
            f"Go on with what was learned at the start of {settings.topics.readings} as it is now?",
            abort=True,
        )
    _show(_run(settings, lambda admin: admin.adopt()), "adopted")


def forget(
    config: ConfigOption = None,
    partition: Annotated[
        list[int] | None, typer.Option(min=0, help="Only this partition; may be repeated.")
    ] = None,
    yes: YesOption = False,
) -> None:
    """Remove what was learned, so that it is learned again from the log.

    Stop all workers first. What Kafka no longer holds is lost.
    """
    settings = read_settings(config)
    wanted = tuple(partition or ())
    named = f"partitions {', '.join(map(str, wanted))}" if wanted else "all partitions"
    if not yes:
        topic = settings.topics.readings
        typer.confirm(f"Forget what {settings.group} learned of {named} of {topic}?", abort=True)
    forgotten = _run(settings, lambda admin: admin.forget(wanted))
    results.print(f"forgotten: {len(forgotten)} partitions; a worker begins them anew")


def _run(settings: Settings, action: Callable[[StateAdmin], Awaitable[Answer]]) -> Answer:
    from hedgerow.app.state.admin import state_admin

    return ask(state_admin(settings), action)


def _show(shift: Shift, what: str) -> None:
    results.print(
        f"{what}: {shift.moved:,} series in another partition than before, {shift.kept:,} in the "
        "same; start the workers"
    )
    if shift.doubled:
        shown = ", ".join(printable(name) for name in shift.doubled[:DOUBLED_SHOWN])
        errors.print(
            f"{len(shift.doubled):,} series had readings in several partitions, one of which was "
            f"kept: {shown}",
            style="yellow",
        )
