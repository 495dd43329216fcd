"""A worker's page asks the worker that learns a series how it was weighed before.

Before: somebody chose a series that is learned elsewhere, of which Redis keeps the last checkpoints
only. After: `past` of that worker answers within a second or two. The question is a note beside the
state of the partition until it is answered, and so is the answer; both are gone soon. A worker
without a console does not answer, and then the kept checkpoints are all there is.
"""

from __future__ import annotations

import logging
from collections.abc import Callable, Collection, Iterable
from contextlib import suppress

import msgspec
from redis.asyncio import Redis

from hedgerow.agents.errors import PortError
from hedgerow.agents.ports import Partition
from hedgerow.app.console.background import Background
from hedgerow.app.console.looks import Whose
from hedgerow.app.console.views import Sample
from hedgerow.app.state.failures import unavailable
from hedgerow.app.state.keys import Keys

logger = logging.getLogger(__name__)

LISTEN_SECONDS = 1.0
KEPT_SECONDS = 15  # a question, and an answer
MOST_ASKED = 64  # series of a partition

_questions = msgspec.json.Decoder(list[tuple[str, str]])
_answer = msgspec.json.Decoder(list[tuple[int, dict[int, dict[str, float]]]])


class Asking:
    """Questions and answers of one group.

    Parameters
    ----------
    redis : Redis
        Bytes in, bytes out.
    prefix, group : str
        Parts of the keys, as in `hedgerow.app.state.keys`.
    """

    def __init__(self, redis: Redis, *, prefix: str, group: str) -> None:
        self._redis = redis
        self._keys = Keys(prefix, group)

    async def ask(self, whose: Whose) -> list[Sample] | None:
        """Return what was answered, ``None`` while it was not; raises `PortError`."""
        told = await self._read(self._keys.told(*whose))
        if told is not None:
            with suppress(msgspec.DecodeError):  # an answer of another release is none
                return list[Sample](_answer.decode(told))
        question = (whose.sensor_id, whose.quantity)
        asked = await self._asked(whose.partition)
        if question not in asked:
            await self._write(self._keys.asked(whose.partition), [*asked, question][-MOST_ASKED:])
        return None

    async def answer(
        self, partitions: Iterable[Partition], past: Callable[[str, str], list[Sample] | None]
    ) -> None:
        """Answer what was asked about these partitions, once; raises `PortError`.

        A question that comes meanwhile goes with the answered ones, and is asked again: who asks
        looks every time whether it still stands.
        """
        for partition in partitions:
            questions = await self._asked(partition)
            for sensor_id, quantity in questions:
                noted = past(sensor_id, quantity)
                if noted is not None:
                    await self._write(self._keys.told(partition, sensor_id, quantity), noted)
            if questions:
                with unavailable():
                    await self._redis.unlink(self._keys.asked(partition))

    async def _asked(self, partition: Partition) -> list[tuple[str, str]]:
        body = await self._read(self._keys.asked(partition))
        with suppress(msgspec.DecodeError):
            return [] if body is None else _questions.decode(body)
        return []

    async def _read(self, key: str) -> bytes | str | None:
        with unavailable():
            (body,) = await self._redis.mget([key])
        return body

    async def _write(self, key: str, value: object) -> None:
        with unavailable():
            await self._redis.set(key, msgspec.json.encode(value), ex=KEPT_SECONDS)


class Answering(Background):
    """Listens for questions about the partitions that a worker holds, as long as it runs."""

    def __init__(
        self,
        asking: Asking,
        held: Callable[[], Collection[Partition]],
        past: Callable[[str, str], list[Sample] | None],
    ) -> None:
        self._asking = asking
        self._held = held
        self._past = past

    @property
    def pause_seconds(self) -> float:
        """So long somebody may wait for an answer."""
        return LISTEN_SECONDS

    async def once(self) -> None:
        """Answer what was asked."""
        try:
            await self._asking.answer(self._held(), self._past)
        except PortError as error:
            logger.debug("no question could be answered: %s", error)
