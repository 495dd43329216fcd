"""Every way in: a worker learns and publishes, both of its clients logged in by one block."""

from __future__ import annotations

import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from uuid import uuid4

import pytest
from faults.run.workers import Worker
from security.commands import settled_refusals
from security.identity_provider import IdentityProvider
from security.locked_city import HOURS, LockedCity, wait_ended, wait_predictions
from security.secrets import MARK, PASSWORD, leaks
from security.secure_kafka import REAUTHENTICATION_SECONDS, SecureKafka
from security.ways import CERTIFICATE_USER, KAFKA, USER, WAYS, Place, by_password

from hedgerow.app.embedded.servers import EmbeddedRedis

pytestmark = [pytest.mark.kafka, pytest.mark.redis]

REFUSED = 11
MOST_A_SECOND = 20  # of both clients, while a worker waits for a broker that is being restarted


@pytest.fixture
def place(secure_kafka: SecureKafka, provider: IdentityProvider, tmp_path: Path) -> Place:
    return Place(secure_kafka, provider, tmp_path)


@contextmanager
def working(city: LockedCity) -> Iterator[Worker]:
    """A worker that has learned the first hours."""
    worker = city.start()
    try:
        city.send(range(HOURS))
        wait_predictions(city, worker, HOURS)
        yield worker
    finally:
        worker.end()


@pytest.fixture(scope="module")
def let_in(
    secure_kafka: SecureKafka,
    provider: IdentityProvider,
    real_redis: EmbeddedRedis,
    tmp_path_factory: pytest.TempPathFactory,
) -> Iterator[dict[str, tuple[LockedCity, Worker]]]:
    """A worker for each way in, all started at once: most of a start is waiting."""
    redis = {"HEDGEROW_REDIS__URL": real_redis.url}
    running: dict[str, tuple[LockedCity, Worker]] = {}
    try:
        for way, make in WAYS.items():
            folder = tmp_path_factory.mktemp("way")
            user = CERTIFICATE_USER if "mutual" in way else USER
            how = make(Place(secure_kafka, provider, folder))
            city = LockedCity(secure_kafka, user, how, redis, folder).build()
            running[way] = (city, city.start())
        yield running
    finally:
        for _, worker in running.values():
            worker.end()


@pytest.mark.parametrize("way", WAYS)
def test_a_worker_that_is_let_in_learns_and_publishes(
    way: str, let_in: dict[str, tuple[LockedCity, Worker]]
) -> None:
    city, worker = let_in[way]
    city.send(range(HOURS))
    wait_predictions(city, worker, HOURS)
    worker.leave(within_seconds=30)
    assert leaks(worker.child.log.read_text("utf-8")) == []


def test_a_login_that_is_asked_for_again_and_again_interrupts_nothing(
    own_city: LockedCity,
) -> None:
    with working(own_city) as worker:
        sent, until = HOURS, time.monotonic() + 1.6 * REAUTHENTICATION_SECONDS
        while time.monotonic() < until:
            own_city.send(range(sent, sent + 1))
            sent += 1
            wait_predictions(own_city, worker, sent)
        worker.leave(within_seconds=30)


@pytest.fixture
def own_city(place: Place, real_redis: EmbeddedRedis) -> LockedCity:
    """A city whose user nobody else is."""
    user = f"user-{uuid4().hex[:6]}"
    place.kafka.set_password(user, PASSWORD)
    way = {**by_password(place, "SCRAM-SHA-256"), f"{KAFKA}SASL__USERNAME": user}
    redis = {"HEDGEROW_REDIS__URL": real_redis.url}
    return LockedCity(place.kafka, user, way, redis, place.folder).build()


@pytest.mark.parametrize(
    ("right", "said"),
    [
        ("sensor-data", "--operation Read --topic"),
        ("hedgerow", "--operation Read --group"),
        ("predictions", "--operation Write --topic"),
    ],
)
def test_a_right_that_is_taken_away_stops_the_worker_with_the_reason(
    right: str, said: str, own_city: LockedCity, real_redis: EmbeddedRedis
) -> None:
    with working(own_city) as worker:
        own_city.kafka.forbid(f"User:{own_city.user}", own_city.names[right])
        if right == "predictions":
            own_city.send(range(HOURS, HOURS + 1))
        code = wait_ended(worker)
        assert f"{said} {own_city.names[right]}" in worker.tail()
        assert code == REFUSED


def test_a_password_changed_behind_its_back_stops_the_worker_without_a_storm(
    own_city: LockedCity,
) -> None:
    kafka = own_city.kafka
    with working(own_city) as worker:
        kafka.set_password(own_city.user, f"{MARK}-changed")
        before = settled_refusals(kafka)
        began = time.monotonic()
        kafka.restart()  # connections that stand are not asked again
        code = wait_ended(worker)
        seconds = time.monotonic() - began
        assert "\nhedgerow: Kafka refuses the login of user" in worker.tail()
        assert code == REFUSED
        assert 0 < settled_refusals(kafka) - before < MOST_A_SECOND * seconds
