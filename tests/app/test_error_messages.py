"""What a newcomer gets wrong, as it would be typed: one sentence, an exit code, no traceback."""

from __future__ import annotations

import os
import re
import shutil
import socket
import subprocess
import sys
import time
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

import pytest
import redis
from stack.fixtures import Stack
from stack.parts import require, without

from hedgerow.app.embedded.servers import EmbeddedRedis, free_port
from hedgerow.app.settings import Settings
from hedgerow.app.settings_faults import misspelt

REPOSITORY = Path(__file__).parents[2]
COMMAND = (sys.executable, "-c", "from hedgerow.app.cli import main; main()")
SECONDS = 60.0  # at most, on a busy machine; a worker would go on for ever


@dataclass(frozen=True, slots=True)
class Failure:
    code: int
    sentence: str


class Typist:
    """Types commands that must fail, in a folder of its own."""

    def __init__(self, folder: Path, variables: Mapping[str, str]) -> None:
        self.folder = folder
        own = {name: text for name, text in os.environ.items() if not name.startswith("HEDGEROW_")}
        self._variables = {**own, "COLUMNS": "200", "HEDGEROW_HTTP__PORT": "0", **variables}

    def write(self, name: str, text: str) -> None:
        (self.folder / name).write_text(text, "utf-8")

    def __call__(self, *arguments: str, before: Sequence[str] = (), **variables: str) -> Failure:
        done = subprocess.run(
            [*before, *COMMAND, *arguments],
            cwd=self.folder,
            env={**self._variables, **variables},
            capture_output=True,
            text=True,
            timeout=SECONDS,
            check=False,
        )
        assert done.returncode > 0, done.stdout + done.stderr
        assert "Traceback" not in done.stderr
        _, told, sentence = done.stderr.rpartition("hedgerow: ")
        assert told, done.stderr
        return Failure(done.returncode, sentence.strip())


@pytest.fixture
def typed(embedded_stack: Stack, tmp_path: Path) -> Typist:
    topics = {
        f"HEDGEROW_TOPICS__{role}": f"wrong-{tmp_path.name}-{role.lower()}"
        for role in ("READINGS", "PREDICTIONS", "ALERTS", "DEAD_LETTERS", "SENSOR_REGISTRY")
    }
    servers = {
        "HEDGEROW_KAFKA__BOOTSTRAP_SERVERS": embedded_stack.bootstrap,
        "HEDGEROW_REDIS__URL": embedded_stack.redis_url,
    }
    return Typist(tmp_path, {**topics, **servers})


# ---------------------------------------------------------------- servers


@pytest.mark.parametrize("command", ["worker", "predictions tail"])
def test_a_broker_that_is_not_there(typed: Typist, command: str) -> None:
    server = f"127.0.0.1:{free_port()}"
    failed = typed(*command.split(), HEDGEROW_KAFKA__BOOTSTRAP_SERVERS=server)
    assert failed.code == 3
    assert f"no Kafka broker answers at {server}: nothing listens at {server}" in failed.sentence
    assert "HEDGEROW_KAFKA__BOOTSTRAP_SERVERS" in failed.sentence


def test_a_broker_s_name_that_nobody_knows(typed: Typist) -> None:
    failed = typed("worker", HEDGEROW_KAFKA__BOOTSTRAP_SERVERS="kafka.invalid:9092")
    assert failed.code == 3
    assert "there is no host kafka.invalid" in failed.sentence


def test_an_address_where_something_else_listens(typed: Typist, embedded_stack: Stack) -> None:
    server = embedded_stack.redis_url.removeprefix("redis://").partition("/")[0]
    failed = typed("topics", "list", HEDGEROW_KAFKA__BOOTSTRAP_SERVERS=server)
    assert failed.code == 3
    assert f"what listens at {server} does not answer as a broker does" in failed.sentence


def test_topics_that_are_missing_and_may_not_be_made(typed: Typist) -> None:
    failed = typed("worker", HEDGEROW_TOPICS__CREATE="false")
    assert failed.code == 9
    assert re.fullmatch(
        r"missing topics: (\S+, ){4}\S+; run `hedgerow topics create`", failed.sentence
    )


def test_a_topic_that_is_missing_for_who_only_looks(typed: Typist) -> None:
    failed = typed("alerts", "tail")
    assert failed.code == 9
    assert failed.sentence.endswith("; run `hedgerow topics create`")


