"""Servers of a case's own, to be broken: the shared ones of `stack.fixtures` never are."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import redis
from stack.kafka_server import KafkaCluster, KafkaServer

from hedgerow.app.embedded import EmbeddedRedis


class OwnRedis:
    """A redis-server with an append-only file, to be killed and started again."""

    def __init__(self, folder: Path) -> None:
        folder.mkdir(parents=True, exist_ok=True)
        self._folder = folder
        self._server = EmbeddedRedis(folder)
        self.url = self._server.url

    def kill(self) -> None:
        """``kill -9``; its folder stays."""
        self._server.child.kill()

    def start(self) -> None:
        """Start it again on the same port with what its append-only file holds."""
        self._server = EmbeddedRedis(self._folder, port=self._server.port)
        with redis.Redis.from_url(self.url) as client:
            client.config_set("auto-aof-rewrite-percentage", 0)  # the audit reads the file

    def stop(self) -> None:
        self._server.child.kill()


@contextmanager
def own_redis(folder: Path) -> Iterator[OwnRedis]:
    """Run a Redis for the length of the block."""
    server = OwnRedis(folder)
    try:
        yield server
    finally:
        server.stop()


@contextmanager
def own_kafka(folder: Path) -> Iterator[KafkaServer]:
    """Run one broker for the length of the block."""
    server = KafkaServer(folder)
    try:
        server.wait_ready()
        yield server
    finally:
        server.stop()


@contextmanager
def own_cluster(folder: Path) -> Iterator[KafkaCluster]:
    """Run three brokers for the length of the block."""
    cluster = KafkaCluster(folder)
    try:
        cluster.wait_ready()
        yield cluster
    finally:
        cluster.stop()
