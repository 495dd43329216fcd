"""The worker's view of the registry: read to its end, followed, and never mistaken for empty."""

from __future__ import annotations

import time
from collections.abc import Callable

import pytest
from stack.fixtures import Stack
from stack.registry_topics import made_on

from hedgerow.app.registry.follower import RegistryFollower
from hedgerow.app.registry.send import changes, send
from hedgerow.app.replay.send import KafkaSender
from hedgerow.app.settings import Settings
from hedgerow.models import EMPTY, Mark
from hedgerow.topics import Sensor

BRIDGE, HALL = Sensor("bridge", bound_upper=5.0), Sensor("hall", name="Hall")


@pytest.fixture
def settings(embedded_stack: Stack) -> Settings:
    return made_on(embedded_stack, "followed")


def publish(settings: Settings, *sensors: Sensor) -> None:
    send(settings, changes({}, {one.sensor_id: one for one in sensors}), lambda _: None)


def wait(done: Callable[[], bool]) -> None:
    deadline = time.monotonic() + 20
    while not done():
        assert time.monotonic() < deadline
        time.sleep(0.02)


async def test_it_is_read_to_its_end_before_anybody_is_told(settings: Settings) -> None:
    publish(settings, *(Sensor(f"s{n}", bound_upper=float(n)) for n in range(1_500)))
    follower = RegistryFollower(settings)
    assert follower.current() is None

    with follower:
        await follower.read(20)
        known = follower.current()

    assert known is not None
    assert len(known.facts) == 1_500, "and no part of it before"


async def test_an_empty_one_is_known_to_be_empty(settings: Settings) -> None:
    with RegistryFollower(settings) as follower:
        await follower.read(20)
        assert follower.current() == EMPTY


async def test_what_changes_is_followed_and_a_name_is_no_change_to_learning(
    settings: Settings,
) -> None:
    publish(settings, BRIDGE)
    with RegistryFollower(settings) as follower:
        await follower.read(20)
        before = follower.current()

        publish(settings, HALL)
        wait(lambda: set(follower.sensors) == {"bridge", "hall"})
        assert follower.current() == before

        with KafkaSender(settings.kafka, settings.topics.sensor_registry) as sender:
            sender.send(b"hall", b'{"sensor_id":"hall","zone":7}')
            sender.send(b"bridge", None)
            sender.finish()
        wait(lambda: follower.current() == EMPTY)
        assert follower.sensors == {}, "of the hall the last record cannot be used"


async def test_a_registry_that_cannot_be_read_is_not_an_empty_one(
    settings: Settings, caplog: pytest.LogCaptureFixture
) -> None:
    gone = settings.topics.model_copy(update={"sensor_registry": "nowhere"})
    with RegistryFollower(settings.model_copy(update={"topics": gone})) as follower:
        await follower.read(1.0)
        assert follower.current() is None
    assert "there is no topic nowhere; run `hedgerow topics create`" in caplog.text
    assert "could not be read within 1 s" in caplog.text


async def test_it_knows_how_far_it_has_read(settings: Settings) -> None:
    publish(settings, BRIDGE, HALL)
    with RegistryFollower(settings) as follower:
        await follower.read(20)
        first = mark_of(follower)
        assert first.log_id != ""
        assert first.offset == 2

        publish(settings, Sensor("hall", name="Town hall"))
        wait(lambda: mark_of(follower).offset == 3)

        assert mark_of(follower).log_id == first.log_id


async def test_asked_to_it_reads_the_topic_from_its_beginning(settings: Settings) -> None:
    publish(settings, BRIDGE)
    with RegistryFollower(settings) as follower:
        await follower.read(20)
        before, moment = follower.current(), time.monotonic()

        assert not follower.read_since(moment)
        wait(lambda: follower.read_since(moment))

        assert follower.current() == before
        assert follower.current() is not before


def mark_of(follower: RegistryFollower) -> Mark:
    known = follower.current()
    assert known is not None
    assert known.mark is not None
    return known.mark