@pytest.mark.parametrize("command", ["worker", "state list"])
def test_a_redis_that_is_not_there(typed: Typist, command: str) -> None:
    port = free_port()
    failed = typed(*command.split(), HEDGEROW_REDIS__URL=f"redis://127.0.0.1:{port}/0")
    assert failed.code == 4
    assert failed.sentence == (
        f"Redis does not answer: nothing listens at 127.0.0.1:{port}; start it, or set redis.url "
        "(HEDGEROW_REDIS__URL)"
    )


@pytest.fixture(scope="module")
def locked_redis(tmp_path_factory: pytest.TempPathFactory) -> Iterator[EmbeddedRedis]:
    server = EmbeddedRedis(tmp_path_factory.mktemp("locked"))
    with redis.Redis.from_url(server.url) as client:
        client.config_set("requirepass", "sesame")
    yield server
    server.stop()


@pytest.mark.parametrize(("user", "login"), [("wrong", ":wrong@"), ("none", "")])
def test_a_wrong_password_of_redis_is_not_tried_again(
    typed: Typist, locked_redis: EmbeddedRedis, user: str, login: str
) -> None:
    url = locked_redis.url.replace("redis://", f"redis://{login}")
    failed = typed("worker", HEDGEROW_REDIS__URL=url)
    assert failed.code == 11
    assert "redis.password" in failed.sentence
    assert "wrong" not in failed.sentence.replace("wrong password", "")


def test_an_address_that_this_machine_has_not(typed: Typist) -> None:
    failed = typed("worker", HEDGEROW_HTTP__HOST="192.0.2.1", HEDGEROW_HTTP__PORT="8000")
    assert failed == Failure(
        2,
        "cannot listen on 192.0.2.1:8000: this machine has no address 192.0.2.1; set http.host "
        "(HEDGEROW_HTTP__HOST) to 127.0.0.1, to 0.0.0.0 for all, or to one that it has",
    )


def test_a_port_that_is_taken(typed: Typist) -> None:
    with socket.create_server(("127.0.0.1", 0)) as taken:
        port = taken.getsockname()[1]
        failed = typed("worker", HEDGEROW_HTTP__PORT=str(port))
    assert failed.code == 6
    assert failed.sentence == (
        f"cannot listen on 127.0.0.1:{port}: address already in use; set http.port "
        "(HEDGEROW_HTTP__PORT) to a free port, or to 0 for any"
    )


# ---------------------------------------------------------------- city.toml


@pytest.mark.parametrize(
    ("toml", "sentence"),
    [
        ("timezon = 'UTC'", "setting timezon: there is no setting of this name; did you mean "
         "timezone? (in city.toml)"),
        ("[kafka]\nlinger = 5", "setting kafka.linger: there is no setting of this name; did you "
         "mean kafka.linger_ms? (in city.toml)"),
        ("[[profiles]]\nname = 'a'\nperiod = 3600", "setting profiles.0.period: there is no "
         "setting of this name; did you mean profiles.0.period_seconds? (in city.toml)"),
        ("horizons = 3", "setting horizons = 3: it must be a list in brackets (in city.toml)"),
        ("[topics]\npartitions = 'many'", "setting topics.partitions = 'many': it must be a whole "
         "number (in city.toml)"),
        ("[topics]\nreplication = 11", "setting topics.replication = 11: it must be less than or "
         "equal to 10 (in city.toml)"),
        ("horizons = [0]", "setting horizons.0 = 0: it must be greater than or equal to 1 (in "
         "city.toml)"),
        ("start = 'middle'", "setting start = 'middle': it must be 'earliest' or 'latest' (in "
         "city.toml)"),
        ("[[profiles]]\nmatch = ['a*']", "setting profiles.0.name: it must be given (in "
         "city.toml)"),
        ("group = hedgerow", "city.toml is not TOML: Invalid value (at line 1, column 9); a text "
         "stands in quotes"),
    ],
)  # fmt: skip
def test_a_city_that_is_wrong(typed: Typist, toml: str, sentence: str) -> None:
    typed.write("city.toml", toml + "\n")
    assert typed("worker", "--config", "city.toml") == Failure(2, sentence)


