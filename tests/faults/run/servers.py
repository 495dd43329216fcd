"""Servers of a case's own, to be broken: the shared ones of `stack.fixtures` never are."""

from __future__ import annotations

import shutil
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import redis
from stack.kafka_server import KafkaCluster, KafkaServer

from hedgerow.app.embedded.servers import EmbeddedRedis

# The audit reads the append-only file: it must not be rewritten, at a start least of all.
KEEP_THE_LOG = ("--auto-aof-rewrite-percentage", "0")


class OwnRedis:
    """A Redis that can be killed, copied, put back and restarted at the same address."""

    def __init__(self, folder: Path) -> None:
        self._folder = folder / "redis"
        self._folder.mkdir()
        self._copy = folder / "redis-copy"
        self._server = EmbeddedRedis(self._folder, arguments=KEEP_THE_LOG)
        self.url = self._server.url
        self.client = redis.Redis.from_url(self.url)

    def kill(self) -> None:
        """``kill -9``; its folder stays."""
        self._server.child.kill()

    def start(self) -> None:
        """Start it again on the same port with what its append-only file holds."""
        self._server = EmbeddedRedis(self._folder, port=self._server.port, arguments=KEEP_THE_LOG)

    def copy(self) -> None:
        """Keep what is stored now; the append-only file may be copied at any time."""
        shutil.copytree(self._folder / "appendonlydir", self._copy)

    def put_back(self) -> None:
        """Kill it, and start it with what was copied."""
        self.kill()
        shutil.rmtree(self._folder / "appendonlydir")
        shutil.copytree(self._copy, self._folder / "appendonlydir")
        self.start()

    def close(self) -> None:
        self.client.close()
        self.kill()


@contextmanager
def own_redis(folder: Path) -> Iterator[OwnRedis]:
    """Run a Redis for the length of the block."""
    server = OwnRedis(folder)
    try:
        yield server
    finally:
        server.close()


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
