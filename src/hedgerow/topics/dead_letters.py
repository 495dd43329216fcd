"""Dead letters: a message that could not be used, as it came, with the reason in its headers.

Before: a `Failure` of the codec, or a series the learner had no room for. After: whoever reads
``dead-letters`` and mends the sender; topic, partition and offset tell repeats apart.
"""

from __future__ import annotations

from dataclasses import dataclass

from hedgerow.topics import records
from hedgerow.topics.messages import Failure, Message, Reason

Headers = tuple[tuple[str, bytes], ...]

DEAD_LETTER_MAX_BYTES = 2 * 1_048_576
"""``max.message.bytes`` of the topic where the input's is Kafka's default of 1 MB."""

_FRAMING_BYTES = 128  # a record batch's header (61), the record's own fields, with room to spare
_HEADER_FRAMING_BYTES = 10
_LONGEST_ERROR = 1000  # characters
_LONGEST_COUNT = 20  # digits; a foreign sender may write anything there


@dataclass(frozen=True, slots=True)
class DeadLetter:
    """A record for ``dead-letters``: key and value untouched unless they do not fit."""

    key: bytes | None
    value: bytes | None
    headers: Headers


def dead_letter(
    message: Message,
    failure: Failure,
    topic: str,
    partition: int,
    *,
    max_bytes: int = DEAD_LETTER_MAX_BYTES,
) -> DeadLetter:
    """Make the dead letter of a message.

    Parameters
    ----------
    max_bytes : int
        What the dead letters' topic takes; a longer value is truncated.

    Examples
    --------
    >>> from types import SimpleNamespace as Record
    >>> letter = dead_letter(
    ...     Record(offset=9, timestamp=-1, key=None, value=b"{"),
    ...     Failure(0, Reason.JSON, "the value is not JSON"),
    ...     "sensor-data",
    ...     3,
    ... )
    >>> letter.value, dict(letter.headers)["dlq.reason"], dict(letter.headers)["dlq.offset"]
    (b'{', b'json', b'9')
    """
    headers = dead_letter_headers(
        failure.reason,
        failure.error,
        topic=topic,
        partition=partition,
        offset=message.offset,
        timestamp_ms=message.timestamp,
    )
    replays = dict(getattr(message, "headers", ())).get(records.DLQ_REPLAYS)
    if replays is not None:  # so that it is not replayed for ever
        headers = (*headers, (records.DLQ_REPLAYS, bytes(replays[:_LONGEST_COUNT])))
    return fit_dead_letter(DeadLetter(message.key, message.value, headers), max_bytes)


def dead_letter_headers(
    reason: Reason, error: str, *, topic: str, partition: int, offset: int, timestamp_ms: int
) -> Headers:
    """Write where a message came from and what was wrong with it.

    Examples
    --------
    >>> dead_letter_headers(
    ...     Reason.KEY, "sensor_id is missing", topic="t", partition=0, offset=5, timestamp_ms=-1
    ... )[:2]
    (('dlq.reason', b'key'), ('dlq.error', b'sensor_id is missing'))
    """
    return (
        (records.DLQ_REASON, reason.value.encode()),
        (records.DLQ_ERROR, error[:_LONGEST_ERROR].encode(errors="backslashreplace")),
        (records.DLQ_TOPIC, topic.encode()),
        (records.DLQ_PARTITION, b"%d" % partition),
        (records.DLQ_OFFSET, b"%d" % offset),
        (records.DLQ_TIMESTAMP, b"%d" % timestamp_ms),
    )


def fit_dead_letter(letter: DeadLetter, max_bytes: int) -> DeadLetter:
    """Truncate a dead letter that the topic would refuse; the value gives way, then the key.

    What was cut says so: ``dlq.truncated`` holds how many bytes the value had.

    Examples
    --------
    >>> letter = fit_dead_letter(DeadLetter(b"s1", b"x" * 5000, ()), 1000)
    >>> len(letter.value) < 1000, letter.headers
    (True, (('dlq.truncated', b'5000'),))
    """
    key, value = letter.key or b"", letter.value or b""
    if len(key) + len(value) <= _room(letter.headers, max_bytes):
        return letter
    headers = (*letter.headers, (records.DLQ_TRUNCATED, b"%d" % len(value)))
    room = _room(headers, max_bytes)
    key = key[:room]
    value = value[: room - len(key)]
    return DeadLetter(
        key=None if letter.key is None else key,
        value=None if letter.value is None else value,
        headers=headers,
    )


def _room(headers: Headers, max_bytes: int) -> int:
    taken = sum(len(name) + len(text) + _HEADER_FRAMING_BYTES for name, text in headers)
    return max(0, max_bytes - _FRAMING_BYTES - taken)
