"""The slow, exact way to read a message: says precisely what is wrong with it.

Before: `hedgerow.topics.codec`, which comes here only with what its fast way refused. After:
a dead letter with a reason, or what was good after all (a duplicate JSON name, a lone surrogate
in a field nobody reads).
"""

from __future__ import annotations

import json
import math
import re
from dataclasses import dataclass
from typing import NoReturn, TypeAlias

from hedgerow.topics.errors import TimestampError
from hedgerow.topics.messages import Limits, Reason
from hedgerow.topics.timestamps import MAX_TIME_MS, epoch_time, format_time, parse_time

MAX_NESTING = 64
"""Deepest nesting of arrays and objects. A fixed number, well inside Python's own limit: that
one depends on the caller's stack, and a message must not be judged by who decodes it."""

# A string, closed or not (so that an open one is scanned once), or one bracket.
_STRING_OR_BRACKET = re.compile(r'"(?:[^"\\]++|\\.)*+"?|[\[\]{}]', re.DOTALL)

Json: TypeAlias = "None | bool | float | str | list[Json] | dict[str, Json]"


@dataclass(frozen=True, slots=True)
class Verdict:
    """All that one message gives: its readings, and what was wrong with it if anything was.

    Attributes
    ----------
    readings : tuple[tuple[str, float], ...]
        Quantity and finite value of each good one; of an outside forecast what it predicts.
    expert : str
        Whose forecast it is; empty for readings.
    rejected : int
        How many values of a named sensor were refused.
    reason : Reason | None
        ``None`` if nothing was wrong.
    """

    sensor_id: str = ""
    time_ms: int = 0
    readings: tuple[tuple[str, float], ...] = ()
    rejected: int = 0
    reason: Reason | None = None
    error: str = ""
    expert: str = ""


class _Refused(Exception):
    def __init__(self, reason: Reason, error: str, rejected: int = 0) -> None:
        super().__init__(error)
        self.verdict = Verdict(reason=reason, error=error, rejected=rejected)


def examine(value: bytes | None, key: bytes | None, kafka_ms: int, limits: Limits) -> Verdict:
    """Read one message, whatever its bytes are; never raises.

    Examples
    --------
    >>> verdict = examine(b'{"sensor_id":"s", "timestamp":1, "value":NaN}', None, -1, Limits())
    >>> verdict.reason, verdict.error, verdict.rejected
    (<Reason.VALUE: 'value'>, 'value NaN is not a finite number', 1)
    """
    try:
        data = _load(value, limits)
        if isinstance(data, dict):
            return _read_object(data, kafka_ms, limits)
        if isinstance(data, float):
            return _read_number(data, key, kafka_ms, limits)
        _refuse(Reason.SCHEMA, f"expected an object or a number, not {show(data)}")
    except _Refused as refused:
        return refused.verdict


def _refuse(reason: Reason, error: str, rejected: int = 0) -> NoReturn:
    raise _Refused(reason, error, rejected)


def _load(value: bytes | None, limits: Limits) -> Json:
    if value is None:
        _refuse(Reason.JSON, "the message has no value (a tombstone)")
    if len(value) > limits.max_message_bytes:
        _refuse(
            Reason.SIZE,
            f"the value has {len(value)} bytes, more than the limit of {limits.max_message_bytes}",
        )
    try:
        text = value.decode()
    except UnicodeDecodeError as error:
        _refuse(Reason.ENCODING, f"the value is not UTF-8 at byte {error.start}")
    if not text.strip(" \t\r\n"):
        _refuse(Reason.JSON, "the value is empty")
    if nested_deeper(text, MAX_NESTING):
        _refuse(Reason.JSON, f"the value is nested deeper than {MAX_NESTING} levels")
    try:
        # Integers as floats: no 4300-digit limit, and 10**400 is infinite as 1e400 is. Plus
        # zero, as msgspec has it and as an integer would be: -0 is 0.
        data: Json = json.loads(text, parse_int=lambda digits: float(digits) + 0.0)
    except json.JSONDecodeError as error:
        what = error.msg.removesuffix(" at")  # of some
        _refuse(Reason.JSON, f"the value is not JSON: {what} at character {error.pos}")
    return data


