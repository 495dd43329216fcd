"""Follows the registry's topic in a thread, so that what is declared is at hand when asked for.

Before: ``hedgerow sensors import``. After: each partition takes what is new where a checkpoint of
it begins (``agents/holdings``), and the console shows names and positions. Unreachable, nothing
changes: what was read last stands. A topic that was made anew is read from its beginning.
"""

from __future__ import annotations

import asyncio
import logging
import math
import threading
import time
from collections.abc import Mapping
from types import TracebackType
from typing import Self

from hedgerow.app.broker.readings_log import describe_log
from hedgerow.app.broker.tail import Tail
from hedgerow.app.broker.topic_admin import admin_client
from hedgerow.app.errors import AppError
from hedgerow.app.registry.declared import declared
from hedgerow.app.registry.table import SensorTable
from hedgerow.app.settings import Settings
from hedgerow.models import Mark, Registry
from hedgerow.topics import Sensor

logger = logging.getLogger(__name__)

RETRY_SECONDS = 5.0
SAME_TOPIC_SECONDS = 30.0  # how often the broker is asked which topic this is
PARTITION = 0  # the only one, so that its records have one order


class RegistryFollower:
    """The registry as its topic has it now, in a ``with`` block.

    Attributes
    ----------
    sensors : Mapping of str to Sensor
        All of them; replaced as a whole when something changes.
    """

    def __init__(self, settings: Settings) -> None:
        self._settings = settings
        self._admin = admin_client(settings.kafka)
        self._current: Registry | None = None
        self._read_since = self._reading_since = -math.inf  # what is current, what is under way
        self._again = threading.Event()
        self._read = threading.Event()
        self._stop = threading.Event()
        self._thread = threading.Thread(target=self._follow, name="registry", daemon=True)
        self.sensors: Mapping[str, Sensor] = {}

    def current(self) -> Registry | None:
        """Return the registry as it was read last; ``None`` before it was read to its end once."""
        return self._current

    def read_since(self, moment: float) -> bool:
        """Tell whether `current` was read from the topic's beginning since a monotonic time.

        Where it was not, that is begun now.
        """
        if self._reading_since <= moment:
            self._again.set()
        return self._read_since > moment

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
        """Read the topic from its beginning, and go on with what comes, while it is the same."""
        table, changed = SensorTable(), True
        topic = self._settings.topics.sensor_registry
        self._again.clear()
        self._reading_since = asked = time.monotonic()
        log_id = self._log_id()
        with Tail(self._settings.kafka, topic, from_beginning=True, follow=True) as tail:
            while not (self._stop.is_set() or self._again.is_set() or tail.went_back):
                messages = tail.poll()
                for message in messages:
                    table.take(message.key(), message.value())
                    changed = True
                due = changed and tail.at_end and not messages  # not in the middle of an import
                if not due and time.monotonic() < asked + SAME_TOPIC_SECONDS:
                    continue
                asked = time.monotonic()
                if self._log_id() != log_id:
                    logger.warning("%s was made anew; it is read from its beginning", topic)
                    return
                if due and not tail.went_back:
                    mark = Mark(log_id, tail.end(PARTITION))
                    self._publish(dict(table.sensors), mark)
                    changed = False

    def _log_id(self) -> str:
        return describe_log(self._admin, self._settings.topics.sensor_registry).log_id

    def _publish(self, sensors: Mapping[str, Sensor], mark: Mark) -> None:
        registry = declared(sensors, mark)
        if self._current is None or registry.version != self._current.version:
            version = registry.version or "nothing declared"
            logger.info("the registry tells of %d sensors (%s)", len(sensors), version)
        self._current, self._read_since = registry, self._reading_since
        self.sensors = sensors
        self._read.set()
