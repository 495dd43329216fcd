"""What the doctor says of locked servers: trust, login and permissions, each under its name."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest
from security.commands import run
from security.identity_provider import IdentityProvider
from security.locked_city import LockedCity
from security.secrets import MARK, PASSWORD, REDIS_PASSWORD
from security.secure_kafka import SecureKafka
from security.secure_redis import SecureRedis
from security.ways import KAFKA, Place, by_password

pytestmark = [pytest.mark.kafka, pytest.mark.redis]

Found = dict[str, dict[str, Any]]
USER = "patient"


@pytest.fixture(scope="module")
def city(
    secure_kafka: SecureKafka,
    secure_redis: SecureRedis,
    provider: IdentityProvider,
    tmp_path_factory: pytest.TempPathFactory,
) -> LockedCity:
    folder: Path = tmp_path_factory.mktemp("patient")
    secure_kafka.set_password(USER, PASSWORD)
    way = by_password(Place(secure_kafka, provider, folder), "SCRAM-SHA-512")
    redis = {
        "HEDGEROW_REDIS__URL": secure_redis.url,
        "HEDGEROW_REDIS__USERNAME": "hedgerow",
        "HEDGEROW_REDIS__PASSWORD": REDIS_PASSWORD,
        "HEDGEROW_REDIS__TIMEOUT_SECONDS": "30",
        "HEDGEROW_REDIS__TLS__CA_FILE": str(secure_redis.authority.certificate),
    }
    way = {**way, f"{KAFKA}SASL__USERNAME": USER}
    return LockedCity(secure_kafka, USER, way, redis, folder).build()


def examined(
    city: LockedCity, capsys: pytest.CaptureFixture[str], changes: dict[str, str]
) -> tuple[int, Found]:
    end = run(["doctor", "--json"], {**city.environment, **changes}, city.kafka, capsys)
    return end.code, {check["name"]: check for check in json.loads(end.output)}


def test_it_says_how_it_got_in(city: LockedCity, capsys: pytest.CaptureFixture[str]) -> None:
    code, found = examined(city, capsys, {})
    assert code == 0
    assert "TLSv1.3, its certificate is good for" in found["kafka tls"]["found"]
    assert found["kafka login"]["found"] == f"User:{USER} by SCRAM-SHA-512"
    assert f"Read on group {city.name}" in found["kafka permissions"]["found"]
    assert {"redis", "redis writes", "http"} <= set(found)


@pytest.mark.parametrize(
    ("changes", "name", "said"),
    [
        ({f"{KAFKA}BOOTSTRAP_SERVERS": "expired"}, "kafka tls", "has expired"),
        ({f"{KAFKA}BOOTSTRAP_SERVERS": "plain"}, "kafka tls", "does not speak TLS"),
        ({f"{KAFKA}SASL__PASSWORD": f"{MARK}-wrong"}, "kafka login", "refuses the login"),
        ({"HEDGEROW_GROUP": "another"}, "kafka permissions", "Read on group another"),
        ({"HEDGEROW_REDIS__PASSWORD": f"{MARK}-wrong"}, "redis access", "refuses the login"),
        ({"HEDGEROW_REDIS__PREFIX": "other"}, "redis writes", "no permissions"),
    ],
)
def test_it_says_which_is_wrong(
    changes: dict[str, str],
    name: str,
    said: str,
    city: LockedCity,
    capsys: pytest.CaptureFixture[str],
) -> None:
    doors = city.kafka.doors
    code, found = examined(city, capsys, {k: doors.get(v, v) for k, v in changes.items()})
    assert code == 1
    assert found[name]["status"] == "fail"
    assert said in found[name]["found"]
    assert [check for check in found.values() if check["status"] == "fail"] == [found[name]]
