"""``hedgerow state``: look at series, let them begin anew, go back to what was before."""
# ruff: noqa: PLC0415 - the clients are imported when a command runs

from __future__ import annotations

import json
from collections.abc import Awaitable, Callable, Iterator
from dataclasses import asdict
from typing import TYPE_CHECKING, Annotated

import typer

from hedgerow.app.cli.asking import Answer, ask
from hedgerow.app.cli.output import (
    ConfigOption,
    JsonOption,
    columns,
    errors,
    print_table,
    printable,
    read_settings,
    results,
)

if TYPE_CHECKING:
    from hedgerow.app.settings import Settings
    from hedgerow.app.state.mend import Mender, Sight
    from hedgerow.models import SeriesScore
    from hedgerow.models.inspection import SeriesFacts

YesOption = Annotated[bool, typer.Option("--yes", help="Do not ask.")]
LISTED = ("partition", "learned", "skill", "alerts", "last reading", "profile", "series")
SCORED = ("ahead", "scored", "MAE", "RMSE", "skill", "day", "week", "covered")
LEAST_WEIGHT = 0.005


def add_to(group: typer.Typer) -> None:
    """Add the commands to ``hedgerow state``."""
    group.command("show", epilog="Example: hedgerow state show bridge-7/speed")(show)
    group.command("reset", epilog="Example: hedgerow state reset bridge-7/speed --yes")(reset)
    group.command("rollback", epilog="Example: hedgerow state rollback bridge-7/speed")(rollback)


def show(
    series: Annotated[
        str, typer.Argument(help="The series: a sensor id, or sensor/quantity.", show_default=False)
    ],
    config: ConfigOption = None,
    as_json: JsonOption = False,
) -> None:
    """Show what is stored of a series, as of the last checkpoint; changes nothing."""
    settings = read_settings(config)
    sight = _mended(settings, lambda mender: mender.see_series(series))
    [one] = sight.series
    if as_json:
        typer.echo(json.dumps({**_place(sight), **asdict(one)}))
        return
    results.print(printable(series), style="bold")
    for line in _lines(sight, one):
        results.print(printable(line))


def reset(
    series: Annotated[
        str | None, typer.Argument(help="Forget this series alone.", show_default=False)
    ] = None,
    config: ConfigOption = None,
    partition: Annotated[
        int | None, typer.Option(min=0, help="Forget every series of this partition.")
    ] = None,
    yes: YesOption = False,
) -> None:
    """Let a series begin anew, or all of a partition; nothing is learned again from the log.

    Stop all workers first. The partition is learned to its end before, so that no output that
    was published changes.
    """
    number = _one_of(series, partition)
    settings = read_settings(config)
    from hedgerow.app.cli.progress import ReplayProgress

    if series is None:
        plan = _mended(settings, lambda mender: mender.plan_partition(number))
    else:
        plan = _mended(settings, lambda mender: mender.plan_series(series))
    _agree(plan.what, yes)
    with ReplayProgress(errors, "learning to the end") as bar:
        offset = _mended(settings, lambda mender: mender.reset(plan, bar.show))
    results.print(
        f"forgotten: {len(plan.names):,} series of {plan.partition}, which goes on at offset "
        f"{offset:,}; start the workers"
    )


def rollback(
    series: Annotated[
        str | None, typer.Argument(help="Put back this series alone.", show_default=False)
    ] = None,
    config: ConfigOption = None,
    partition: Annotated[int | None, typer.Option(min=0, help="Put back this partition.")] = None,
    to: Annotated[
        int | None,
        typer.Option(min=1, help="The generation to go back to; the one before otherwise."),
    ] = None,
    yes: YesOption = False,
) -> None:
    """Go back to a kept generation of a series, or of a partition.

    Stop all workers first. A partition learns its log again from there. A series does not: its
    readings since count as if they had not come, and all others stay as they are. As many
    generations are kept as checkpoint.keep says: the newest and the one before it, unless it is
    set.
    """
    settings = read_settings(config)
    number = _one_of(series, partition)
    if series is not None:
        _rollback_series(settings, series, to, yes)
        return
    plan = _mended(settings, lambda mender: mender.plan_rollback(number, to))
    _agree(plan.what, yes)
    _mended(settings, lambda mender: mender.rollback(plan))
    results.print(
        f"{plan.partition} stands at generation {plan.to.generation}, offset "
        f"{plan.to.next_offset:,}; start the workers"
    )


