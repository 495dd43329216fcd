"""The servers tests run against; one of each for the whole run.

Tests share them: each takes topics, a group and a Redis prefix of its own.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass

import pytest
from stack import kafka_server
from stack.kafka_server import KafkaServer
from stack.parts import require, without

from hedgerow.app.embedded.servers import EmbeddedRedis, EmbeddedStack
from hedgerow.app.errors import MissingPart

REAL = pytest.param("real_stack", marks=[pytest.mark.kafka, pytest.mark.redis], id="real")


@dataclass(frozen=True, slots=True)
class Stack:
    """Where a broker and a Redis listen."""

    bootstrap: str
    redis_url: str
    real: bool
    replication: int = 1  # of the topics that tests make


@pytest.fixture(scope="session")
def embedded_stack(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Stack]:
    """The stack from wheels: a broker that speaks Kafka's protocol in memory, and Redis."""
    folder = tmp_path_factory.mktemp("embedded")
    try:
        running = EmbeddedStack(folder).start()
    except MissingPart as error:
        require(str(error))
        raise
    yield Stack(running.bootstrap_servers, running.redis_url, real=False)
    running.stop()


@pytest.fixture(scope="session")
def kafka(tmp_path_factory: pytest.TempPathFactory) -> Iterator[KafkaServer]:
    """A real Apache Kafka of one node."""
    require(kafka_server.missing())
    server = KafkaServer(tmp_path_factory.mktemp("kafka"))
    try:
        server.wait_ready()
        yield server
    finally:
        server.stop()


@pytest.fixture(scope="session")
def real_redis(tmp_path_factory: pytest.TempPathFactory) -> Iterator[EmbeddedRedis]:
    """The machine's own redis-server."""
    require(without("redis-server"))
    server = EmbeddedRedis(tmp_path_factory.mktemp("redis"))  # takes the PATH's first
    yield server
    server.stop()


@pytest.fixture(scope="session")
def real_stack(kafka: KafkaServer, real_redis: EmbeddedRedis) -> Stack:
    """A real Kafka with a real redis-server."""
    return Stack(kafka.bootstrap, real_redis.url, real=True)


@pytest.fixture(scope="session", params=[pytest.param("embedded_stack", id="embedded"), REAL])
def stack(request: pytest.FixtureRequest) -> Stack:
    """Both stacks, one after the other."""
    chosen: Stack = request.getfixturevalue(request.param)
    return chosen
