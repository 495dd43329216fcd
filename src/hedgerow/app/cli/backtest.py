"""``hedgerow backtest``."""
# ruff: noqa: PLC0415 - the learner is imported when the command runs

from __future__ import annotations

import json
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer
from rich.console import Console

from hedgerow.app.cli.columns import (
    FILE_HELP,
    SensorColumn,
    SensorName,
    TimeColumn,
    ValueColumn,
    ValuesColumns,
    columns_of,
)
from hedgerow.app.cli.output import (
    ConfigOption,
    errors,
    printable,
    read_settings,
    results,
)
from hedgerow.app.wording import counted

if TYPE_CHECKING:
    from hedgerow.app.backtest import Findings
    from hedgerow.app.settings import Settings
    from hedgerow.models import CityModel, Registry

MOST_SERIES = 12  # in the table, unless all are asked for

_EPILOG = """Examples:

hedgerow backtest loops.csv.gz --sensor-column road --time-column at --value-column vehicles

hedgerow backtest *.parquet --config city.toml --horizons 1,4,48 --report report.html

hedgerow backtest load.csv --sensor grid --timezone Europe/Vienna --json
"""


def add_to(app: typer.Typer) -> None:
    """Add the command."""
    app.command(epilog=_EPILOG)(backtest)


def _horizons(text: str) -> tuple[int, ...]:
    try:
        return tuple(int(part) for part in text.split(","))
    except ValueError:
        raise typer.BadParameter(
            f"{text!r} are not slots ahead by comma, such as 1,3,12", param_hint="--horizons"
        ) from None


def backtest(
    files: Annotated[list[Path], typer.Argument(metavar="FILE...", help=FILE_HELP)],
    *,
    config: ConfigOption = None,
    sensor_column: SensorColumn = "sensor_id",
    sensor: SensorName = None,
    time_column: TimeColumn = "timestamp",
    value_column: ValueColumn = "value",
    values_columns: ValuesColumns = None,
    timezone: Annotated[
        str | None,
        typer.Option(help="The city's, and of times without an offset; the setting otherwise."),
    ] = None,
    horizons: Annotated[
        str | None, typer.Option(metavar="N,N,...", help="Slots ahead, in every profile.")
    ] = None,
    period: Annotated[
        float | None,
        typer.Option(min=0.001, metavar="SECONDS", help="Length of a slot, in every profile."),
    ] = None,
    registry: Annotated[
        Path | None,
        typer.Option(help="File of sensors, as `sensors import` takes it: their bounds, periods."),
    ] = None,
    limit: Annotated[int | None, typer.Option(min=1, help="Stop after so many rows.")] = None,
    every: Annotated[
        bool, typer.Option("--all", help=f"A line for each series, even beyond {MOST_SERIES}.")
    ] = False,
    report: Annotated[
        Path | None, typer.Option(help="Write plots to this HTML file; it needs no network.")
    ] = None,
    plot: Annotated[
        str, typer.Option(metavar="PATTERN", help="Series to plot; the first eight that match.")
    ] = "*",
    as_json: Annotated[bool, typer.Option("--json", help="One JSON document.")] = False,
) -> None:
    """Learn from files as the service would, and say how good its forecasts were.

    No broker and no Redis are needed. Every forecast is scored when its label arrives, before
    anything is learned from it. Rows that the service would dead-letter are counted by reason.
    """
    settings = read_settings(config)
    if timezone is not None:
        settings = settings.model_copy(update={"timezone": timezone})
    columns = columns_of(
        sensor_column=sensor_column,
        sensor=sensor,
        time_column=time_column,
        value_column=value_column,
        values_columns=values_columns,
        timezone=settings.timezone,
    )
    from time import perf_counter, time

    from hedgerow.app.backtest import Backtest, Trace
    from hedgerow.app.backtest.lines import as_document
    from hedgerow.app.backtest.log import FileLog
    from hedgerow.app.city import input_limits
    from hedgerow.app.cli.progress import ReplayProgress
    from hedgerow.app.errors import InputFileError

    if report is not None:
        from hedgerow.app.backtest.report import expect_writable

        expect_writable(report)
    log = FileLog(files, columns, sent_ms=int(time() * 1000))
    city = _city(settings, None if horizons is None else _horizons(horizons), period)
    trace = None if report is None else Trace()
    work = Backtest(
        city,
        limits=input_limits(settings),
        max_series=settings.input.max_series,
        trace=trace,
        registry=_registry(registry),
    )
    began = perf_counter()
    with ReplayProgress(errors, f"learning {', '.join(file.name for file in files)}") as bar:
        findings = work.run(log, limit=limit, progress=bar.show)
    seconds = perf_counter() - began
    if not findings.counts.learned:
        raise InputFileError(_nothing(files, findings))
    if as_json:
        results.print(json.dumps(as_document(findings, seconds), allow_nan=False))
    else:
        _show(findings, seconds, every)
    if report is not None and trace is not None:
        from hedgerow.app.backtest.report import write_report

        write_report(report, findings, trace, city, files=files, pattern=plot)
        errors.print(f"plots are in {report}")