def _rollback_series(settings: Settings, series: str, to: int | None, yes: bool) -> None:
    from hedgerow.app.cli.progress import ReplayProgress
    from hedgerow.app.state.series_rollback import plan_series_rollback, rollback_series

    plan = _mended(settings, lambda mender: plan_series_rollback(mender, series, to))
    _agree(plan.what, yes)
    with ReplayProgress(errors, "learning to the end") as bar:
        offset = _mended(settings, lambda mender: rollback_series(mender, plan, bar.show))
    results.print(
        f"{printable(series)} stands as in generation {plan.generation}; {plan.partition} goes on "
        f"at offset {offset:,}; start the workers"
    )


def _one_of(series: str | None, partition: int | None) -> int:
    """Return the partition that is named, if no series is."""
    if (series is None) == (partition is None):
        raise typer.BadParameter("name a series, or a partition by --partition; one of them")
    return partition or 0


def list_series(settings: Settings, *, partitions: list[int], pattern: str, as_json: bool) -> None:
    """Print the series of some partitions, or of all, whose key matches."""
    from hedgerow.topics import format_time, series_key

    async def look(mender: Mender) -> list[Sight]:
        found = [await mender.see_matching(p, pattern) for p in await mender.partitions(partitions)]
        return [sight for sight in found if sight is not None]

    sights = _mended(settings, look)
    if as_json:
        found = [{**_place(sight), **asdict(one)} for sight in sights for one in sight.series]
        typer.echo(json.dumps(found))
        return
    rows = []
    for sight in sights:
        for one in sight.series:
            last = "-" if one.last_ms is None else format_time(one.last_ms)
            skill = "-" if one.skill is None else f"{one.skill:+.0%}"
            alerts = ",".join(episode.kind for episode in one.episodes) or "-"
            key = printable(series_key(one.sensor_id, one.quantity))
            rows.append([str(sight.partition.number), f"{one.learned:,}", skill, alerts, last,
                         one.profile, key])  # fmt: skip
    print_table(LISTED, rows)


def _mended(settings: Settings, action: Callable[[Mender], Awaitable[Answer]]) -> Answer:
    from hedgerow.app.state.mend import mender

    return ask(mender(settings), action)


def _agree(what: str, yes: bool) -> None:
    results.print(printable(what))
    if not yes:
        typer.confirm("Do it?", abort=True)


def _place(sight: Sight) -> dict[str, int]:
    return {
        "partition": sight.partition.number,
        "epoch": sight.epoch,
        "generation": sight.stored.generation,
        "next_offset": sight.stored.next_offset,
    }


def _lines(sight: Sight, one: SeriesFacts) -> Iterator[str]:
    from hedgerow.topics import format_time

    yield (
        f"{sight.partition}, generation {sight.stored.generation} at offset "
        f"{sight.stored.next_offset:,} (epoch {sight.epoch}); profile {one.profile!r}"
    )
    if one.period_ms is None:
        yield f"{one.learned} readings wait until its period is known"
    else:
        yield f"period {one.period_ms / 1000:g} s, phase {(one.phase_ms or 0) / 1000:g} s"
    if one.last_ms is not None:
        last = f"{one.last_value:.6g} at {format_time(one.last_ms)}"
        yield f"{one.learned:,} readings learned, the last {last}"
    for episode in one.episodes:
        yield f"open: {episode.kind} ({episode.severity}) since {format_time(episode.opened_ms)}"
    if not one.scores:
        return
    yield ""
    yield from columns(SCORED, [_scored(score) for score in one.scores])
    yield ""
    for score in one.scores:
        heavy = sorted(score.weights.items(), key=lambda pair: -pair[1])
        told = ", ".join(f"{name} {weight:.1%}" for name, weight in heavy if weight > LEAST_WEIGHT)
        yield f"{score.horizon} ahead: {told}"


def _scored(score: SeriesScore) -> list[str]:
    n = max(1, score.n)
    skills = [
        "-" if reference.skill is None or not reference.n else f"{reference.skill:+.0%}"
        for reference in score.references
    ]
    covered = f"{score.covered / score.with_interval:.0%}" if score.with_interval else "-"
    return [str(score.horizon), f"{score.n:,}", f"{score.absolute_error / n:.4g}",
            f"{(score.squared_error / n) ** 0.5:.4g}", *skills, covered]  # fmt: skip
