"""The Redis of the stores' tests."""

from __future__ import annotations

from collections.abc import AsyncIterator

import pytest
from redis.asyncio import Redis
from stack.fixtures import Stack


@pytest.fixture
async def redis(embedded_stack: Stack) -> AsyncIterator[Redis]:
    """A client of the embedded stack's."""
    client = Redis.from_url(embedded_stack.redis_url)
    yield client
    await client.aclose()
