"""``hedgerow explain``: a forecast as a sum, and an alert's reason in a sentence."""
# ruff: noqa: PLC0415 - the clients are imported when the command runs

from __future__ import annotations

import asyncio
import json
from typing import TYPE_CHECKING, Annotated

import typer

from hedgerow.app.cli.asking import with_exit_codes
from hedgerow.app.cli.output import ConfigOption, errors, printable, read_settings, results

if TYPE_CHECKING:
    from hedgerow.app.explain.ask import Answer
    from hedgerow.app.settings import Settings


def add_to(app: typer.Typer) -> None:
    """Add the command."""
    app.command(epilog="Example: hedgerow explain bridge-7/speed --horizon 3")(explain)


def explain(
    *,
    series: Annotated[
        str, typer.Argument(help="The series: a sensor id, or sensor/quantity.", show_default=False)
    ],
    config: ConfigOption = None,
    at: Annotated[
        str | None,
        typer.Option(
            help="The newest forecast made up to this time, such as 2026-01-01T08:00:00Z; else "
            "the newest of all."
        ),
    ] = None,
    horizon: Annotated[
        int | None,
        typer.Option(min=1, help="How many slots ahead; the nearest forecast otherwise."),
    ] = None,
    from_start: Annotated[
        bool,
        typer.Option(
            "--from-start", help="Learn the partition anew from its log, where no state is so old."
        ),
    ] = False,
    as_json: Annotated[
        bool, typer.Option("--json", help="One JSON document, all horizons.")
    ] = False,
) -> None:
    """Explain a forecast as a sum: which expert said what with what weight, and by what inputs.

    The state in Redis is stepped along the log to the reading that is asked for, as a worker
    does; nothing is changed, and workers may run. The amounts add up to the published forecast.
    Of an open alert the reason is told.
    """
    settings = read_settings(config)
    from dataclasses import asdict

    from hedgerow.app.explain.tell import lines, reason
    from hedgerow.topics import format_time

    answer = _answer(settings, series, _time(at), from_start)
    found = answer.found
    horizons = [forecast.horizon for forecast in found.explanation.forecasts]
    if horizon is not None and horizon not in horizons:
        raise typer.BadParameter(
            f"{series} is forecast {', '.join(map(str, horizons))} slots ahead",
            param_hint="--horizon",
        )
    for note in answer.notes:
        errors.print(printable(note), style="yellow")
    if as_json:
        told = {
            "series": series,
            "partition": answer.partition.number,
            "generation": answer.generation,
            "source_offset": found.issued.offset,
            "issued_at": format_time(found.issued.at_ms),
            "observed": found.issued.value,
            **asdict(found.explanation),
            "alerts": [reason(episode, found) for episode in found.episodes],
        }
        typer.echo(json.dumps(told))
        return
    results.print(printable(series), style="bold")
    for line in lines(answer, horizon):
        results.print(printable(line))


def _time(text: str | None) -> int | None:
    from hedgerow.topics import TimestampError, parse_time

    try:
        return None if text is None else parse_time(text)
    except TimestampError as error:
        raise typer.BadParameter(f"{text!r} {error}", param_hint="--at") from None


def _answer(settings: Settings, series: str, at_ms: int | None, from_start: bool) -> Answer:
    from hedgerow.app.cli.progress import ReplayProgress
    from hedgerow.app.explain.ask import explain_series

    with with_exit_codes(), ReplayProgress(errors, "learning up to it") as bar:
        return asyncio.run(
            explain_series(settings, series, at_ms=at_ms, from_start=from_start, show=bar.show)
        )
