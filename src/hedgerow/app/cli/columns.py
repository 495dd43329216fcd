"""Options of every command that reads a file of readings: which columns hold what."""

from __future__ import annotations

from typing import TYPE_CHECKING, Annotated
from zoneinfo import ZoneInfo, ZoneInfoNotFoundError

import typer

if TYPE_CHECKING:
    from hedgerow.app.replay.readings_file import Columns

FILE_HELP = ".csv, .ndjson, .jsonl (also with .gz) or .parquet."

SensorColumn = Annotated[str, typer.Option(help="Column of the sensor id.")]
SensorName = Annotated[
    str | None, typer.Option(help="The one sensor all rows are of, instead of a column.")
]
TimeColumn = Annotated[
    str, typer.Option(help="Column of the time: ISO 8601 or seconds or ms since 1970.")
]
ValueColumn = Annotated[str, typer.Option(help="Column of the value.")]
ValuesColumns = Annotated[
    str | None,
    typer.Option(help="Columns of several quantities, by comma, instead of one value."),
]


def columns_of(
    *,
    sensor_column: str,
    sensor: str | None,
    time_column: str,
    value_column: str,
    values_columns: str | None,
    timezone: str,
) -> Columns:
    """Put the options together."""
    from hedgerow.app.replay.readings_file import Columns  # noqa: PLC0415 - imported when a command runs

    return Columns(
        sensor=sensor_column,
        sensor_name=sensor,
        time=time_column,
        value=value_column,
        quantities=tuple(name.strip() for name in (values_columns or "").split(",") if name),
        timezone=_zone(timezone),
    )


def _zone(name: str) -> ZoneInfo:
    try:
        return ZoneInfo(name)
    except (ZoneInfoNotFoundError, ValueError, OSError):
        raise typer.BadParameter(
            f"{name!r} is not a time zone; an IANA name such as Europe/Vienna is",
            param_hint="--timezone",
        ) from None
