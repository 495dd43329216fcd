"""No secret comes out: start, work, refusals, doctor and crashes are searched for planted ones."""

from __future__ import annotations

import sys
import urllib.error
import urllib.request
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path

import pytest
from faults.run.workers import WORKER, Worker
from pydantic import BaseModel
from security.certificates import locked
from security.commands import run
from security.identity_provider import IdentityProvider
from security.locked_city import HOURS, LockedCity, wait_ended, wait_predictions
from security.secrets import (
    CLIENT_SECRET,
    HTTP_TOKEN,
    KEY_PASSWORD,
    MARK,
    PLUGIN_KEY,
    REDIS_PASSWORD,
    leaks,
)
from security.secure_kafka import SecureKafka
from security.secure_redis import SecureRedis
from security.ways import KAFKA, USER, Place, by_password, by_token_endpoint

from hedgerow.app.secret_files import is_secret
from hedgerow.app.settings import Settings

pytestmark = [pytest.mark.kafka, pytest.mark.redis]

PLUGIN = '[[profiles]]\nname = "p"\nperiod_seconds = 3600\n[[profiles.river]]\n'
PLUGIN += 'name = "river.linear_model.PARegressor"\n'
# A fault nobody foresaw.
CRASH = (
    "from hedgerow.agents.outputs import Outputs\n"
    "def boom(self, *_, **__): raise ZeroDivisionError('planted')\n"
    "Outputs.emit = boom\n"
)


def secret_names(section: type[BaseModel], path: str = "") -> Iterator[str]:
    """Name every secret setting there is."""
    for name, field in section.model_fields.items():
        if is_secret(section, name):
            yield f"{path}{name}"
        elif isinstance(field.annotation, type) and issubclass(field.annotation, BaseModel):
            yield from secret_names(field.annotation, f"{path}{name}.")


@pytest.fixture(scope="module")
def place(
    secure_kafka: SecureKafka,
    provider: IdentityProvider,
    tmp_path_factory: pytest.TempPathFactory,
) -> Place:
    return Place(secure_kafka, provider, tmp_path_factory.mktemp("secrets"))


@pytest.fixture(scope="module")
def city(place: Place, secure_redis: SecureRedis) -> LockedCity:
    """A city with a secret in every setting that holds one."""
    ours = place.kafka.authority.issue("worker")
    theirs = secure_redis.authority.issue("worker")
    config = place.folder / "city.toml"
    config.write_text(PLUGIN, "utf-8")
    way = {
        **by_password(place, "SCRAM-SHA-512"),
        f"{KAFKA}TLS__CERTIFICATE_FILE": str(ours.certificate),
        f"{KAFKA}TLS__KEY_FILE": str(locked(ours, KEY_PASSWORD)),
        f"{KAFKA}TLS__KEY_PASSWORD": KEY_PASSWORD,
        "HEDGEROW_CONFIG": str(config),
        "HEDGEROW_LOG_LEVEL": "debug",
        "HEDGEROW_PLUGIN_KEY": PLUGIN_KEY,
        "HEDGEROW_HTTP__TOKEN": HTTP_TOKEN,
    }
    redis = {
        "HEDGEROW_REDIS__URL": secure_redis.url.replace("//", f"//hedgerow:{REDIS_PASSWORD}@"),
        "HEDGEROW_REDIS__PASSWORD": REDIS_PASSWORD,
        "HEDGEROW_REDIS__USERNAME": "hedgerow",
        "HEDGEROW_REDIS__TLS__CA_FILE": str(secure_redis.authority.certificate),
        "HEDGEROW_REDIS__TLS__CERTIFICATE_FILE": str(theirs.certificate),
        "HEDGEROW_REDIS__TLS__KEY_FILE": str(locked(theirs, KEY_PASSWORD)),
        "HEDGEROW_REDIS__TLS__KEY_PASSWORD": KEY_PASSWORD,
    }
    return LockedCity(place.kafka, USER, way, redis, place.folder).build()


@pytest.fixture(scope="module")
def by_token(city: LockedCity, place: Place) -> LockedCity:
    """The same city, let in by a token."""
    others = {name: value for name, value in city.way.items() if "__SASL__" not in name}
    return replace(city, way={**others, **by_token_endpoint(place), "HEDGEROW_CONFIG": ""})


