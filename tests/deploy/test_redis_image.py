"""The Redis that the compose file names: the state outlives its container's restart."""

from __future__ import annotations

import asyncio
from collections.abc import Iterator
from pathlib import Path

import pytest
import yaml
from deploy.compose_stack import docker, missing_engine
from redis.asyncio import Redis
from redis.asyncio.retry import Retry
from redis.backoff import ConstantBackoff
from redis.exceptions import ConnectionError as NotConnected

from hedgerow.agents.errors import Fenced
from hedgerow.agents.ports import Checkpoint, Partition, Stored
from hedgerow.app.embedded.servers import free_port
from hedgerow.app.state.store import RedisStateStore

pytestmark = pytest.mark.docker

ROOT = Path(__file__).resolve().parents[2]
PARTITION = Partition("sensor-data", 0)


@pytest.fixture
def service(monkeypatch: pytest.MonkeyPatch) -> Iterator[tuple[str, str]]:
    """The compose file's Redis alone, in its container: the container's id and its URL."""
    if missing := missing_engine():
        pytest.skip(f"missing: {missing}")
    monkeypatch.setenv("TESTCONTAINERS_RYUK_DISABLED", "true")  # one more image to pull
    from testcontainers.core.container import DockerContainer

    compose = yaml.safe_load((ROOT / "docker-compose.yml").read_text("utf-8"))
    redis = compose["services"]["redis"]
    try:
        docker("image", "inspect", redis["image"])
    except AssertionError:
        pytest.skip(f"missing: the image {redis['image']}")
    port = free_port()  # the same after a restart
    container = DockerContainer(redis["image"]).with_command(redis["command"])
    container.ports["6379/tcp"] = ("127.0.0.1", port)  # `with_bind_ports` takes no address
    with container as running:
        yield running.get_wrapped_container().id, f"redis://127.0.0.1:{port}/0"


def client(url: str) -> Redis:
    """A client that waits for a server that is still starting."""
    return Redis.from_url(url, retry=Retry(ConstantBackoff(0.2), 50, (NotConnected, OSError)))


async def test_a_snapshot_and_its_fence_outlive_a_restart(service: tuple[str, str]) -> None:
    container, url = service
    redis = client(url)
    store = RedisStateStore(redis, prefix="p", group="g")
    old = await store.claim(PARTITION)
    await store.save(old, Checkpoint(0, 42, ("bank",), {"bank": b"numbers"}))
    new = await store.claim(PARTITION)
    await asyncio.sleep(1.1)  # `appendfsync everysec`
    await redis.aclose()

    await asyncio.to_thread(docker, "restart", "--time", "0", container)  # no goodbye
    redis = client(url)
    store = RedisStateStore(redis, prefix="p", group="g")

    assert await store.load(new) == Stored(1, 42, "", {"bank": b"numbers"})
    with pytest.raises(Fenced):
        await store.save(old, Checkpoint(1, 50, ("bank",), {"bank": b"a zombie's"}))
    await redis.aclose()
