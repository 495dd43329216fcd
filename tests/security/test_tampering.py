"""State bytes are data: what somebody else put into Redis is refused, counted and never run."""

from __future__ import annotations

import json
import pickle
from collections.abc import AsyncIterator, Callable
from pathlib import Path
from typing import Any
from uuid import uuid4

import numpy as np
import pytest
from fakes import FakeClock, FakeEmitter
from prometheus_client import CollectorRegistry
from prometheus_client.exposition import generate_latest
from redis.asyncio import Redis
from rig import PARTITION, batch, log
from stack.fixtures import Stack

from hedgerow.agents.forecast import ForecastAgent
from hedgerow.agents.holdings import Holdings
from hedgerow.agents.outputs import Outputs
from hedgerow.agents.ports import Fetch
from hedgerow.app.service.metrics import WorkerMetrics
from hedgerow.app.state.store import RedisStateStore
from hedgerow.models import (
    CityModel,
    Profile,
    RawChunk,
    RiverExpert,
    SnapshotError,
    StateTampered,
    decode_chunk,
    encode_chunk,
)
from hedgerow.models.bank.plugins import _sign
from hedgerow.topics import ReadingDecoder, TopicNames

KEY = b"the worker's own key"
PLUGINS = b"plugins"


def city(key: bytes = KEY) -> CityModel:
    river = (RiverExpert("river.linear_model.PARegressor", {}),)
    hourly = Profile("hourly", period_seconds=3600, horizons=(1,), river=river)
    return CityModel((hourly,), plugin_key=key)


class Bomb:
    """Writes a file when it is unpickled the ordinary way."""

    def __init__(self, path: Path) -> None:
        self.path = path

    def __reduce__(self) -> tuple[Any, ...]:
        return Path.touch, (self.path,)


class Loading:
    """The worker's way of loading: holdings over the store in Redis, counted as in a worker."""

    def __init__(self, redis: Redis, prefix: str, model: CityModel) -> None:
        self.metrics = WorkerMetrics(CollectorRegistry())
        self.holdings = Holdings(
            store=RedisStateStore(redis, prefix=prefix, group="g"),
            emitter=FakeEmitter(),
            meter=self.metrics,
            clock=FakeClock(),
            city=model,
            max_series=10,
            interval_seconds=10.0,
            load_seconds=20.0,
            on_failure=self._no_failure,
        )

    @staticmethod
    def _no_failure(reason: Exception) -> None:
        raise AssertionError(reason)

    async def assign(self) -> None:
        async def earliest(partitions: Any) -> dict[Any, int]:
            return dict.fromkeys(partitions, 0)

        await self.holdings.assign([PARTITION], earliest)

    async def learn(self, hours: int) -> None:
        async def stream() -> AsyncIterator[Fetch]:
            readings = [
                json.dumps({"sensor_id": "s", "timestamp": 3600 * h, "value": h % 24}).encode()
                for h in range(hours)
            ]
            yield [batch(log(readings))]

        agent = ForecastAgent(
            decoder=ReadingDecoder(),
            holdings=self.holdings,
            outputs=Outputs(TopicNames(), self.metrics),
            emitter=FakeEmitter(),
            meter=self.metrics,
            realign=lambda _, __: None,
            on_failure=self._no_failure,
        )
        await agent.run(stream())
        await self.holdings.checkpoint_all(20.0)

    def counted(self, reason: str) -> bool:
        text = generate_latest(self.metrics.registry).decode()
        return f'hedgerow_refused_states_total{{reason="{reason}"}} 1.0' in text


Tamper = Callable[[bytes, Path], bytes]


def replaced(data: bytes, path: Path) -> bytes:
    """Put a bomb in the place of the models, under the old signature."""
    raw = decode_chunk(data)
    pickled = np.frombuffer(pickle.dumps([Bomb(path)]), np.uint8)
    return encode_chunk(RawChunk(raw.name, {"pickled": pickled}, raw.meta))


def signed_by_a_thief(data: bytes, path: Path) -> bytes:
    """Put a bomb there and sign it with the worker's own key: the allow-list is left."""
    raw = decode_chunk(data)
    pickled = pickle.dumps([Bomb(path)])
    meta = {**raw.meta, "signature": _sign(KEY, raw.name, pickled)}
    arrays = {"pickled": np.frombuffer(pickled, np.uint8)}
    return encode_chunk(RawChunk(raw.name, arrays, meta))


def flipped(data: bytes, _path: Path) -> bytes:
    """Flip one bit: the checksum tells."""
    return data[:-1] + bytes([data[-1] ^ 1])


@pytest.mark.parametrize(
    ("tamper", "error", "reason"),
    [
        pytest.param(replaced, StateTampered, "tampered", id="replaced"),
        pytest.param(signed_by_a_thief, StateTampered, "tampered", id="signed by a thief"),
        pytest.param(flipped, SnapshotError, "unreadable", id="a flipped bit"),
    ],
)
async def test_tampered_state_is_refused_counted_and_never_run(
    tamper: Tamper,
    error: type[Exception],
    reason: str,
    embedded_stack: Stack,
    tmp_path: Path,
) -> None:
    prefix, bomb = uuid4().hex, tmp_path / "went off"
    async with Redis.from_url(embedded_stack.redis_url) as redis:
        before = Loading(redis, prefix, city())
        await before.assign()
        await before.learn(30)
        (key,) = [k async for k in redis.scan_iter(f"{prefix}:*chunk:*") if PLUGINS in k]
        data = await redis.get(key)
        assert data is not None
        await redis.set(key, tamper(data, bomb))

        after = Loading(redis, prefix, city())
        with pytest.raises(error):
            await after.assign()
    assert after.counted(reason)
    assert not bomb.exists()


async def test_untouched_state_is_loaded_and_nothing_is_counted(embedded_stack: Stack) -> None:
    prefix = uuid4().hex
    async with Redis.from_url(embedded_stack.redis_url) as redis:
        before = Loading(redis, prefix, city())
        await before.assign()
        await before.learn(30)
        after = Loading(redis, prefix, city())
        await after.assign()
    assert not after.counted("tampered")
    assert not after.counted("unreadable")


def test_the_bomb_would_go_off(tmp_path: Path) -> None:
    path = tmp_path / "went off"
    pickle.loads(pickle.dumps(Bomb(path)))
    assert path.exists()