def nested_deeper(text: str, levels: int) -> bool:
    """Tell whether brackets outside of strings nest deeper than so many levels.

    Examples
    --------
    >>> nested_deeper('[[]]', 1), nested_deeper('["[["]', 1)
    (True, False)
    """
    if text.count("[") + text.count("{") <= levels:
        return False
    depth = 0
    for match in _STRING_OR_BRACKET.finditer(text):
        token = match[0]
        if token in ("[", "{"):
            depth += 1
            if depth > levels:
                return True
        elif token in ("]", "}"):
            depth -= 1
    return False


def _read_number(number: float, key: bytes | None, kafka_ms: int, limits: Limits) -> Verdict:
    if key is None:
        _refuse(Reason.KEY, "a bare number needs the sensor id as message key, there is none")
    try:
        sensor_id = key.decode()
    except UnicodeDecodeError as error:
        _refuse(Reason.ENCODING, f"the message key is not UTF-8 at byte {error.start}")
    _check_name("message key", sensor_id, limits)
    if kafka_ms < 0:
        _refuse(Reason.TIME, "a bare number takes Kafka's timestamp, and there is none", 1)
    if kafka_ms > MAX_TIME_MS:
        _refuse(Reason.TIME, f"Kafka's timestamp {kafka_ms} is after the year 8999", 1)
    return _weigh(sensor_id, kafka_ms, {"": number})


def _read_object(data: dict[str, Json], kafka_ms: int, limits: Limits) -> Verdict:
    if "sensor_id" not in data:
        _refuse(Reason.KEY, "sensor_id is missing")
    sensor_id = data["sensor_id"]
    if not isinstance(sensor_id, str):
        _refuse(Reason.KEY, f"sensor_id {show(sensor_id)} is not a text")
    _check_name("sensor_id", sensor_id, limits)
    if "expert" in data and "value" not in data and "values" not in data:
        return _read_forecast(sensor_id, data, kafka_ms, limits)
    if "timestamp" not in data:
        _refuse(Reason.SCHEMA, "timestamp is missing")
    values = _values_by_quantity(data, limits)
    try:
        time_ms = read_time(data["timestamp"])
        check_time(time_ms, kafka_ms, limits.max_ahead_ms)
    except TimestampError as error:
        text = f"timestamp {show(data['timestamp'])} {error}"
        _refuse(Reason.TIME, text, rejected=len(values))
    return _weigh(sensor_id, time_ms, values)


def _read_forecast(sensor_id: str, data: dict[str, Json], kafka_ms: int, limits: Limits) -> Verdict:
    expert, quantity = data["expert"], data.get("quantity")
    if not isinstance(expert, str):
        _refuse(Reason.KEY, f"expert {show(expert)} is not a text")
    _check_name("expert", expert, limits)
    if quantity is None:
        quantity = ""
    elif isinstance(quantity, str):
        _check_name("quantity", quantity, limits)
    else:
        _refuse(Reason.KEY, f"quantity {show(quantity)} is neither a text nor null")
    for field in ("target_time", "predicted"):
        if field not in data:
            _refuse(Reason.SCHEMA, f"{field} is missing from the forecast of {show(expert)}")
    target_ms = _forecast_time(data, "target_time", kafka_ms, limits)
    if "issued_at" in data:
        _forecast_time(data, "issued_at", -1, limits)
    predicted = data["predicted"]
    if not isinstance(predicted, float) or not math.isfinite(predicted):
        _refuse(Reason.VALUE, f"predicted {show(predicted)} is not a finite number")
    return Verdict(sensor_id, target_ms, ((quantity, predicted),), expert=expert)


def _forecast_time(data: dict[str, Json], field: str, kafka_ms: int, limits: Limits) -> int:
    try:
        time_ms = read_time(data[field])
        check_time(time_ms, kafka_ms, limits.max_forecast_ahead_ms)
    except TimestampError as error:
        _refuse(Reason.TIME, f"{field} {show(data[field])} {error}")
    return time_ms


def _values_by_quantity(data: dict[str, Json], limits: Limits) -> dict[str, Json]:
    if ("value" in data) == ("values" in data):
        found = "both are there" if "value" in data else "neither is there"
        _refuse(Reason.SCHEMA, f"exactly one of value and values is expected, {found}")
    if "value" in data:
        return {"": data["value"]}
    values = data["values"]
    if not isinstance(values, dict):
        _refuse(Reason.SCHEMA, f"values {show(values)} is not an object of numbers by name")
    if not values:
        _refuse(Reason.SCHEMA, "values is empty")
    if len(values) > limits.max_quantities:
        _refuse(
            Reason.SCHEMA,
            f"values has {len(values)} quantities, more than the limit of {limits.max_quantities}",
        )
    for quantity in values:
        _check_name("quantity", quantity, limits)
    return values


