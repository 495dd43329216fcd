"""Keys and ids of records: the same reading gives the same id in every replay.

Series keys are for people and partitions; inside a series is the pair of sensor and quantity,
so a sensor called ``a/b`` is never mixed up with quantity ``b`` of sensor ``a``.
"""

from __future__ import annotations


def series_key(sensor_id: str, quantity: str) -> str:
    """Name a series in one text; the quantity is ``""`` where there is none.

    Examples
    --------
    >>> series_key("bridge-7", "speed"), series_key("bridge-7", "")
    ('bridge-7/speed', 'bridge-7')
    """
    return f"{sensor_id}/{quantity}" if quantity else sensor_id


def source_of(topic: str, partition: int) -> str:
    """Name a partition as ids begin with.

    Examples
    --------
    >>> source_of("sensor-data", 3)
    'sensor-data:3'
    """
    return f"{topic}:{partition}"


def prediction_id(topic: str, partition: int, offset: int, series: str) -> str:
    """Name the prediction made from the reading at this place of the input.

    Examples
    --------
    >>> prediction_id("sensor-data", 3, 41, "bridge-7/speed")
    'sensor-data:3:41:bridge-7/speed'
    """
    return f"{source_of(topic, partition)}:{offset}:{series}"


def episode_id(topic: str, partition: int, opening_offset: int, series: str, kind: str) -> str:
    """Name an alert's episode by the reading that opened it.

    Examples
    --------
    >>> episode_id("sensor-data", 3, 40, "bridge-7/speed", "bound")
    'sensor-data:3:40:bridge-7/speed:bound'
    """
    return f"{source_of(topic, partition)}:{opening_offset}:{series}:{kind}"


def alert_id(topic: str, partition: int, offset: int, series: str, *, kind: str, state: str) -> str:
    """Name one record of an episode by the reading that caused it.

    Examples
    --------
    >>> alert_id("sensor-data", 3, 41, "bridge-7/speed", kind="bound", state="resolved")
    'sensor-data:3:41:bridge-7/speed:bound:resolved'
    """
    return f"{source_of(topic, partition)}:{offset}:{series}:{kind}:{state}"
