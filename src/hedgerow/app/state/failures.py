"""The failures of Redis, as those that an agent knows.

Before: a client of Redis raises one of its many. After: who asked knows whether to try again.
"""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager

from redis.exceptions import ConnectionError as NotConnected
from redis.exceptions import RedisError
from redis.exceptions import TimeoutError as TooSlow

from hedgerow.agents.errors import Refused, StoreUnavailable
from hedgerow.app.access.reach import why_no_redis
from hedgerow.app.access.redis import refusal


@contextmanager
def unavailable() -> Iterator[None]:
    """Turn the client's many failures into the two the agents know."""
    try:
        yield
    except (RedisError, OSError) as error:
        sentence = refusal(error)
        if sentence is not None:
            raise Refused(sentence) from error
        if isinstance(error, (NotConnected, TooSlow, OSError)):
            raise StoreUnavailable(
                f"Redis does not answer: {why_no_redis(error)}; start it, or set redis.url "
                "(HEDGEROW_REDIS__URL)"
            ) from error
        raise StoreUnavailable(f"Redis: {error}") from error
