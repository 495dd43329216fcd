"""The registry's topic deleted and made anew under a follower: what is in it then counts.

On Apache Kafka alone: where the embedded broker deletes a topic, librdkafka ends a process that
reads it.
"""

from __future__ import annotations

import time
from collections.abc import Callable

import pytest
from stack.fixtures import Stack
from stack.registry_topics import made_on

from hedgerow.app.broker.topic_admin import admin_client, ensure_topics
from hedgerow.app.registry import follower as module
from hedgerow.app.registry.follower import RegistryFollower
from hedgerow.app.registry.send import changes, send
from hedgerow.app.settings import Settings
from hedgerow.models import Mark
from hedgerow.topics import Sensor

pytestmark = [pytest.mark.kafka, pytest.mark.redis]


@pytest.fixture
def settings(real_stack: Stack) -> Settings:
    return made_on(real_stack, "anew")


def publish(settings: Settings, *who: str) -> None:
    sensors = {one: Sensor(one, bound_upper=5.0) for one in who}
    send(settings, changes({}, sensors), lambda _: None)


def make_anew(settings: Settings) -> None:
    topic = settings.topics.sensor_registry
    admin = admin_client(settings.kafka)
    admin.delete_topics([topic])[topic].result(20)
    wait(lambda: topic not in admin.list_topics(timeout=5).topics)
    ensure_topics(settings)


def wait(done: Callable[[], bool]) -> None:
    deadline = time.monotonic() + 40
    while not done():
        assert time.monotonic() < deadline
        time.sleep(0.02)


def mark_of(follower: RegistryFollower) -> Mark:
    known = follower.current()
    assert known is not None
    assert known.mark is not None
    return known.mark


@pytest.mark.parametrize("who", [("quay",), ("quay", "pier", "dock", "lock", "weir")])
async def test_it_is_read_from_its_beginning_whether_shorter_or_longer(
    settings: Settings, monkeypatch: pytest.MonkeyPatch, who: tuple[str, ...]
) -> None:
    monkeypatch.setattr(module, "SAME_TOPIC_SECONDS", 1.0)
    monkeypatch.setattr(module, "RETRY_SECONDS", 0.5)
    publish(settings, "bridge", "hall")
    with RegistryFollower(settings) as follower:
        await follower.read(20)
        first = mark_of(follower)
        moment = time.monotonic()

        make_anew(settings)
        publish(settings, *who)

        wait(lambda: set(follower.sensors) == set(who))
        assert mark_of(follower).log_id not in {"", first.log_id}
        assert mark_of(follower).offset == len(who)
        assert follower.read_since(moment)
