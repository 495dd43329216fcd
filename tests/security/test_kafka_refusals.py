"""Whatever is wrong with trust, login or rights: one sentence, its exit code, and no storm."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import pytest
from confluent_kafka.admin import NewTopic
from security.certificates import Authority
from security.commands import End, run
from security.documentation import kafka_rights
from security.identity_provider import IdentityProvider
from security.secrets import MARK, PASSWORD, leaks
from security.secure_kafka import SecureKafka
from security.ways import (
    KAFKA,
    USER,
    Environment,
    Place,
    by_password,
    by_token_endpoint,
    by_token_file,
    door,
)

pytestmark = pytest.mark.kafka

REFUSED = 11
TOPICS = ("sensor-data", "predictions", "alerts", "dead-letters", "sensor-registry")
MOST_ATTEMPTS = 20  # a client that goes on trying makes as many every second
MOST_SECONDS = 20.0
WRONG = f"{MARK}-wrong"


@pytest.fixture
def place(secure_kafka: SecureKafka, provider: IdentityProvider, tmp_path: Path) -> Place:
    return Place(secure_kafka, provider, tmp_path)


def other_authority(place: Place) -> Environment:
    stranger = Authority(place.folder / "stranger", "a stranger")
    ca_file = str(stranger.certificate)
    return {**by_password(place, "PLAIN"), f"{KAFKA}TLS__CA_FILE": ca_file}


def forged(place: Place) -> Environment:
    head, claims, signature = place.provider.token(USER).split(".")
    return by_token_file(place, f"{head}.{claims}.{signature[::-1]}")


def without_tls(place: Place) -> Environment:
    given = by_password(place, "PLAIN")
    return {name: value for name, value in given.items() if "__TLS__" not in name}


def at(place: Place, name: str, host: str = "127.0.0.1") -> Environment:
    server = place.kafka.doors[name].replace("127.0.0.1", host)
    return {**by_password(place, "PLAIN"), f"{KAFKA}BOOTSTRAP_SERVERS": server}


@pytest.mark.parametrize(
    ("way", "words"),
    [
        pytest.param(lambda p: by_password(p, "PLAIN", WRONG), "refuses the login", id="plain"),
        pytest.param(
            lambda p: by_password(p, "SCRAM-SHA-512", WRONG),
            "refuses the login of user 'worker' by SCRAM-SHA-512",
            id="scram",
        ),
        pytest.param(
            lambda p: by_token_endpoint(p, WRONG),
            "/token refuses a token: 401 invalid_client",
            id="oauth",
        ),
        pytest.param(forged, "refuses the token", id="forged token"),
        pytest.param(
            lambda p: by_token_file(p, p.provider.token(USER, seconds=-30)),
            "has expired; who renews it?",
            id="expired token",
        ),
        pytest.param(lambda p: at(p, "expired"), "has expired; renew it", id="expired"),
        pytest.param(other_authority, "an authority that is not trusted", id="unknown authority"),
        pytest.param(lambda p: at(p, "sasl", "localhost"), "is not for localhost", id="wrong name"),
        pytest.param(
            lambda p: door(p.kafka, "mutual"), "tls.certificate_file", id="no certificate of ours"
        ),
        pytest.param(lambda p: at(p, "plain"), "does not speak TLS", id="no TLS there"),
        pytest.param(without_tls, "speaks TLS, and kafka.tls.enabled is false", id="no TLS here"),
    ],
)
def test_who_is_not_let_in_is_told_why_and_stops(
    way: Callable[[Place], Environment],
    words: str,
    place: Place,
    capsys: pytest.CaptureFixture[str],
) -> None:
    end = run(["worker"], way(place), place.kafka, capsys)
    refused(end, words)


@pytest.mark.parametrize(
    "command",
    ["topics list", "topics create", "predictions tail --no-follow", "replay FILE", "doctor"],
)
def test_every_command_stops_at_the_first_refusal(
    command: str, place: Place, capsys: pytest.CaptureFixture[str]
) -> None:
    file = place.folder / "one.csv"
    file.write_text("sensor_id,timestamp,value\ns,1767225600,1\n", "utf-8")
    words = command.replace("FILE", str(file)).split()
    end = run(words, by_password(place, "PLAIN", WRONG), place.kafka, capsys)
    assert "refuses the login of user 'worker' by PLAIN" in end.output
    assert end.code == (1 if command == "doctor" else REFUSED)
    assert end.refusals <= MOST_ATTEMPTS


@pytest.fixture
def rights(place: Place) -> Environment:
    """The topics of the documentation, and a user who has the documented rights on them."""
    existing = place.kafka.admin.list_topics(timeout=20).topics
    fresh = [NewTopic(name, 1, 1) for name in TOPICS if name not in existing]
    for future in place.kafka.admin.create_topics(fresh).values() if fresh else ():
        future.result(20)
    place.kafka.set_password("limited", PASSWORD)
    place.kafka.forbid("User:limited")
    place.kafka.allow(kafka_rights("limited", {}))
    way = by_password(place, "SCRAM-SHA-256")
    return {**way, f"{KAFKA}SASL__USERNAME": "limited"}


@pytest.mark.parametrize(
    ("lacking", "said"),
    [
        ("sensor-data", "--operation Read --topic sensor-data"),
        ("hedgerow", "--operation Read --group hedgerow"),
        ("sensor-registry", "--operation Read --topic sensor-registry"),
        ("predictions", "--operation Write --topic predictions"),
        ("alerts", "--operation Write --topic alerts"),
        ("dead-letters", "--operation Write --topic dead-letters"),
    ],
)
def test_a_missing_right_is_named_with_the_line_that_grants_it(
    lacking: str,
    said: str,
    rights: Environment,
    place: Place,
    capsys: pytest.CaptureFixture[str],
) -> None:
    place.kafka.forbid("User:limited", lacking)
    end = run(["worker"], rights, place.kafka, capsys)
    refused(end, f"kafka-acls --add --allow-principal User:limited {said}")
    assert end.output.count("kafka-acls") == 1


@pytest.mark.parametrize(
    ("command", "said"),
    [
        (["replay", "FILE"], "--operation Write --topic sensor-data"),
        (["predictions", "tail", "--no-follow"], "--operation Read --topic predictions"),
    ],
)
def test_the_other_commands_say_what_they_lack(
    command: list[str],
    said: str,
    rights: Environment,
    place: Place,
    capsys: pytest.CaptureFixture[str],
) -> None:
    file = place.folder / "one.csv"
    file.write_text("sensor_id,timestamp,value\ns,1767225600,1\n", "utf-8")
    command = [str(file) if word == "FILE" else word for word in command]
    place.kafka.forbid("User:limited", "predictions")
    end = run(command, rights, place.kafka, capsys)
    refused(end, said)


def refused(end: End, words: str) -> None:
    assert words in " ".join(end.output.split())
    assert end.code == REFUSED
    assert end.refusals <= MOST_ATTEMPTS
    assert end.seconds < MOST_SECONDS
    assert leaks(end.output) == []