def test_a_profile_that_cannot_be_used_is_told_before_any_server_is_asked(typed: Typist) -> None:
    typed.write("city.toml", "[[profiles]]\nname = 'a'\nexperts = ['acurate']\n")
    nobody = f"127.0.0.1:{free_port()}"
    failed = typed("worker", "-c", "city.toml", HEDGEROW_KAFKA__BOOTSTRAP_SERVERS=nobody)
    assert failed.code == 2
    assert failed.sentence.startswith("setting profiles: ")
    assert "acurate" in failed.sentence


def test_a_city_that_is_not_there(typed: Typist) -> None:
    assert typed("doctor", "--config", "vienna.toml") == Failure(
        2, "no settings file at vienna.toml; name an existing city.toml"
    )


def test_a_folder_in_place_of_a_city(typed: Typist) -> None:
    assert typed("doctor", "--config", ".") == Failure(2, "no settings file at .; that is a folder")


def test_a_city_in_another_encoding(typed: Typist) -> None:
    (typed.folder / "city.toml").write_bytes("group = 'Straße'".encode("latin-1"))
    assert typed("doctor", "--config", "city.toml") == Failure(
        2, "city.toml is not UTF-8 text (a byte 0xdf stands in it); save it as UTF-8"
    )


def test_a_city_that_begins_with_a_byte_order_mark_is_read(typed: Typist) -> None:
    (typed.folder / "city.toml").write_text("group = 3", "utf-8-sig")
    assert typed("doctor", "--config", "city.toml").sentence.startswith("setting group = 3: ")


@pytest.mark.parametrize(
    ("variable", "meant"),
    [
        ("HEDGEROW_KAFKA_BOOTSTRAP_SERVERS", "HEDGEROW_KAFKA__BOOTSTRAP_SERVERS"),
        ("HEDGEROW_TIMZONE", "HEDGEROW_TIMEZONE"),
        ("HEDGEROW_KAFAK__BOOTSTRAP_SERVERS", "HEDGEROW_KAFKA__BOOTSTRAP_SERVERS"),
        ("HEDGEROW_CONFG", "HEDGEROW_CONFIG"),
    ],
)
def test_a_variable_that_is_misspelt_is_not_passed_over(
    typed: Typist, variable: str, meant: str
) -> None:
    assert typed("doctor", **{variable: "x"}) == Failure(
        2, f"{variable} is no setting's variable; did you mean {meant}?"
    )


@pytest.mark.parametrize(
    "variable",
    ["HEDGEROW_PORT", "HEDGEROW_PORT_8000_TCP_ADDR", "HEDGEROW_SERVICE_HOST", "HEDGEROW_DATA"],
)
def test_variables_that_are_somebody_else_s_are_left_alone(variable: str) -> None:
    assert misspelt([variable], Settings) == []


def test_a_variable_that_is_wrong_is_named(typed: Typist) -> None:
    assert typed("doctor", HEDGEROW_CHECKPOINT__INTERVAL_SECONDS="often") == Failure(
        2,
        "setting checkpoint.interval_seconds = 'often': it must be a number "
        "(in HEDGEROW_CHECKPOINT__INTERVAL_SECONDS)",
    )


# ---------------------------------------------------------------- secrets


def test_a_secret_file_that_is_not_there(typed: Typist) -> None:
    failed = typed("worker", HEDGEROW_REDIS__PASSWORD_FILE="/run/secrets/no-such")
    assert failed.code == 2
    assert "password_file: /run/secrets/no-such cannot be read: No such file" in failed.sentence
    assert "name a file that holds the secret and that this user may read" in failed.sentence


def test_a_secret_file_that_we_may_not_read(typed: Typist) -> None:
    before: tuple[str, ...] = ()
    if os.geteuid() == 0:  # who may read everything, unless that is taken away
        require(without("setpriv"))
        before = ("setpriv", "--bounding-set", "-dac_override,-dac_read_search", "--")
    typed.write("secret", "sesame")
    (typed.folder / "secret").chmod(0)
    failed = typed("worker", before=before, HEDGEROW_REDIS__PASSWORD_FILE="secret")
    assert failed.code == 2
    assert "password_file: secret cannot be read: Permission denied; name" in failed.sentence
    assert "sesame" not in failed.sentence


# ---------------------------------------------------------------- files of readings


