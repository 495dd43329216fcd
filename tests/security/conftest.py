"""A Kafka and a Redis that are locked, and secrets nobody can mistake for anything else."""

from __future__ import annotations

from collections.abc import Iterator

import pytest
from security.identity_provider import IdentityProvider
from security.secrets import CLIENT_SECRET, PASSWORD, REDIS_PASSWORD
from security.secure_kafka import SecureKafka
from security.secure_redis import SecureRedis
from stack import kafka_server
from stack.parts import require, without


@pytest.fixture(scope="session")
def provider(tmp_path_factory: pytest.TempPathFactory) -> Iterator[IdentityProvider]:
    """Hands out tokens."""
    require(without("openssl"))
    provider = IdentityProvider(tmp_path_factory.mktemp("identity"), "worker", CLIENT_SECRET)
    yield provider
    provider.stop()


@pytest.fixture(scope="session")
def secure_kafka(
    provider: IdentityProvider, tmp_path_factory: pytest.TempPathFactory
) -> Iterator[SecureKafka]:
    """A Kafka that knows the user ``worker``, who may do nothing yet."""
    require(kafka_server.missing())
    kafka = SecureKafka(tmp_path_factory.mktemp("secure-kafka"), PASSWORD, provider)
    try:
        kafka.wait_ready()
        kafka.set_password("worker", PASSWORD)
        yield kafka
    finally:
        kafka.stop()


@pytest.fixture(scope="session")
def secure_redis(tmp_path_factory: pytest.TempPathFactory) -> Iterator[SecureRedis]:
    """A redis-server that speaks TLS only, with the user the documentation describes."""
    require(without("redis-server", "openssl"))
    redis = SecureRedis(tmp_path_factory.mktemp("secure-redis"), REDIS_PASSWORD)
    yield redis
    redis.stop()
