"""``hedgerow predictions tail`` and ``hedgerow alerts tail``."""
# ruff: noqa: PLC0415 - Kafka's client is imported when a command runs

from __future__ import annotations

from collections.abc import Callable, Generator, Iterable, Mapping
from contextlib import closing
from fnmatch import fnmatchcase
from typing import TYPE_CHECKING, Annotated, TypeVar

import typer
from rich.text import Text

from hedgerow.app.cli.output import ConfigOption, printable, read_settings, results

if TYPE_CHECKING:
    from hedgerow.app.settings import Settings
    from hedgerow.topics import Alert, Prediction

SensorOption = Annotated[
    str, typer.Option(help="Only series that match, for example 'traffic-*' or 'bridge-7/speed'.")
]
BeginningOption = Annotated[
    bool, typer.Option("--from-beginning", help="Start with the oldest record that is kept.")
]
FollowOption = Annotated[bool, typer.Option(help="Wait for more, or end at what is there.")]
LimitOption = Annotated[int | None, typer.Option(min=1, help="End after so many records.")]
JsonOption = Annotated[bool, typer.Option("--json", help="The records as they are, one a line.")]

KINDS = ("anomaly", "bound", "drift", "forecast-breach", "silent", "stuck")
SEVERITY_STYLES = {"critical": "bold red", "warning": "yellow", "info": ""}
Record = TypeVar("Record", "Prediction", "Alert")


def add_to(app: typer.Typer) -> None:
    """Add both groups."""
    forecasts = typer.Typer(no_args_is_help=True, help="Look at what is forecast.")
    forecasts.command(
        "tail", epilog="Example: hedgerow predictions tail --sensor 'parking-*' --from-beginning"
    )(predictions)
    app.add_typer(forecasts, name="predictions")
    warnings = typer.Typer(no_args_is_help=True, help="Look at what is wrong.")
    warnings.command(
        "tail", epilog="Example: hedgerow alerts tail --severity critical --from-beginning --json"
    )(alerts)
    app.add_typer(warnings, name="alerts")


def predictions(
    *,
    config: ConfigOption = None,
    sensor: SensorOption = "*",
    from_beginning: BeginningOption = False,
    follow: FollowOption = True,
    limit: LimitOption = None,
    as_json: JsonOption = False,
) -> None:
    """Show forecasts as they are published, each once; Ctrl-C ends it."""
    settings = read_settings(config)
    from hedgerow.topics import decode_prediction

    topic = settings.topics.predictions
    with closing(_records(settings, topic, decode_prediction, from_beginning, follow)) as records:
        _show(records, lambda record: _matches(record, sensor), _prediction_line, limit, as_json)


def alerts(
    *,
    config: ConfigOption = None,
    sensor: SensorOption = "*",
    kind: Annotated[
        str | None,
        typer.Option(
            help=f"Only this kind: {', '.join(KINDS)}.",
            autocompletion=lambda: list(KINDS),
        ),
    ] = None,
    severity: Annotated[
        str | None,
        typer.Option(
            help=f"Only this: {', '.join(SEVERITY_STYLES)}.",
            autocompletion=lambda: list(SEVERITY_STYLES),
        ),
    ] = None,
    from_beginning: BeginningOption = False,
    follow: FollowOption = True,
    limit: LimitOption = None,
    as_json: JsonOption = False,
) -> None:
    """Show alerts as they open and resolve, each once; Ctrl-C ends it."""
    _expect(kind, KINDS, "--kind")
    _expect(severity, tuple(SEVERITY_STYLES), "--severity")
    settings = read_settings(config)
    from hedgerow.topics import decode_alert

    def wanted(alert: Alert) -> bool:
        return (
            _matches(alert, sensor)
            and kind in {None, alert.kind}
            and severity in {None, alert.severity}
        )

    topic = settings.topics.alerts
    names = {} if as_json else _names(settings)
    with closing(_records(settings, topic, decode_alert, from_beginning, follow)) as records:
        _show(records, wanted, lambda alert: _alert_line(alert, names), limit, as_json)


def _expect(given: str | None, known: tuple[str, ...], option: str) -> None:
    """Refuse what no alert ever has, rather than wait for it."""
    if given is not None and given not in known:
        raise typer.BadParameter(
            f"{printable(given)!r} is none; {', '.join(known)} are", param_hint=option
        )


def _records(
    settings: Settings,
    topic: str,
    decode: Callable[[bytes], Record],
    from_beginning: bool,
    follow: bool,
) -> Generator[tuple[bytes, Record], None, None]:
    """Read a topic's records, dropping those a restarted worker repeated."""
    from hedgerow.app.broker.tail import Repeats, Tail
    from hedgerow.app.cli.output import errors
    from hedgerow.topics import RecordError

    repeats = Repeats()
    with Tail(settings.kafka, topic, from_beginning=from_beginning, follow=follow) as tail:
        for value in tail.values():
            try:
                record = decode(value)
            except RecordError as error:
                errors.print(f"{topic}: {printable(str(error))}", style="yellow")
                continue
            if not repeats.seen(record.id):
                yield value, record


def _show(
    records: Iterable[tuple[bytes, Record]],
    wanted: Callable[[Record], bool],
    line: Callable[[Record], Text],
    limit: int | None,
    as_json: bool,
) -> None:
    shown = 0
    for value, record in records:
        if not wanted(record):
            continue
        if as_json:
            typer.echo(value)
        else:
            results.print(line(record))
        shown += 1
        if shown == limit:
            return


def _matches(record: Prediction | Alert, sensor: str) -> bool:
    return fnmatchcase(record.series, sensor) or fnmatchcase(record.sensor_id, sensor)


def _prediction_line(record: Prediction) -> Text:
    line = Text(f"{record.issued_at}  ")
    line.append(printable(record.series), style="bold")
    line.append(f"  {record.observed:g}")
    for forecast in record.forecasts:
        line.append(f"  → {_hour(forecast.target_time, record.issued_at)} ", style="dim")
        line.append(f"{forecast.predicted:.4g}", style="cyan")
        if forecast.lower is not None and forecast.upper is not None:
            line.append(f" [{forecast.lower:.4g}, {forecast.upper:.4g}]", style="dim")
    return line


def _names(settings: Settings) -> dict[str, str]:
    """Read from the registry what people call the sensors; nothing where there is none."""
    from hedgerow.app.cli.output import errors
    from hedgerow.app.errors import AccessRefused, TopicMissing
    from hedgerow.app.registry.table import read_table

    try:
        sensors = read_table(settings).sensors
    except TopicMissing:
        return {}
    except AccessRefused as error:
        errors.print(f"without the sensors' names: {printable(str(error))}", style="yellow")
        return {}
    return {who: sensor.name for who, sensor in sensors.items() if sensor.name}


def _alert_line(record: Alert, names: Mapping[str, str]) -> Text:
    resolved = record.state == "resolved"
    style = "green" if resolved else SEVERITY_STYLES.get(record.severity, "")
    line = Text(f"{record.at}  ")
    line.append(f"{record.state:<8} {printable(record.severity):<8}", style=style)
    line.append(f" {printable(record.kind):<15} ")
    line.append(printable(record.series), style="bold")
    if record.sensor_id in names:
        line.append(f" ({printable(names[record.sensor_id])})")
    line.append(f"  {printable(record.message)}")
    return line


def _hour(target: str, issued: str) -> str:
    """Leave out the date where it is the same day."""
    day, _, hour = target.partition("T")
    clock = hour.removesuffix("Z").removesuffix(":00")
    return clock if issued.startswith(day) else f"{day[5:]} {clock}"