@pytest.mark.parametrize("command", ["replay", "backtest"])
@pytest.mark.parametrize(
    ("text", "said"),
    [
        ("sensor,timestamp,value\na,2026-01-01,1\n", "readings.csv has no column 'sensor_id'; it "
         "has sensor, timestamp, value. Name the right one with --sensor-column"),
        ("sensor_id,timestamp,value\na,yesterday,1\n", "line 2: 'yesterday' is not a time; ISO "
         "8601 or seconds or milliseconds since 1970 are"),
        ("sensor_id,timestamp,value\na,2026-01-01,much\n", "line 2: "),
        ("", "readings.csv is empty; its first line must name the columns, such as "
         "sensor_id,timestamp,value"),
        ("sensor_id,timestamp,value\n", "readings"),
        ("road;at;cars\na;2026-01-01;1\n", "it has road, at, cars. Name the right one with"),
        ("sensor_id;timestamp;value\na;2026-01-01;1,5\n", "line 2: '1,5' in column 'value' is not "
         "a finite number; write it with a point, as 1.5"),
        ('sensor_id,timestamp,value\n"a,2026-01-01,1\n' + "b,2026-01-01,1\n" * 10_000,
         "a quotation mark that is never closed makes one cell of all that follows"),
    ],
    ids=["column", "time", "value", "empty", "no-rows", "semicolons", "comma", "quotation mark"],
)  # fmt: skip
def test_a_file_that_is_wrong(typed: Typist, command: str, text: str, said: str) -> None:
    typed.write("readings.csv", text)
    if command == "replay":
        subprocess.run([*COMMAND, "topics", "create"], env=typed._variables, check=True)
    failed = typed(command, "readings.csv")
    assert failed.code == 5
    assert said in failed.sentence


def test_a_file_that_is_not_there_or_of_no_kind(typed: Typist) -> None:
    assert typed("replay", "x.csv") == Failure(5, "there is no file x.csv")
    (typed.folder / "x.csv").mkdir()
    assert typed("replay", "x.csv") == Failure(5, "x.csv is a folder; name a file in it")
    typed.write("x.xlsx", "")
    failed = typed("replay", "x.xlsx")
    assert failed.code == 5
    assert failed.sentence.startswith("x.xlsx: not a format that can be replayed; .csv, ")


# ---------------------------------------------------------------- outputs


def test_a_report_that_cannot_be_written_is_told_before_anything_is_learned(
    typed: Typist,
) -> None:
    typed.write("readings.csv", "sensor_id,timestamp,value\na,yesterday,1\n")
    assert typed("backtest", "readings.csv", "--report", "no/report.html") == Failure(
        1, "the report cannot be written to no/report.html: there is no folder no"
    )
    assert typed("backtest", "readings.csv", "--report", ".") == Failure(
        1, "the report cannot be written to .: that is a folder"
    )


@pytest.mark.skipif(not Path("/dev/full").exists(), reason="there is no /dev/full here")
@pytest.mark.parametrize("arguments", [("--version",), ("topics", "list")])
def test_an_output_that_there_is_no_room_for(typed: Typist, arguments: tuple[str, ...]) -> None:
    before = ("sh", "-c", 'exec "$@" >/dev/full', "sh")
    assert typed(*arguments, before=before) == Failure(
        1, "the output cannot be written: No space left on device"
    )


# ---------------------------------------------------------------- parts


@pytest.mark.parametrize("missing", ["java", "mvn"])
def test_kafka_without_java_or_maven_says_what_to_install(tmp_path: Path, missing: str) -> None:
    tools = tmp_path / "bin"
    tools.mkdir()
    for tool in ("sh", "make", "awk", "find", "rm", "mv", "touch", "echo"):
        (tools / tool).symlink_to(shutil.which(tool) or "/bin/false")
    if missing == "mvn":
        (tools / "java").symlink_to("/bin/true")
    began = time.monotonic()
    done = subprocess.run(
        ["make", "kafka-jars", f"KAFKA={tmp_path}/libs"],
        cwd=REPOSITORY,
        env={"PATH": str(tools)},
        capture_output=True,
        text=True,
        timeout=SECONDS,
        check=False,
    )
    assert done.returncode != 0
    assert f"a real Kafka needs {missing}, which is not installed" in done.stderr
    assert "apt-get install" in done.stderr
    assert time.monotonic() - began < 10.0