def test_every_secret_setting_is_planted(city: LockedCity, by_token: LockedCity) -> None:
    planted = {
        name.removeprefix("HEDGEROW_").lower().replace("__", ".")
        for one in (city, by_token)
        for name, value in one.environment.items()
        if MARK in value
    }
    assert planted == set(secret_names(Settings))


def test_a_worker_s_log_and_pages_hold_none(city: LockedCity) -> None:
    worker = city.start()
    try:
        city.send(range(HOURS))
        wait_predictions(city, worker, HOURS)
        pages = [page(worker, path, token) for path in PATHS for token in (None, HTTP_TOKEN)]
        assert [status for status, _ in pages] == [200, 200, 200, 200, 401, 200]
        command_line = Path(f"/proc/{worker.child.pid}/cmdline").read_text("utf-8")
        worker.leave(within_seconds=30)
        log = worker.child.log.read_text("utf-8")
    finally:
        worker.end()
    assert "DEBUG" in log
    assert leaks(log) == []
    assert leaks("\n".join(body for _, body in pages)) == []
    assert leaks(command_line) == []


PATHS = ("/healthz", "/readyz", "/metrics")


def page(worker: Worker, path: str, token: str | None) -> tuple[int, str]:
    headers = {} if token is None else {"Authorization": f"Bearer {token}"}
    request = urllib.request.Request(f"http://127.0.0.1:{worker.port}{path}", headers=headers)
    try:
        with urllib.request.urlopen(request, timeout=10) as answer:
            return answer.status, f"{answer.headers}{answer.read().decode()}"
    except urllib.error.HTTPError as error:
        with error:
            return error.code, f"{error.headers}{error.read().decode()}"


def test_a_crash_leaves_a_traceback_without_any(city: LockedCity) -> None:
    crashing = (sys.executable, "-c", CRASH + WORKER[2], *WORKER[3:])
    worker = Worker("crash", city.folder, city.environment, crashing)
    try:
        city.send(range(3))
        assert wait_ended(worker) == 8
        log = worker.child.log.read_text("utf-8")
    finally:
        worker.end()
    assert "ZeroDivisionError: planted" in log
    assert "Traceback" in log
    assert leaks(log) == []


@pytest.mark.parametrize(
    ("command", "change"),
    [
        ("doctor", {}),
        ("doctor --json", {}),
        ("doctor", {f"{KAFKA}SASL__PASSWORD": f"{MARK}-wrong"}),
        ("doctor", {f"{KAFKA}TLS__KEY_PASSWORD": f"{MARK}-wrong"}),
        ("doctor", {"HEDGEROW_REDIS__PASSWORD": f"{MARK}-wrong"}),
        ("doctor", {"HEDGEROW_REDIS__TLS__KEY_PASSWORD": f"{MARK}-wrong"}),
        ("doctor", {"HEDGEROW_REDIS__URL": f"rediss://:{MARK}/1@127.0.0.1:1/0"}),
        ("doctor", {"HEDGEROW_REDIS__URL": f"rediss://u:{MARK}@127.0.0.1:1/0"}),
        ("worker", {"HEDGEROW_HTTP__TOKEN": MARK}),
        ("worker", {f"{KAFKA}SASL": f'{{"password": ["{MARK}"], "passwrod": "{MARK}"}}'}),
        ("worker", {f"{KAFKA}SASL__PASSWORD": f"{MARK}-wrong"}),
        ("topics list", {f"{KAFKA}TLS__KEY_PASSWORD": f"{MARK}-wrong"}),
    ],
)
def test_the_doctor_and_every_error_hold_none(
    command: str,
    change: dict[str, str],
    city: LockedCity,
    capsys: pytest.CaptureFixture[str],
) -> None:
    end = run(command.split(), {**city.environment, **change}, city.kafka, capsys)
    assert end.output
    assert leaks(end.output) == []


def test_settings_shown_in_whatever_way_hold_none(by_token: LockedCity) -> None:
    settings = by_token.settings()
    for shown in (repr(settings), str(settings), str(settings.model_dump())):
        assert leaks(shown) == []
    assert leaks(settings.model_dump_json()) == []
    assert CLIENT_SECRET.startswith(MARK)
