"""Redis over TLS, as the user the documentation describes: all the store needs, nothing else."""

from __future__ import annotations

import re
import socket
from collections.abc import AsyncIterator
from threading import Thread
from typing import Any
from uuid import uuid4

import pytest
import redis
from pydantic import SecretStr
from redis.asyncio import Redis
from security.certificates import Authority
from security.documentation import redis_acl_line
from security.secrets import MARK, REDIS_PASSWORD
from security.secure_redis import SecureRedis

from hedgerow.agents.errors import Fenced, GenerationMoved, Refused
from hedgerow.agents.ports import Checkpoint, Partition
from hedgerow.app.access.redis import redis_options, refusal
from hedgerow.app.access_settings import TlsFiles
from hedgerow.app.doctor.check import Status
from hedgerow.app.doctor.examine import _redis
from hedgerow.app.settings import RedisSettings, Settings
from hedgerow.app.state.store import RedisStateStore

pytestmark = pytest.mark.redis

PARTITION = Partition("sensor-data", 0)
# Whatever the server does on connecting, and what a client may always do.
ALWAYS = {"auth", "hello", "client|setinfo", "client|maint_notifications"}


def settings_of(server: SecureRedis, **changes: Any) -> RedisSettings:
    given = {
        "url": SecretStr(server.url),
        "username": "hedgerow",
        "password": SecretStr(REDIS_PASSWORD),
        "tls": TlsFiles(ca_file=server.authority.certificate),
        "timeout_seconds": 30.0,
    }
    return RedisSettings(**{**given, **changes})


@pytest.fixture
async def client(secure_redis: SecureRedis) -> AsyncIterator[Redis]:
    settings = settings_of(secure_redis)
    async with Redis.from_url(settings.url.get_secret_value(), **redis_options(settings)) as client:
        yield client


async def exercise(store: RedisStateStore) -> None:
    """Do everything a store can do, refusals included."""
    old = await store.claim(PARTITION)
    assert await store.load(old) is None
    await store.save(old, Checkpoint(0, 1, ("a", "b"), {"a": b"1", "b": b"2"}))
    await store.save(old, Checkpoint(1, 2, ("a",), {"a": b"3"}))
    with pytest.raises(GenerationMoved):
        await store.save(old, Checkpoint(0, 9, ("a",), {"a": b"4"}))
    new = await store.claim(PARTITION)
    assert await store.holds(new)
    assert not await store.holds(old)
    with pytest.raises(Fenced):
        await store.save(old, Checkpoint(2, 9, ("a",), {"a": b"5"}))
    stored = await store.load(new)
    assert stored is not None
    assert dict(stored.chunks) == {"a": b"3"}
    assert await store.peek(PARTITION) == stored


async def test_the_documented_user_can_do_all_the_store_does(client: Redis) -> None:
    assert await client.ping()
    await exercise(RedisStateStore(client, prefix="hedgerow", group=uuid4().hex))


def test_the_doctor_has_nothing_to_say(secure_redis: SecureRedis) -> None:
    checks = list(_redis(Settings(redis=settings_of(secure_redis))))
    assert [check for check in checks if check.status is Status.FAIL] == []
    assert {check.name for check in checks} >= {"redis", "redis writes", "clock"}


@pytest.mark.parametrize(
    "command",
    ["FLUSHALL", "FLUSHDB", "KEYS *", "SCAN 0", "CONFIG GET *", "CONFIG SET maxmemory 1",
     "ACL LIST", "SHUTDOWN", "SAVE", "MONITOR", "REPLICAOF NO ONE", "MODULE LIST", "DEL x",
     "GET hedgerow:x", "SUBSCRIBE x", "PUBLISH x y", "EVAL return 0", "FUNCTION LIST"],
)  # fmt: skip
async def test_whatever_else_is_refused(command: str, client: Redis) -> None:
    with pytest.raises(redis.exceptions.NoPermissionError):
        await client.execute_command(*command.split())


async def test_keys_of_others_are_out_of_reach(client: Redis) -> None:
    with pytest.raises(redis.exceptions.NoPermissionError):
        await client.set("somebody-else", "x")
    other = RedisStateStore(client, prefix="other", group="g")
    with pytest.raises(Refused, match="docs/security.md"):
        await other.claim(PARTITION)


async def test_no_right_is_given_that_is_not_used(client: Redis, secure_redis: SecureRedis) -> None:
    granted = set(re.findall(r"\+(\S+)", redis_acl_line("x")))
    secure_redis.admin.config_resetstat()
    await client.script_load("return 0")
    await client.ping()
    await exercise(RedisStateStore(client, prefix="hedgerow", group=uuid4().hex))
    list(_redis(Settings(redis=settings_of(secure_redis))))
    statistics: dict[str, dict[str, int]] = secure_redis.admin.info("commandstats")
    used = {
        name.removeprefix("cmdstat_")
        for name, counts in statistics.items()
        if counts["calls"] > counts["rejected_calls"]
    }
    assert granted - used == set()


@pytest.mark.parametrize(
    ("changes", "said"),
    [
        ({"password": SecretStr(f"{MARK}-wrong")}, "refuses the login"),
        ({"username": "nobody"}, "refuses the login"),
        ({"username": None, "password": None}, "refuses the login"),
    ],
)
def test_a_wrong_login_is_said_at_once(
    changes: dict[str, Any], said: str, secure_redis: SecureRedis
) -> None:
    sentence = refused(settings_of(secure_redis, **changes))
    assert said in sentence
    assert MARK not in sentence


def test_a_strange_authority_is_said(secure_redis: SecureRedis, tmp_path: Any) -> None:
    stranger = Authority(tmp_path / "stranger", "a stranger")
    files = TlsFiles(ca_file=stranger.certificate)
    assert "redis.tls.ca_file" in refused(settings_of(secure_redis, tls=files))


def test_another_name_than_the_certificate_s_is_said(secure_redis: SecureRedis) -> None:
    url = SecretStr(secure_redis.url.replace("127.0.0.1", "localhost"))
    assert "not trusted" in refused(settings_of(secure_redis, url=url))


def test_a_server_that_goes_away_during_a_handshake_has_refused_nobody() -> None:
    with socket.create_server(("127.0.0.1", 0)) as server:

        def hang_up() -> None:
            connection, _ = server.accept()
            connection.close()

        thread = Thread(target=hang_up, daemon=True)
        thread.start()
        port = server.getsockname()[1]
        settings = RedisSettings(url=SecretStr(f"rediss://127.0.0.1:{port}/0"))
        assert why(settings, retry=None) is None
        thread.join()


def refused(settings: RedisSettings) -> str:
    """Make contact, and return why it was refused."""
    sentence = why(settings)
    assert sentence is not None
    return sentence


def why(settings: RedisSettings, **more: Any) -> str | None:
    url = settings.url.get_secret_value()
    with (
        redis.Redis.from_url(url, **redis_options(settings), **more) as client,
        pytest.raises((redis.RedisError, OSError)) as error,
    ):
        client.ping()
    return refusal(error.value)
