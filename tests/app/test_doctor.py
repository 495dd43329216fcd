"""The doctor: what it finds on a healthy stack, and what it says of each fault."""

from __future__ import annotations

import asyncio
import json
import time
import uuid
from collections.abc import Iterator
from pathlib import Path
from typing import cast

import numpy as np
import pytest
from confluent_kafka import Producer
from redis import Redis
from stack.fixtures import Stack

from hedgerow.agents.ports import Checkpoint, Partition
from hedgerow.app.access.stores import connect
from hedgerow.app.broker.topic_admin import ensure_topics
from hedgerow.app.cli import main
from hedgerow.app.doctor import examine as doctor
from hedgerow.app.doctor.check import Check, Status
from hedgerow.app.doctor.examine import examine
from hedgerow.app.doctor.profiles import shadowed
from hedgerow.app.embedded.servers import EmbeddedRedis, embedded_redis, free_port
from hedgerow.app.replay.send import KafkaSender
from hedgerow.app.settings import Settings, load_settings
from hedgerow.app.state.census import Census, RedisCensus
from hedgerow.app.state.store import RedisStateStore
from hedgerow.models import CityModel, Learner, Profile, encode_chunk


@pytest.fixture(autouse=True)
def healthy(embedded_stack: Stack, monkeypatch: pytest.MonkeyPatch) -> None:
    """A stack with topics of this test's own, not made yet."""
    mark = uuid.uuid4().hex[:6]
    monkeypatch.setenv("HEDGEROW_CONFIG", "")
    monkeypatch.setenv("HEDGEROW_KAFKA__BOOTSTRAP_SERVERS", embedded_stack.bootstrap)
    monkeypatch.setenv("HEDGEROW_REDIS__URL", embedded_stack.redis_url)
    for role in ("READINGS", "PREDICTIONS", "ALERTS", "DEAD_LETTERS", "SENSOR_REGISTRY"):
        monkeypatch.setenv(f"HEDGEROW_TOPICS__{role}", f"{role.lower()}-{mark}")


