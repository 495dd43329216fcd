"""The record of the sensor registry: what is known of a sensor beside its readings.

Before: ``hedgerow sensors import``, or whoever else keeps the city's list of sensors. After: the
worker's table of it, by which profiles learn and the console draws its map. Unlike readings, a
record that is not as it should be is refused whole: a bound with a slip of the pen is worse than
none.
"""

from __future__ import annotations

from collections.abc import Iterator
from typing import Annotated

from msgspec import Meta, Struct, ValidationError
from msgspec.json import Decoder, Encoder

from hedgerow.topics.errors import RecordError

MOST_NEIGHBOURS = 4
MAX_ID_BYTES = 256
MAX_TEXT = 200  # characters
MAX_PERIOD_SECONDS = 31 * 86_400
_MOST_DEGREES = {"longitude": 180.0, "latitude": 90.0}


class Sensor(Struct, frozen=True, gc=False, omit_defaults=True, forbid_unknown_fields=True):
    """A record on ``sensor-registry``: what is known of one sensor.

    The topic is compacted: the last record of a key counts, and one without a value takes the
    sensor out. Everything but ``sensor_id`` may be left out.
    """

    sensor_id: Annotated[str, Meta(description="Which sensor, as in its readings; also the key.")]
    name: Annotated[str, Meta(description="What people call it.")] = ""
    kind: Annotated[
        str, Meta(description="What it measures, one word for all alike; chooses a profile.")
    ] = ""
    unit: Annotated[str, Meta(description="Unit of its values, as people write it.")] = ""
    zone: Annotated[str, Meta(description="Part of the city; chooses a profile.")] = ""
    longitude: Annotated[
        float | None, Meta(description="Where it is: degrees east; with latitude.")
    ] = None
    latitude: Annotated[float | None, Meta(description="Degrees north; with longitude.")] = None
    x: Annotated[
        float | None,
        Meta(description="Where it is on a plain map, in any unit, to the right; with y."),
    ] = None
    y: Annotated[float | None, Meta(description="On a plain map, upwards; with x.")] = None
    bound_lower: Annotated[
        float | None,
        Meta(
            description="Least value that is right; less raises an alert. With either bound "
            "here, the profile's bounds do not count."
        ),
    ] = None
    bound_upper: Annotated[float | None, Meta(description="Most that is right, likewise.")] = None
    period_seconds: Annotated[
        float | None, Meta(description="Seconds between readings, instead of the profile's.")
    ] = None
    neighbours: Annotated[
        tuple[str, ...],
        Meta(
            description="Up to four sensors, or series by their key, whose last reading tells "
            "something about it; instead of the profile's."
        ),
    ] = ()


FIELDS: tuple[str, ...] = Sensor.__struct_fields__

_parse = Decoder(Sensor).decode
_encode = Encoder().encode


def faults(sensor: Sensor) -> Iterator[str]:
    """Say what is wrong with a sensor, each in a sentence that says what would be right.

    Examples
    --------
    >>> list(faults(Sensor("s1", bound_lower=5.0, bound_upper=3.0)))
    ['bound_lower 5 and bound_upper 3 must be in order']
    """
    if not sensor.sensor_id.strip() or len(_bytes(sensor.sensor_id)) > MAX_ID_BYTES:
        yield f"sensor_id must be 1 to {MAX_ID_BYTES} bytes, not all space"
    for name in ("name", "kind", "unit", "zone"):
        if len(getattr(sensor, name)) > MAX_TEXT:
            yield f"{name} must have at most {MAX_TEXT} characters"
    for name in ("longitude", "latitude", "x", "y", "bound_lower", "bound_upper"):
        value = getattr(sensor, name)
        if value is not None and not abs(value) <= _MOST_DEGREES.get(name, 1e300):
            most = _MOST_DEGREES.get(name)
            right = "a finite number" if most is None else f"between -{most:g} and {most:g} degrees"
            yield f"{name} {value:g} must be {right}"
    yield from _position_faults(sensor)
    lower, upper = sensor.bound_lower, sensor.bound_upper
    if lower is not None and upper is not None and not lower < upper:
        yield f"bound_lower {lower:g} and bound_upper {upper:g} must be in order"
    period = sensor.period_seconds
    if period is not None and not 1 <= period <= MAX_PERIOD_SECONDS:
        yield f"period_seconds {period:g} must lie between 1 and {MAX_PERIOD_SECONDS}"
    names = sensor.neighbours
    if len(names) > MOST_NEIGHBOURS:
        yield f"{len(names)} neighbours are named; a sensor can have {MOST_NEIGHBOURS}"
    if len(set(names)) < len(names) or sensor.sensor_id in names or not all(map(str.strip, names)):
        yield "neighbours must be different sensors, none of them itself"


def _position_faults(sensor: Sensor) -> Iterator[str]:
    for one, other in (("longitude", "latitude"), ("x", "y")):
        given = [name for name in (one, other) if getattr(sensor, name) is not None]
        if len(given) == 1:
            yield f"{given[0]} is given alone; a position has {one} and {other}"
    if sensor.longitude is not None and sensor.x is not None:
        yield "a position is longitude and latitude or x and y, not both"


def encode_sensor(sensor: Sensor) -> tuple[bytes, bytes]:
    """Write one sensor: its key, the sensor id, and its value, JSON without what is not known.

    Examples
    --------
    >>> encode_sensor(Sensor("bridge-7", kind="traffic"))
    (b'bridge-7', b'{"sensor_id":"bridge-7","kind":"traffic"}')
    """
    return _bytes(sensor.sensor_id), _encode(sensor)


def decode_sensor(key: bytes | None, value: bytes) -> Sensor:
    """Read a record of ``sensor-registry``.

    Raises
    ------
    RecordError
        If it is something else, or not as it should be; the sentence says what would be right.

    Examples
    --------
    >>> decode_sensor(b"s1", b'{"sensor_id":"s1","colour":"red"}')
    Traceback (most recent call last):
    hedgerow.topics.errors.RecordError: sensor s1: Object contains unknown field `colour`; \
a sensor has sensor_id, name, kind, unit, zone, longitude, latitude, x, y, bound_lower, \
bound_upper, period_seconds, neighbours
    """
    who = f"sensor {_text(key)}"
    try:
        sensor = _parse(value)
    except ValidationError as error:
        raise RecordError(f"{who}: {error}; a sensor has {', '.join(FIELDS)}") from None
    except ValueError as error:
        raise RecordError(f"{who}: not JSON: {error}") from None
    if key != _bytes(sensor.sensor_id):
        raise RecordError(f"{who}: the key must be the sensor_id, {sensor.sensor_id!r}")
    for fault in faults(sensor):
        raise RecordError(f"{who}: {fault}")
    return sensor


def _bytes(text: str) -> bytes:
    return text.encode("utf-8", "surrogatepass")


def _text(key: bytes | None) -> str:
    return "without a key" if key is None else key.decode("utf-8", "replace")
