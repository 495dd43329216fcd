"""Redis as a cluster of one node, and as a primary and a replica under a sentinel."""

from __future__ import annotations

import time
from collections.abc import Callable, Sequence
from pathlib import Path

import redis
from redis.exceptions import RedisError

from hedgerow.app.embedded.child import Child
from hedgerow.app.embedded.servers import HOST, free_port, redis_program

SERVICE = "city"
READY_SECONDS = 30.0


class RedisServer:
    """One redis-server with arguments of its own."""

    def __init__(self, folder: Path, *arguments: str) -> None:
        folder.mkdir()
        self.port = free_port()
        command = [
            redis_program(),
            *("--port", str(self.port), "--bind", HOST, "--dir", str(folder)),
            *("--appendonly", "yes", "--save", "", "--daemonize", "no", *arguments),
        ]
        self.child = Child("Redis", command, folder / "redis.log")
        self.client = redis.Redis(HOST, self.port)
        self.wait(lambda: bool(self.client.ping()), "an answer")

    def wait(self, done: Callable[[], bool], what: str) -> None:
        deadline = time.monotonic() + READY_SECONDS
        while True:
            try:
                if done():
                    return
            except RedisError:
                pass
            if time.monotonic() > deadline:
                raise AssertionError(f"no {what} from Redis:\n{self.child.log_tail()}")
            time.sleep(0.05)

    def close(self) -> None:
        self.client.close()
        self.child.kill()


class Cluster(RedisServer):
    """A cluster of one node that holds every slot."""

    def __init__(self, folder: Path) -> None:
        super().__init__(folder, "--cluster-enabled", "yes", "--cluster-port", str(free_port()))
        self.client.execute_command("CLUSTER", "ADDSLOTSRANGE", "0", "16383")
        self.wait(
            lambda: b"cluster_state:ok" in self.client.execute_command("CLUSTER", "INFO"), "slots"
        )
        self.url = f"redis+cluster://{HOST}:{self.port}"


class Watched:
    """A primary, a replica, and a sentinel that makes the one the other."""

    def __init__(self, folder: Path) -> None:
        self.primary = RedisServer(folder / "primary")
        self.replica = RedisServer(
            folder / "replica", "--replicaof", f"{HOST} {self.primary.port}",
            "--repl-diskless-sync-delay", "0",
        )  # fmt: skip
        self.replica.wait(
            lambda: self.replica.client.info("replication")["master_link_status"] == "up", "link"
        )
        self._port = free_port()
        config = folder / "sentinel.conf"
        config.write_text(
            f"port {self._port}\nbind {HOST}\ndir {folder}\n"
            f"sentinel monitor {SERVICE} {HOST} {self.primary.port} 1\n"
            f"sentinel down-after-milliseconds {SERVICE} 1000\n"
            f"sentinel failover-timeout {SERVICE} 5000\n",
            "utf-8",
        )
        self._sentinel = Child(
            "sentinel", [redis_program(), str(config), "--sentinel"], folder / "sentinel.log"
        )
        self.url = f"redis+sentinel://{HOST}:{self._port},{HOST}:1/{SERVICE}/0"
        with redis.Redis(HOST, self._port) as sentinel:
            self.replica.wait(lambda: len(_replicas(sentinel)) == 1, "replica at the sentinel")

    def fail_over(self) -> None:
        """Kill the primary and wait until the replica has taken its place."""
        self.primary.child.kill()
        self.replica.wait(
            lambda: self.replica.client.info("replication")["role"] == "master", "failover"
        )

    def close(self) -> None:
        self._sentinel.kill()
        self.replica.close()
        self.primary.close()


def _replicas(sentinel: redis.Redis) -> Sequence[object]:
    found: Sequence[object] = sentinel.execute_command("SENTINEL", "REPLICAS", SERVICE)
    return found