def _city(settings: Settings, horizons: tuple[int, ...] | None, period: float | None) -> CityModel:
    from hedgerow.app.city import city_model
    from hedgerow.app.errors import SettingsError
    from hedgerow.models import ModelError

    city = city_model(settings)
    given: dict[str, object] = {}
    if horizons is not None:
        given["horizons"] = horizons
    if period is not None:
        given["period_seconds"] = period
    try:
        profiles = tuple(replace(profile, **given) for profile in city.profiles)  # type: ignore[arg-type]
        return replace(city, profiles=profiles)
    except ModelError as error:
        raise SettingsError(f"--horizons or --period: {error}") from None


def _registry(file: Path | None) -> Registry:
    from hedgerow.app.registry.declared import declared
    from hedgerow.app.registry.files import read_sensors

    return declared({} if file is None else read_sensors(file))


def _show(findings: Findings, seconds: float, every: bool) -> None:
    from hedgerow.app.backtest.lines import profile_lines, series_lines
    from hedgerow.app.backtest.table import WIDTH, score_table
    from hedgerow.models.period import READINGS_NEEDED

    counts = findings.counts
    series = len({(score.sensor_id, score.quantity) for score in findings.scores})
    by_series = every or series <= MOST_SERIES
    lines = (series_lines if by_series else profile_lines)(findings.scores)
    if any(line.n for line in lines):
        wide = Console(markup=False, highlight=False, width=max(results.width, WIDTH))
        wide.print(score_table(lines, by_series=by_series))
    else:
        results.print(
            "no forecast met its label, so there is nothing to score: a series is forecast once "
            f"its period is known, by {READINGS_NEEDED} readings or --period"
        )
    if not by_series:
        results.print(f"{series} series; --all shows a line for each")
    results.print(
        f"{counted(counts.readings, 'reading')} in {counted(counts.messages, 'row')}: "
        f"{counts.learned:,} learned, {counts.late:,} late, {counts.duplicate:,} duplicate, "
        f"{counts.rejected:,} rejected; {seconds:.1f} s "
        f"({counts.readings / max(seconds, 1e-9):,.0f} readings/s)"
    )
    if findings.alerts:
        opened = ", ".join(f"{n:,} {kind}" for kind, n in sorted(findings.alerts.items()))
        results.print(f"alerts opened: {opened}")
    if findings.bad:
        by_reason = ", ".join(f"{n:,} {reason}" for reason, n in findings.bad.most_common())
        errors.print(
            f"{findings.bad.total():,} rows would be dead letters: {by_reason}; for example:",
            style="yellow",
        )
        for bad in findings.first_bad:
            errors.print(f"  {bad.file.name} line {bad.line}: {printable(bad.error)}")


def _nothing(files: list[Path], findings: Findings) -> str:
    names = ", ".join(str(file) for file in files)
    if not findings.first_bad:
        return f"nothing could be learned from {names}: no readings in it"
    bad = findings.first_bad[0]
    return f"nothing could be learned from {names}; {bad.file.name} line {bad.line}: {bad.error}"
