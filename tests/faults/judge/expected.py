"""What a worker must do with a log, worked out from the log alone.

Nothing here comes from the product: the messages are decoded with the standard library, and
every reading gets its outcome by plain arithmetic on its series' grid.
"""

from __future__ import annotations

import json
import math
from collections import Counter
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from datetime import UTC, datetime

from faults.log.logs import Record


@dataclass(frozen=True, slots=True)
class Rules:
    """What the verifier is told about the settings of the worker."""

    topic: str
    period_ms: Callable[[str], int]  # by series key
    max_message_bytes: int = 262_144
    max_id_bytes: int = 256
    max_ahead_ms: int = 86_400_000
    max_series: int = 100_000
    horizons: tuple[int, ...] = (1, 3, 12)


@dataclass(frozen=True, slots=True)
class Reading:
    """A reading that must be learned, and the prediction it must give."""

    id: str
    series: str
    sensor_id: str
    quantity: str | None
    partition: int
    offset: int
    at_ms: int
    value: float


@dataclass(slots=True)
class Expected:
    """All that must come out of a log."""

    learned: dict[str, Reading] = field(default_factory=dict)
    dead: dict[tuple[int, int], tuple[Record, str]] = field(default_factory=dict)
    counts: Counter[str] = field(default_factory=Counter)
    ends: dict[int, int] = field(default_factory=dict)

    @property
    def outputs(self) -> int:
        """How many distinct predictions and dead letters there must be."""
        return len(self.learned) + len(self.dead)


class Refused(Exception):
    """A message, or one of its values, cannot be used; ``reason`` is the dead letter's word."""

    def __init__(self, reason: str) -> None:
        super().__init__(reason)
        self.reason = reason


def expect(log: Sequence[Record], rules: Rules) -> Expected:
    """Work out the outcome of every message and reading of a log."""
    expected = Expected()
    slots: dict[tuple[int, str], int] = {}
    known_series: Counter[int] = Counter()  # by partition
    for record in sorted(log, key=lambda record: (record.partition, record.offset)):
        expected.ends[record.partition] = record.offset + 1
        try:
            sensor, values = _decoded(record, rules)
        except Refused as refusal:
            _dead(expected, record, refusal.reason)
            continue
        reasons = []
        for quantity, number, at_ms, refused in values:
            if refused:
                reasons.append(refused)
                expected.counts["rejected"] += 1
                continue
            series = f"{sensor}/{quantity}" if quantity else sensor
            known = (record.partition, series)
            if known not in slots and known_series[record.partition] >= rules.max_series:
                reasons.append("series-limit")
                expected.counts["rejected"] += 1
                continue
            period = rules.period_ms(series)
            slot = math.floor(at_ms / period + 0.5)
            last = slots.get(known)
            if last is not None and slot <= last:
                expected.counts["late" if slot < last else "duplicate"] += 1
                continue
            known_series[record.partition] += last is None
            slots[known] = slot
            expected.counts["learned"] += 1
            name = f"{rules.topic}:{record.partition}:{record.offset}:{series}"
            expected.learned[name] = Reading(
                name, series, sensor, quantity, record.partition, record.offset, at_ms, number
            )
        if reasons:
            _dead(expected, record, reasons[0])
        else:
            expected.counts["decoded"] += 1
    return expected


def _dead(expected: Expected, record: Record, reason: str) -> None:
    expected.dead[record.partition, record.offset] = (record, reason)
    expected.counts["dead_lettered"] += 1
    expected.counts[f"dead:{reason}"] += 1


Value = tuple[str | None, float, int, str]  # quantity, number, time, reason it is refused


def _decoded(record: Record, rules: Rules) -> tuple[str, list[Value]]:
    """Return the sensor and its values, or raise `Refused` for the message as a whole."""
    raw = record.value
    if raw is None:
        raise Refused("json")
    if len(raw) > rules.max_message_bytes:
        raise Refused("size")
    try:
        text = raw.decode("utf-8")
    except UnicodeDecodeError:
        raise Refused("encoding") from None
    try:
        body = json.loads(text)
    except ValueError:
        raise Refused("json") from None
    if _is_number(body):
        sensor, stamp = _key_name(record.key), record.timestamp_ms
        pairs: list[tuple[str | None, object]] = [(None, body)]
    elif isinstance(body, dict):
        sensor, stamp, pairs = _fields(body)
    else:
        raise Refused("schema")
    if not sensor or len(sensor.encode()) > rules.max_id_bytes:
        raise Refused("key")
    at_ms, refused = _time(stamp, record.timestamp_ms, rules)
    return sensor, [_value(quantity, value, at_ms, refused) for quantity, value in pairs]


def _fields(body: dict[str, object]) -> tuple[str, object, list[tuple[str | None, object]]]:
    sensor, values = body.get("sensor_id"), body.get("values")
    if not isinstance(sensor, str):
        raise Refused("key")
    if "timestamp" not in body or ("value" in body) == ("values" in body):
        raise Refused("schema")
    if "value" in body:
        return sensor, body["timestamp"], [(None, body["value"])]
    if not isinstance(values, dict) or not values:
        raise Refused("schema")
    return sensor, body["timestamp"], list(values.items())


def _value(quantity: str | None, value: object, at_ms: int, refused: str) -> Value:
    number = value if isinstance(value, int | float) and not isinstance(value, bool) else math.nan
    if not refused and not math.isfinite(number):
        refused = "value"
    return quantity, float(number), at_ms, refused


def _time(stamp: object, written_ms: int, rules: Rules) -> tuple[int, str]:
    """Return the reading's time, and why it is refused if it is."""
    try:
        if isinstance(stamp, str):
            moment = datetime.fromisoformat(stamp)
            if moment.tzinfo is None:  # a time without a zone is UTC
                moment = moment.replace(tzinfo=UTC)
            at_ms = round(moment.timestamp() * 1000)
        else:
            number = stamp if isinstance(stamp, int | float) else math.nan
            at_ms = round(number if abs(number) >= 1e11 else number * 1000)
    except ValueError:  # neither a date nor a finite number
        return 0, "time"
    outside = at_ms < 0 or at_ms > written_ms + rules.max_ahead_ms
    return at_ms, "time" if outside else ""


def _key_name(key: bytes | None) -> str:
    if not key:
        raise Refused("key")
    try:
        return key.decode("utf-8")
    except UnicodeDecodeError:
        raise Refused("encoding") from None


def _is_number(value: object) -> bool:
    return isinstance(value, int | float) and not isinstance(value, bool)