@pytest.fixture
def own_redis(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[EmbeddedRedis]:
    """A Redis this test may set as it likes."""
    with embedded_redis(tmp_path) as redis:
        monkeypatch.setenv("HEDGEROW_REDIS__URL", redis.url)
        yield redis


def examined() -> dict[str, Check]:
    return {check.name.split("-")[0]: check for check in examine(load_settings())}


def set_redis(redis: EmbeddedRedis, **values: str) -> None:
    with Redis.from_url(redis.url) as client:
        for name, value in values.items():
            client.config_set(name.replace("_", "-"), value)


def test_a_healthy_stack_has_no_fault_and_nothing_to_do() -> None:
    ensure_topics(load_settings())
    checks = list(examine(load_settings()))
    assert [check for check in checks if check.status is not Status.OK] == []
    assert len(checks) == 22


def test_a_record_of_the_registry_that_cannot_be_used_is_a_warning() -> None:
    settings = load_settings()
    ensure_topics(settings)
    with KafkaSender(settings.kafka, settings.topics.sensor_registry) as sender:
        sender.send(b"hall", b'{"sensor_id":"hall"}')
        sender.send(b"bridge", b'{"sensor_id":"bridge","x":1}')
        sender.finish()
    found = examined()["registry"]
    assert found.status is Status.WARN
    assert found.found.startswith("1 sensors; 1 records are refused, such as: sensor bridge: x is")


def test_topics_that_are_missing_are_made_by_the_worker_or_are_a_fault(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    assert examined()["topic readings"].status is Status.WARN
    monkeypatch.setenv("HEDGEROW_TOPICS__CREATE", "false")
    found = examined()["topic readings"]
    assert found.status is Status.FAIL
    assert found.advice == "run `hedgerow topics create`"


def test_other_partitions_than_configured_are_a_warning(monkeypatch: pytest.MonkeyPatch) -> None:
    ensure_topics(load_settings())
    monkeypatch.setenv("HEDGEROW_TOPICS__PARTITIONS", "16")
    found = examined()["topic readings"]
    assert found.status is Status.WARN
    assert "16 partitions are configured" in found.advice


def test_without_a_broker_the_rest_is_still_looked_at(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("hedgerow.app.broker.topic_admin.ANSWER_SECONDS", 0.3)
    monkeypatch.setenv("HEDGEROW_KAFKA__BOOTSTRAP_SERVERS", f"127.0.0.1:{free_port()}")
    checks = examined()
    assert checks["broker"].status is Status.FAIL
    assert checks["redis"].status is Status.OK


def test_without_redis_it_says_so(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("HEDGEROW_REDIS__URL", f"redis://127.0.0.1:{free_port()}/0")
    found = examined()["redis"]
    assert found.status is Status.FAIL
    assert "HEDGEROW_REDIS__URL" in found.advice


def test_a_redis_that_forgets_is_a_warning(own_redis: EmbeddedRedis) -> None:
    set_redis(own_redis, appendonly="no")
    assert examined()["redis persistence"].status is Status.WARN
    set_redis(own_redis, save="3600 1")
    assert "snapshots only (3600 1)" in examined()["redis persistence"].found


def test_a_redis_that_evicts_snapshots_is_a_fault(own_redis: EmbeddedRedis) -> None:
    set_redis(own_redis, maxmemory="100mb", maxmemory_policy="allkeys-lru")
    found = examined()["redis memory"]
    assert found.status is Status.FAIL
    assert "noeviction" in found.advice


def test_a_redis_that_evicts_only_what_expires_is_a_warning(own_redis: EmbeddedRedis) -> None:
    set_redis(own_redis, maxmemory="100mb", maxmemory_policy="volatile-lru")
    assert examined()["redis memory"].status is Status.WARN


def test_a_redis_that_cannot_be_written_is_a_fault(own_redis: EmbeddedRedis) -> None:
    with Redis.from_url(own_redis.url) as client:
        client.replicaof("127.0.0.1", str(free_port()))
    assert examined()["redis writes"].status is Status.FAIL


@pytest.mark.parametrize(
    ("version", "status"), [("6.0.16", Status.FAIL), ("6.2.0", Status.OK), ("8.2.3", Status.OK)]
)
def test_an_old_redis_is_a_fault(version: str, status: Status) -> None:
    assert doctor._redis_version({"redis_version": version}).status is status


class _ClockOf:
    """Answers TIME so many seconds from now."""

    def __init__(self, skew: float) -> None:
        self._skew = skew

    def time(self) -> tuple[int, int]:
        moment = time.time() + self._skew
        return int(moment), int(moment % 1 * 1e6)


@pytest.mark.parametrize(
    ("skew", "status"),
    [(0.0, Status.OK), (-5.0, Status.WARN), (5.0, Status.WARN), (3600.0, Status.FAIL)],
)
def test_clocks_that_differ_are_noticed(skew: float, status: Status) -> None:
    found = doctor._clock(cast(Redis, _ClockOf(skew)))
    assert found.status is status
    assert ("ahead of" if skew > 0 else "behind" if skew < 0 else "this machine") in found.found


def test_a_profile_that_cannot_be_used_is_a_fault(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    city = tmp_path / "city.toml"
    city.write_text('[[profiles]]\nname = "p"\nbound_lower = 5.0\nbound_upper = 1.0\n')
    monkeypatch.setenv("HEDGEROW_CONFIG", str(city))
    assert examined()["profiles"].status is Status.FAIL


def test_a_profile_that_no_series_reaches_is_a_warning(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    city = tmp_path / "city.toml"
    city.write_text(
        "[[profiles]]\nname = 'roads'\nmatch = ['road-*']\n"
        "[[profiles]]\nname = 'bridges'\nmatch = ['road-b*', 'road-7']\n"
    )
    monkeypatch.setenv("HEDGEROW_CONFIG", str(city))
    check = next(check for check in examine(load_settings()) if check.name == "profiles")
    assert check.status is Status.WARN
    assert check.found == (
        "roads, bridges, default; all that these match is taken before them: 'bridges' (by 'roads')"
    )
    assert "put the narrower profile first" in check.advice


@pytest.mark.parametrize(
    ("first", "second", "reached"),
    [
        ({"match": ("a-*",)}, {"match": ("a-?",)}, False),
        ({"match": ("a-?",)}, {"match": ("a-*",)}, True),
        ({"match": ("a-???",)}, {"match": ("a-[xyz]",)}, True),
        ({"kinds": ("traffic",)}, {}, True),
        ({"kinds": ("traffic", "solar")}, {"kinds": ("solar",)}, False),
        ({"zones": ("north",)}, {"kinds": ("solar",)}, True),
    ],
)
def test_a_profile_is_reached_unless_one_before_it_takes_all(
    first: dict[str, tuple[str, ...]], second: dict[str, tuple[str, ...]], reached: bool
) -> None:
    profiles = (Profile("first", **first), Profile("second", **second), Profile("default"))
    assert (list(shadowed(profiles)) == []) == reached


def test_the_command_prints_a_line_each_and_leaves_with_1_on_a_fault(
    capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    ensure_topics(load_settings())
    with pytest.raises(SystemExit) as left:
        main(["doctor"])
    printed = capsys.readouterr().out
    assert left.value.code == 0
    assert printed.endswith("22 checks, 0 warnings, 0 failures\n")
    assert sum(line.startswith("ok   ") for line in printed.splitlines()) == 22

    monkeypatch.setenv("HEDGEROW_REDIS__URL", f"redis://127.0.0.1:{free_port()}/0")
    with pytest.raises(SystemExit) as left:
        main(["doctor", "--json"])
    assert left.value.code == 1
    (fault,) = [c for c in json.loads(capsys.readouterr().out) if c["status"] == "fail"]
    assert fault["name"] == "redis"


# ---------------------------------------------------------------- the log beside the state


def send(bootstrap: str, topic: str, keys: list[bytes], partitioner: str) -> None:
    producer = Producer({"bootstrap.servers": bootstrap, "partitioner": partitioner})
    for key in keys:
        producer.produce(topic, key=key, value=b"1")
    assert producer.flush(20) == 0


@pytest.mark.parametrize(
    ("partitioner", "status", "said"),
    [
        ("murmur2_random", Status.OK, "100% of 40 keys lie where murmur2 puts them"),
        ("consistent_random", Status.WARN, 'set topics.partitioner = "crc32", which explains 100%'),
        ("random", Status.WARN, "in another way than by the key's hash"),
    ],
)
def test_the_senders_partitioner_is_recognised(
    embedded_stack: Stack, partitioner: str, status: Status, said: str
) -> None:
    settings = load_settings()
    ensure_topics(settings)
    keys = [b"sensor-%d" % n for n in range(40)]
    send(embedded_stack.bootstrap, settings.topics.readings, keys, partitioner)
    found = examined()["partitioner"]
    assert found.status is status
    assert said in f"{found.found} {found.advice}"


async def stored(settings: Settings, partition: int, sensors: list[str]) -> None:
    """Save a partition that has learned these sensors."""
    client = connect(settings.redis)
    store = RedisStateStore(client, prefix=settings.redis.prefix, group=settings.group)
    claim = await store.claim(Partition(settings.topics.readings, partition))
    learner = Learner(CityModel())
    zeros = np.zeros(len(sensors), np.int64)
    learner.step(sensors, [""] * len(sensors), zeros, np.ones(len(sensors)), zeros)
    capture = learner.capture()
    chunks = {name: encode_chunk(raw) for name, raw in capture.chunks.items()}
    await store.save(claim, Checkpoint(0, 1, tuple(capture.names), chunks))
    await client.aclose()


async def test_a_series_in_two_partitions_is_named() -> None:
    settings = load_settings()
    ensure_topics(settings)
    await stored(settings, 0, ["a", "b"])
    await stored(settings, 5, ["b", "c"])
    found = (await asyncio.to_thread(examined))["series"]
    assert found.status is Status.WARN
    assert "1 of 3 in several partitions: b in 0 and 5" in found.found


async def test_other_partitions_than_the_state_was_learned_with_are_a_fault() -> None:
    settings = load_settings()
    ensure_topics(settings)
    client = connect(settings.redis)
    census = RedisCensus(
        client,
        prefix=settings.redis.prefix,
        group=settings.group,
        topic=settings.topics.readings,
    )
    await census.write(Census(4))
    found = (await asyncio.to_thread(examined))["partitions"]
    assert (found.status, found.found) == (Status.FAIL, "8, and the state was learned with 4")
    await census.write(Census(4, moving_to=8))
    found = (await asyncio.to_thread(examined))["partitions"]
    assert "is not finished" in found.found
    await client.aclose()
