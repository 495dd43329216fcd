"""The registry as its topic tells it: the last record of each sensor.

Before: ``hedgerow sensors import``. After: commands that list sensors; the worker goes on with
``app/registry/follower``.
"""

from __future__ import annotations

import logging
from collections.abc import Iterable
from contextlib import suppress
from fnmatch import fnmatchcase

from hedgerow.app.broker.tail import Tail
from hedgerow.app.settings import Settings
from hedgerow.topics import RecordError, Sensor, decode_sensor

logger = logging.getLogger(__name__)


class SensorTable:
    """Sensors by their ids.

    Attributes
    ----------
    sensors : dict of str to Sensor
        As the records taken so far leave them.
    refused : dict of bytes to str
        What is wrong with records that cannot be used, by their keys, in sentences. The last
        record of a key decides, also such a one: older ones may be compacted away.

    Examples
    --------
    >>> table = SensorTable()
    >>> table.take(b"s1", b'{"sensor_id":"s1","zone":"harbour"}')
    >>> table.sensors["s1"].zone
    'harbour'
    >>> table.take(b"s1", None)
    >>> table.sensors
    {}
    """

    def __init__(self) -> None:
        self.sensors: dict[str, Sensor] = {}
        self.refused: dict[bytes | None, str] = {}

    def take(self, key: bytes | None, value: bytes | None) -> None:
        """Take one record in the order of the topic."""
        self.refused.pop(key, None)
        with suppress(UnicodeDecodeError):  # then no sensor has that id
            self.sensors.pop((key or b"").decode("utf-8", "surrogatepass"), None)
        if value is None:
            return
        try:
            sensor = decode_sensor(key, value)
        except RecordError as error:
            self.refused[key] = str(error)
            logger.warning("the registry has a record that cannot be used: %s", error)
        else:
            self.sensors[sensor.sensor_id] = sensor


def read_table(settings: Settings) -> SensorTable:
    """Read the whole registry as it is now.

    Raises
    ------
    AppError
        If it cannot be read.
    """
    table = SensorTable()
    topic = settings.topics.sensor_registry
    with Tail(settings.kafka, topic, from_beginning=True, follow=False) as tail:
        for message in tail.messages():
            table.take(message.key(), message.value())
    return table


def chosen(
    sensors: Iterable[Sensor],
    *,
    pattern: str = "*",
    kind: str | None = None,
    zone: str | None = None,
) -> list[Sensor]:
    """Choose sensors by a pattern of their id or name, kind and zone; in the order of ids."""
    return sorted(
        (
            sensor
            for sensor in sensors
            if (fnmatchcase(sensor.sensor_id, pattern) or fnmatchcase(sensor.name, pattern))
            and kind in {None, sensor.kind}
            and zone in {None, sensor.zone}
        ),
        key=lambda sensor: sensor.sensor_id,
    )
