"""``hedgerow replay``."""
# ruff: noqa: PLC0415 - Kafka's client is imported when the command runs

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from hedgerow.app.cli.columns import (
    FILE_HELP,
    SensorColumn,
    SensorName,
    TimeColumn,
    ValueColumn,
    ValuesColumns,
    columns_of,
)
from hedgerow.app.cli.output import ConfigOption, errors, printable, read_settings, results
from hedgerow.app.wording import counted

if TYPE_CHECKING:
    from hedgerow.app.replay.send import Report

_EPILOG = """Examples:

hedgerow replay readings.csv.gz

hedgerow replay counts.parquet --sensor-column site --time-column hour --value-column people

hedgerow replay road.csv --sensor road-7 --values-columns count,speed --timezone Europe/Vienna

hedgerow replay readings.ndjson --speed 60
"""


def add_to(app: typer.Typer) -> None:
    """Add the command."""
    app.command(epilog=_EPILOG)(replay)


def _speed(text: str) -> float:
    if text == "max":
        return 0.0
    try:
        speed = float(text)
    except ValueError:
        speed = -1.0
    if not 0 <= speed < float("inf"):
        raise typer.BadParameter("max, or a number: 60 is sixty times real time")
    return speed


def replay(
    file: Annotated[Path, typer.Argument(help=FILE_HELP)],
    *,
    config: ConfigOption = None,
    topic: Annotated[
        str | None, typer.Option(help="Where to; the readings' topic otherwise.")
    ] = None,
    sensor_column: SensorColumn = "sensor_id",
    sensor: SensorName = None,
    time_column: TimeColumn = "timestamp",
    value_column: ValueColumn = "value",
    values_columns: ValuesColumns = None,
    timezone: Annotated[
        str | None,
        typer.Option(help="What times without an offset are in; the city's otherwise."),
    ] = None,
    speed: Annotated[
        float,
        typer.Option(
            parser=_speed, metavar="max|FACTOR", help="60: sixty times real time; 0 is max."
        ),
    ] = "max",  # type: ignore[assignment]  # the parser makes a float of it
    limit: Annotated[int | None, typer.Option(min=1, help="Stop after so many messages.")] = None,
) -> None:
    """Send a file of readings to the readings' topic, keyed by sensor.

    Rows that hold no reading are counted and shown; they do not end the replay.
    """
    settings = read_settings(config)
    from time import monotonic

    from hedgerow.app.access.permissions import Need, require
    from hedgerow.app.broker.topic_admin import admin_client, existing_topics
    from hedgerow.app.cli.progress import ReplayProgress
    from hedgerow.app.errors import InputFileError, TopicMissing
    from hedgerow.app.replay import send as replaying
    from hedgerow.app.replay.readings_file import ReadingsFile

    zone = timezone or settings.timezone
    readings = ReadingsFile(
        file,
        columns_of(
            sensor_column=sensor_column,
            sensor=sensor,
            time_column=time_column,
            value_column=value_column,
            values_columns=values_columns,
            timezone=zone,
        ),
    )
    name = topic or settings.topics.readings
    admin = admin_client(settings.kafka)
    existing = existing_topics(admin, settings.kafka)
    require(admin, settings.kafka, [Need("topic", name, "Write")])
    if name not in existing:
        raise TopicMissing.named(name)
    began = monotonic()
    with (
        replaying.KafkaSender(settings.kafka, name) as sender,
        ReplayProgress(errors, f"replaying {file.name}") as bar,
    ):
        report = replaying.replay(
            readings.rows(),
            sender,
            speed=speed,
            limit=limit,
            progress=lambda so_far: bar.show(readings.fraction, so_far.readings),
        )
    if not report.messages:
        raise InputFileError(_nothing(file, report))
    _summary(report, name, monotonic() - began)


def _nothing(file: Path, report: Report) -> str:
    if not report.first_bad:
        return f"nothing was sent: {file} holds no readings, only the names of its columns"
    bad = report.first_bad[0]
    return (
        f"nothing was sent: none of the {counted(report.bad_rows, 'row')} of {file} holds a "
        f"reading; line {bad.line}: {printable(bad.error)}"
    )


def _summary(report: Report, topic: str, seconds: float) -> None:
    rate = report.readings / max(seconds, 1e-9)
    results.print(
        f"{counted(report.readings, 'reading')} in {counted(report.messages, 'message')} sent to "
        f"{topic} in {seconds:.1f} s ({rate:,.0f} readings/s)"
    )
    if report.bad_rows:
        rows = counted(report.bad_rows, "row")
        errors.print(f"{rows} held no reading, for example:", style="yellow")
        for row in report.first_bad:
            errors.print(f"  line {row.line}: {printable(row.error)}")