def read_time(stamp: Json) -> int:
    """Read a time as epoch milliseconds.

    Raises
    ------
    TimestampError
        If it is neither an ISO 8601 text nor a finite number.

    Examples
    --------
    >>> read_time("2026-01-01T08:00:00Z"), read_time(1767254400.0)
    (1767254400000, 1767254400000)
    """
    if isinstance(stamp, str):
        return parse_time(stamp)
    if isinstance(stamp, float) and math.isfinite(stamp):
        return epoch_time(stamp)
    raise TimestampError("is neither ISO 8601 text nor a number of seconds or milliseconds")


def check_time(time_ms: int, kafka_ms: int = -1, max_ahead_ms: int = 0) -> None:
    """Refuse a time that this message cannot be about.

    Parameters
    ----------
    time_ms, kafka_ms : int
        The message's time and Kafka's; without the latter (negative) only the years are checked.
    max_ahead_ms : int
        How far the one may lie after the other.

    Raises
    ------
    TimestampError
        If the time is before 1970, after the year 8999 or too far after Kafka's own.

    Examples
    --------
    >>> check_time(1767254400000, 1767254400000)
    >>> check_time(1767254400000, 1767081600000, 86_400_000)
    Traceback (most recent call last):
    hedgerow.topics.errors.TimestampError: is more than 86400 s after Kafka's 2025-12-30T08:00:00Z
    """
    if time_ms < 0:
        raise TimestampError("is before 1970")
    if time_ms > MAX_TIME_MS:
        raise TimestampError("is after the year 8999")
    if 0 <= kafka_ms < time_ms - max_ahead_ms:
        ahead = f"{max_ahead_ms / 1000:.15g} s"
        raise TimestampError(f"is more than {ahead} after Kafka's {format_time(kafka_ms)}")


def _weigh(sensor_id: str, time_ms: int, values: dict[str, Json] | dict[str, float]) -> Verdict:
    good = []
    bad = []
    for quantity, value in values.items():
        if isinstance(value, float) and math.isfinite(value):
            good.append((quantity, value))
        else:
            bad.append(f"{name_value(quantity)} {show(value)} is not a finite number")
    if not bad:
        return Verdict(sensor_id, time_ms, tuple(good))
    count = f"; {len(bad)} of {len(values)} values refused" if len(values) > 1 else ""
    return Verdict(sensor_id, time_ms, tuple(good), len(bad), Reason.VALUE, f"{bad[0]}{count}")


def name_value(quantity: str) -> str:
    """Say which value of a message is meant.

    Examples
    --------
    >>> name_value(""), name_value("speed")
    ('value', 'value "speed"')
    """
    return f"value {show(quantity)}" if quantity else "value"


def _check_name(what: str, name: str, limits: Limits) -> None:
    fault = name_fault(name, limits.max_id_bytes)
    if fault is not None:
        reason, error = fault
        _refuse(reason, f"{what} {error}")


def name_fault(name: str, max_bytes: int) -> tuple[Reason, str] | None:
    r"""Say what is wrong with a sensor id or a quantity's name, ``None`` if nothing is.

    Examples
    --------
    >>> name_fault("bridge 7/Süd", 256)
    >>> name_fault(" ", 256)
    (<Reason.KEY: 'key'>, 'is empty')
    >>> name_fault("\ud800", 256)
    (<Reason.ENCODING: 'encoding'>, '"\\ud800" holds half of a surrogate pair')
    """
    if not name or name.isspace():
        return Reason.KEY, "is empty"
    try:
        length = len(name.encode())
    except UnicodeEncodeError:
        return Reason.ENCODING, f"{show(name)} holds half of a surrogate pair"
    if length > max_bytes:
        return Reason.KEY, f"{show(name)} has {length} bytes, more than the limit of {max_bytes}"
    return None


def show(value: Json) -> str:
    """Write a part of a message for an error sentence: as JSON, in ASCII, never long.

    Examples
    --------
    >>> show("x" * 100)
    '"xxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxx...'
    >>> show({"a": 1.0}), show(None)
    ('an object', 'null')
    """
    if isinstance(value, dict):
        return "an object"
    if isinstance(value, list):
        return "an array"
    if isinstance(value, str):
        value = value[:80]
    text = json.dumps(value)
    return text if len(text) <= 40 else text[:37] + "..."
