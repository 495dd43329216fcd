"""Follows the registry's topic in a thread, so that what is declared is at hand when asked for.

Before: ``hedgerow sensors import``. After: each partition takes what is new where a checkpoint of
it begins (``agents/holdings``), and the console shows names and positions. Unreachable, nothing
changes: what was read last stands.
"""

from __future__ import annotations

import asyncio
import logging
import threading
from collections.abc import Mapping
from types import TracebackType
from typing import Self

from hedgerow.app.broker.tail import Tail
from hedgerow.app.errors import AppError
from hedgerow.app.registry.declared import declared
from hedgerow.app.registry.table import SensorTable
from hedgerow.app.settings import Settings
from hedgerow.models import Registry
from hedgerow.topics import Sensor

logger = logging.getLogger(__name__)

RETRY_SECONDS = 5.0


class RegistryFollower:
    """The registry as its topic has it now, in a ``with`` block.

    Attributes
    ----------
    sensors : Mapping of str to Sensor
        All of them; replaced as a whole when something changes.
    """

    def __init__(self, settings: Settings) -> None:
        self._settings = settings
        self._current: Registry | None = None
        self._read = threading.Event()
        self._stop = threading.Event()
        self._thread = threading.Thread(target=self._follow, name="registry", daemon=True)
        self.sensors: Mapping[str, Sensor] = {}

    def current(self) -> Registry | None:
        """Return the registry as it was read last; ``None`` before it was read to its end once."""
        return self._current

    async def read(self, seconds: float) -> None:
        """Wait until the registry has been read once, but not for ever."""
        if not await asyncio.to_thread(self._read.wait, seconds):
            logger.warning(
                "the registry %s could not be read within %.0f s; sensors go by what was "
                "declared before until it can", self._settings.topics.sensor_registry, seconds,
            )  # fmt: skip

    def __enter__(self) -> Self:
        self._thread.start()
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        self._stop.set()
        self._thread.join(RETRY_SECONDS)

    def _follow(self) -> None:
        while not self._stop.is_set():
            try:
                self._follow_once()
            except AppError as error:
                logger.warning("the registry cannot be read, it is tried again: %s", error)
                self._stop.wait(RETRY_SECONDS)

    def _follow_once(self) -> None:
        """Read the topic from its beginning, and go on with what comes."""
        table, changed = SensorTable(), True
        topic = self._settings.topics.sensor_registry
        with Tail(self._settings.kafka, topic, from_beginning=True, follow=True) as tail:
            while not self._stop.is_set():
                messages = tail.poll()
                for message in messages:
                    table.take(message.key(), message.value())
                    changed = True
                if changed and tail.at_end and not messages:  # not in the middle of an import
                    self._publish(dict(table.sensors))
                    changed = False

    def _publish(self, sensors: Mapping[str, Sensor]) -> None:
        registry = declared(sensors)
        if self._current is None or registry.version != self._current.version:
            version = registry.version or "nothing declared"
            logger.info("the registry tells of %d sensors (%s)", len(sensors), version)
            self._current = registry
        self.sensors = sensors
        self._read.set()
