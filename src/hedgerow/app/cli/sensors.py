"""``hedgerow sensors``: keep the registry of what is known of each sensor."""
# ruff: noqa: PLC0415 - Kafka's client is imported when a command runs

from __future__ import annotations

import sys
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from hedgerow.app.cli.output import (
    ConfigOption,
    columns,
    errors,
    printable,
    read_settings,
    results,
)
from hedgerow.app.registry.forms import Format

if TYPE_CHECKING:
    from hedgerow.app.registry.send import Changes
    from hedgerow.app.settings import Settings
    from hedgerow.topics import Sensor


FormatOption = Annotated[
    Format | None, typer.Option("--format", help="Instead of the file's extension.")
]
PatternArgument = Annotated[
    str, typer.Argument(help="Only sensors whose id or name matches, for example 'bridge-*'.")
]
KindOption = Annotated[str | None, typer.Option(help="Only sensors of this kind.")]
ZoneOption = Annotated[str | None, typer.Option(help="Only sensors in this zone.")]


def add_to(app: typer.Typer) -> None:
    """Add the group."""
    group = typer.Typer(
        no_args_is_help=True,
        help="Keep the registry: name, kind, position, bounds and period of each sensor.",
    )
    group.command("import", epilog="Example: hedgerow sensors import sensors.csv")(import_)
    group.command("list", epilog="Example: hedgerow sensors list 'bridge-*' --kind traffic")(list_)
    group.command("export", epilog="Example: hedgerow sensors export sensors.geojson")(export)
    app.add_typer(group, name="sensors")


def import_(
    file: Annotated[Path, typer.Argument(help=".csv, .geojson or .json.", show_default=False)],
    *,
    config: ConfigOption = None,
    form: FormatOption = None,
    replace: Annotated[
        bool, typer.Option("--replace", help="Take out the sensors that the file does not name.")
    ] = False,
    yes: Annotated[bool, typer.Option("--yes", "-y", help="Take them out without asking.")] = False,
    dry_run: Annotated[
        bool, typer.Option("--dry-run", help="Say what would change, and change nothing.")
    ] = False,
) -> None:
    """Put a file of sensors into the registry; the same file again changes nothing.

    Columns of a CSV file, the properties of a GeoJSON feature likewise: sensor_id, name, kind,
    unit, zone, longitude, latitude (or x, y), bound_lower, bound_upper, period_seconds, neighbours
    (up to four, by semicolon). All but sensor_id may be left out or empty.
    """
    settings = read_settings(config)
    from hedgerow.app.registry.files import read_sensors
    from hedgerow.app.registry.send import changes
    from hedgerow.app.registry.table import read_table

    wanted = read_sensors(file, form)
    found = changes(read_table(settings).sensors, wanted, replace=replace)
    if dry_run:
        results.print(f"{file}: would be {found}")
        return
    if found.removed and not yes:
        shown = ", ".join(map(printable, found.removed[:5]))
        more = ", ..." if len(found.removed) > 5 else ""
        errors.print(f"{len(found.removed)} sensors are not in the file: {shown}{more}")
        typer.confirm("Take them out of the registry?", abort=True, err=True)
    _send(settings, found)
    results.print(f"{file}: {found}")


def _send(settings: Settings, found: Changes) -> None:
    from rich.progress import Progress

    from hedgerow.app.registry.send import send

    if not found.count:
        return
    # Drawn nowhere but on a terminal, where it goes again.
    with Progress(console=errors, transient=True, disable=not errors.is_terminal) as bar:
        task = bar.add_task("sensors", total=found.count)
        send(settings, found, lambda sent: bar.update(task, completed=sent))


def list_(
    pattern: PatternArgument = "*",
    *,
    config: ConfigOption = None,
    kind: KindOption = None,
    zone: ZoneOption = None,
    as_json: Annotated[bool, typer.Option("--json", help="One JSON object a line.")] = False,
) -> None:
    """List the sensors of the registry."""
    sensors = _chosen(config, pattern, kind, zone)
    if as_json:
        from hedgerow.topics import encode_sensor

        for sensor in sensors:
            typer.echo(encode_sensor(sensor)[1].decode())
        return
    if sensors:
        rows = [_row(sensor) for sensor in sensors]
        headings = ("sensor", "name", "kind", "zone", "unit", "position", "bounds", "period")
        for line in columns(headings, rows, names=len(headings)):
            results.print(line)
    results.print(f"{len(sensors):,} sensors")


def export(
    file: Annotated[
        Path | None, typer.Argument(help="Where to; standard output when left out.")
    ] = None,
    *,
    config: ConfigOption = None,
    form: FormatOption = None,
    kind: KindOption = None,
    zone: ZoneOption = None,
) -> None:
    """Write the registry as a file that import reads."""
    from hedgerow.app.errors import InputFileError
    from hedgerow.app.registry.files import format_of, write_sensors

    written = format_of(file, form)
    sensors = _chosen(config, "*", kind, zone)
    if file is None:
        write_sensors(sensors, written, sys.stdout)
        return
    try:
        with file.open("w", encoding="utf-8", newline="") as into:
            write_sensors(sensors, written, into)
    except OSError as error:
        raise InputFileError(f"{file}: {error.strerror or error}") from None
    errors.print(f"{file}: {len(sensors):,} sensors")


def _chosen(config: Path | None, pattern: str, kind: str | None, zone: str | None) -> list[Sensor]:
    settings = read_settings(config)
    from hedgerow.app.registry.table import chosen, read_table

    return chosen(read_table(settings).sensors.values(), pattern=pattern, kind=kind, zone=zone)


def _row(sensor: Sensor) -> tuple[str, ...]:
    texts = (sensor.sensor_id, sensor.name, sensor.kind, sensor.zone, sensor.unit)
    across, up = sensor.longitude, sensor.latitude
    if across is None or up is None:
        across, up = sensor.x, sensor.y
    position = "" if across is None or up is None else f"{across:g}, {up:g}"
    lower, upper = sensor.bound_lower, sensor.bound_upper
    bounds = "" if lower is None and upper is None else f"{_number(lower)} to {_number(upper)}"
    period = "" if sensor.period_seconds is None else f"{sensor.period_seconds:g} s"
    return (*map(printable, texts), position, bounds, period)


def _number(bound: float | None) -> str:
    return "-" if bound is None else f"{bound:g}"
