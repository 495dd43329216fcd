"""Bytes to readings: the fast way for what is right, `examine` for the rest.

Before: the transport's batch of Kafka records. After: the learner takes the columns, the
failures become dead letters. What a message gives depends on the message alone, never on the
batch it came in.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence

import msgspec
import numpy as np
from msgspec import UNSET

from hedgerow.topics.errors import TimestampError
from hedgerow.topics.examine import MAX_NESTING, examine, name_fault
from hedgerow.topics.messages import (
    DEFAULT_LIMITS,
    DecodedBatch,
    Failure,
    Limits,
    Message,
    Reason,
)
from hedgerow.topics.records import Reading
from hedgerow.topics.timestamps import MAX_TIME_MS, epoch_time, parse_time

__all__ = ["DecodedBatch", "Failure", "Limits", "Message", "ReadingDecoder", "Reason"]

_NAMES_REMEMBERED = 65_536  # ids; at 256 bytes each some 25 MB at the very worst


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
        self._names: dict[str, str] = {}

    def decode(self, messages: Sequence[Message]) -> DecodedBatch:
        """Decode a batch; never raises, whatever the bytes are.

        Every message gives at least one reading or a failure.
        """
        sensor_ids: list[str] = []
        quantities: list[str] = []
        time_ms: list[int] = []
        values: list[float] = []
        offsets: list[int] = []
        positions: list[int] = []
        failures: list[Failure] = []
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
                verdict = examine(message.value, message.key, message.timestamp, self._limits)
                sensor_id, time = verdict.sensor_id, verdict.time_ms
                readings = verdict.readings
                rejected += verdict.rejected
                if verdict.reason is not None:
                    failures.append(Failure(position, verdict.reason, verdict.error))
            for quantity, value in readings:
                sensor_ids.append(sensor_id)
                quantities.append(quantity)
                time_ms.append(time)
                values.append(value)
                offsets.append(message.offset)
                positions.append(position)
        return DecodedBatch(
            sensor_ids=sensor_ids,
            quantities=quantities,
            time_ms=np.array(time_ms, np.int64),
            values=np.array(values, np.float64),
            offsets=np.array(offsets, np.int64),
            positions=positions,
            failures=failures,
            rejected=rejected,
        )

    def _read_quickly(self, message: Message) -> tuple[str, int, float | dict[str, float]] | None:
        """Read a flawless message; ``None`` for one that has to be examined.

        Stricter than `examine`, never laxer: what this accepts, that accepts alike.
        """
        raw = message.value
        if raw is None or ((len(raw) > self._short or not raw.isascii()) and not self._plain(raw)):
            return None
        try:
            found = self._parse(raw)
            if isinstance(found, float):
                return self._read_bare(found, message)
            stamp = found.timestamp
            time = parse_time(stamp) if isinstance(stamp, str) else epoch_time(stamp)
        except (ValueError, TimestampError):  # malformed, another shape, not UTF-8; no time
            return None
        name, kafka_ms = found.sensor_id, message.timestamp
        sensor_id = self._names.get(name) or self._learn_name(name)
        too_late = time > MAX_TIME_MS or 0 <= kafka_ms < time - self._limits.max_ahead_ms
        if sensor_id is None or time < 0 or too_late:
            return None
        value, values = found.value, found.values
        if isinstance(value, float):
            return (sensor_id, time, value) if values is UNSET else None
        several = isinstance(values, dict) and self._plain_values(values)
        return (sensor_id, time, values) if value is UNSET and several else None

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

    def _learn_name(self, name: str) -> str | None:
        """Keep one text object per usable name, its hash computed; ``None`` for an unusable one."""
        if name_fault(name, self._limits.max_id_bytes) is not None:
            return None
        if len(self._names) >= _NAMES_REMEMBERED:
            self._names.clear()
        self._names[name] = name
        return name
