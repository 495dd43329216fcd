"""How a command asks stores and brokers, and ends where they fail."""
# ruff: noqa: PLC0415 - the clients are imported when a command runs

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable, Iterator
from contextlib import AbstractAsyncContextManager, contextmanager
from typing import TypeVar

Asked = TypeVar("Asked")
Answer = TypeVar("Answer")


@contextmanager
def with_exit_codes() -> Iterator[None]:
    """Give what stores, brokers and the models raise the exit code of a command."""
    from hedgerow.agents.errors import PortError
    from hedgerow.app.port_errors import explained
    from hedgerow.models import ModelError

    try:
        yield
    except (PortError, ModelError) as error:
        raise explained(error) from None


def ask(
    connection: AbstractAsyncContextManager[Asked], action: Callable[[Asked], Awaitable[Answer]]
) -> Answer:
    """Connect, do it, and return what came of it."""

    async def connected() -> Answer:
        async with connection as asked:
            return await action(asked)

    with with_exit_codes():
        return asyncio.run(connected())
