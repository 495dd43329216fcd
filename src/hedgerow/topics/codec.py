"""Bytes to readings and outside forecasts: the fast way for what is right, else `examine`.

Before: the transport's batch of Kafka records. After: the learner takes the columns, the
failures become dead letters. What a message gives depends on the message alone, never on the
batch it came in.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence

import msgspec
import numpy as np
from msgspec import UNSET, UnsetType

from hedgerow.topics.errors import TimestampError
from hedgerow.topics.examine import (
    MAX_NESTING,
    Verdict,
    check_time,
    examine,
    name_fault,
    read_time,
)
from hedgerow.topics.messages import (
    DEFAULT_LIMITS,
    DecodedBatch,
    Failure,
    Limits,
    Message,
    Reason,
)
from hedgerow.topics.records import OutsideForecast, Reading
from hedgerow.topics.timestamps import MAX_TIME_MS, epoch_time, parse_time

__all__ = ["DecodedBatch", "Failure", "Limits", "Message", "ReadingDecoder", "Reason"]

_TIMES_REMEMBERED = 16_384
_LONGEST_REMEMBERED = 40  # characters; longer texts would let a sender fill the memory
_NAMES_REMEMBERED = 262_144  # ids; at 256 bytes each some 100 MB at the very worst


class _AsForecast(OutsideForecast, frozen=True, gc=False):
    """An outside forecast, and what would make a reading of it."""

    value: msgspec.Raw | UnsetType = UNSET
    values: msgspec.Raw | UnsetType = UNSET


class ReadingDecoder:
    """Decodes batches of messages from the readings' topic.

    Parameters
    ----------
    limits : Limits
        What is accepted.

    Examples
    --------
    >>> from types import SimpleNamespace as Record
    >>> good = b'{"sensor_id": "s1", "timestamp": "2026-01-01T08:00:00Z", "value": 12.5}'
    >>> log = [
    ...     Record(offset=7, timestamp=-1, key=None, value=good),
    ...     Record(offset=8, timestamp=1767254400000, key=b"s2", value=b"3"),
    ...     Record(offset=9, timestamp=-1, key=None, value=b"{"),
    ... ]
    >>> batch = ReadingDecoder().decode(log)
    >>> batch.sensor_ids, batch.values.tolist(), batch.offsets.tolist()
    (['s1', 's2'], [12.5, 3.0], [7, 8])
    >>> batch.failures[0].position, batch.failures[0].reason
    (2, <Reason.JSON: 'json'>)
    """

    def __init__(self, limits: Limits = DEFAULT_LIMITS) -> None:
        self._limits = limits
        # Up to here neither length nor nesting needs a look: balanced brackets nest half as deep
        # as they are many.
        self._short = min(2 * MAX_NESTING, limits.max_message_bytes)
        self._parse = msgspec.json.Decoder(Reading | float).decode
        self._parse_forecast = msgspec.json.Decoder(_AsForecast).decode
        self._max_ahead_ms = limits.max_ahead_ms
        self._names: dict[str, str] = {}
        self._times: dict[str | float, int] = {}

    def decode(self, messages: Sequence[Message]) -> DecodedBatch:
        """Decode a batch; never raises, whatever the bytes are.

        Every message gives at least one reading or forecast, or a failure.
        """
        sensor_ids: list[str] = []
        quantities: list[str] = []
        time_ms: list[int] = []
        values: list[float] = []
        offsets: list[int] = []
        positions: list[int] = []
        failures: list[Failure] = []
        forecasts: list[tuple[int, str]] = []
        rejected = 0
        for position, message in enumerate(messages):
            quick = self._read_quickly(message)
            if quick is not None:
                sensor_id, time, content = quick
                if isinstance(content, float):
                    sensor_ids.append(sensor_id)
                    quantities.append("")
                    time_ms.append(time)
                    values.append(content)
                    offsets.append(message.offset)
                    positions.append(position)
                    continue
                readings: Iterable[tuple[str, float]] = content.items()
            else:
                verdict = self._read_forecast(message) or examine(
                    message.value, message.key, message.timestamp, self._limits
                )
                sensor_id, time = verdict.sensor_id, verdict.time_ms
                readings = verdict.readings
                rejected += verdict.rejected
                if verdict.expert:
                    forecasts.append((len(values), verdict.expert))
                if verdict.reason is not None:
                    failures.append(Failure(position, verdict.reason, verdict.error))
            for quantity, value in readings:
                sensor_ids.append(sensor_id)
                quantities.append(quantity)
                time_ms.append(time)
                values.append(value)
                offsets.append(message.offset)
                positions.append(position)
        experts = [""] * len(values)
        for place, expert in forecasts:
            experts[place] = expert
        return DecodedBatch(
            sensor_ids=sensor_ids,
            quantities=quantities,
            experts=experts,
            time_ms=np.array(time_ms, np.int64),
            values=np.array(values, np.float64),
            offsets=np.array(offsets, np.int64),
            positions=positions,
            failures=failures,
            rejected=rejected,
        )

    def _read_quickly(self, message: Message) -> tuple[str, int, float | dict[str, float]] | None:
        """Read a flawless reading; ``None`` for what has to be looked at again.

        Stricter than `examine`, never laxer: what this accepts, that accepts alike.
        """
        raw = message.value
        if raw is None or ((len(raw) > self._short or not raw.isascii()) and not self._plain(raw)):
            return None
        try:
            found = self._parse(raw)
            if type(found) is float:
                return self._read_bare(found, message)
            stamp = found.timestamp
            time = self._times.get(stamp) or self._learn_time(stamp)
        except (ValueError, TimestampError):  # malformed, another shape, not UTF-8; no time
            return None
        name = found.sensor_id
        sensor_id = self._names.get(name) or self._learn_name(name)
        too_late = 0 <= message.timestamp < time - self._max_ahead_ms
        if sensor_id is None or too_late or not 0 <= time <= MAX_TIME_MS:
            return None
        value, values = found.value, found.values
        if type(value) is float:
            return (sensor_id, time, value) if values is UNSET else None
        several = isinstance(values, dict) and self._plain_values(values)
        return (sensor_id, time, values) if value is UNSET and several else None

    def _read_forecast(self, message: Message) -> Verdict | None:
        """Read a flawless outside forecast, as strictly as `_read_quickly` reads readings."""
        raw, limits = message.value, self._limits
        if raw is None or not self._plain(raw):
            return None
        try:
            found = self._parse_forecast(raw)
            time = read_time(found.target_time)
            check_time(time, message.timestamp, limits.max_forecast_ahead_ms)
            if found.issued_at is not UNSET:
                check_time(read_time(found.issued_at))
        except (ValueError, TimestampError):
            return None
        if found.value is not UNSET or found.values is not UNSET:
            return None
        sensor_id, expert = self._name(found.sensor_id), self._name(found.expert)
        quantity = self._name(found.quantity) if isinstance(found.quantity, str) else ""
        if sensor_id is None or expert is None or quantity is None:
            return None
        return Verdict(sensor_id, time, ((quantity, found.predicted),), expert=expert)

    def _plain(self, raw: bytes) -> bool:
        if len(raw) > self._limits.max_message_bytes:
            return False
        if raw.count(b"[") + raw.count(b"{") > MAX_NESTING:
            return False
        try:
            raw.decode()  # msgspec does not look at the bytes of fields it skips
        except UnicodeDecodeError:
            return False
        return True

    def _read_bare(self, number: float, message: Message) -> tuple[str, int, float] | None:
        key, kafka_ms = message.key, message.timestamp
        if key is None or not 0 <= kafka_ms <= MAX_TIME_MS:
            return None
        try:
            name = key.decode()
        except UnicodeDecodeError:
            return None
        sensor_id = self._names.get(name) or self._learn_name(name)
        return None if sensor_id is None else (sensor_id, kafka_ms, number)

    def _plain_values(self, values: dict[str, float]) -> bool:
        if not 0 < len(values) <= self._limits.max_quantities:
            return False
        for quantity in values:
            if quantity not in self._names and self._learn_name(quantity) is None:
                return False
        return True

    def _name(self, name: str) -> str | None:
        return self._names.get(name) or self._learn_name(name)

    def _learn_time(self, stamp: str | float) -> int:
        """Read a time and remember it, unless it is long: a city's sensors share their times."""
        time = parse_time(stamp) if isinstance(stamp, str) else epoch_time(stamp)
        if not isinstance(stamp, str) or len(stamp) <= _LONGEST_REMEMBERED:
            if len(self._times) >= _TIMES_REMEMBERED:
                self._times.clear()
            self._times[stamp] = time
        return time

    def _learn_name(self, name: str) -> str | None:
        """Keep one text object per usable name, its hash computed; ``None`` for an unusable one."""
        if name_fault(name, self._limits.max_id_bytes) is not None:
            return None
        if len(self._names) >= _NAMES_REMEMBERED:
            self._names.clear()
        self._names[name] = name
        return name
