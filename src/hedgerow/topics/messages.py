"""What the codec takes and gives: messages and limits in, readings, forecasts and failures out.

Before: the transport, whose records fit `Message`. After: the agent, which passes the columns
of a `DecodedBatch` to the learner and its failures to the dead letters.
"""

from __future__ import annotations

from dataclasses import dataclass
from enum import StrEnum
from typing import Protocol

import numpy as np
from numpy.typing import NDArray


class Message(Protocol):
    """A Kafka record; aiokafka's parsed record fits, and its ``ConsumerRecord``."""

    @property
    def offset(self) -> int:
        """Its place in the partition."""
        ...

    @property
    def timestamp(self) -> int:
        """Kafka's timestamp in epoch milliseconds, negative if there is none."""
        ...

    @property
    def key(self) -> bytes | None:
        """Its key."""
        ...

    @property
    def value(self) -> bytes | None:
        """Its value, ``None`` for a tombstone."""
        ...


class Reason(StrEnum):
    """Why a message became a dead letter."""

    JSON = "json"
    SCHEMA = "schema"
    KEY = "key"
    VALUE = "value"
    TIME = "time"
    SIZE = "size"
    ENCODING = "encoding"
    SERIES_LIMIT = "series-limit"


REASON_MEANINGS: dict[Reason, str] = {
    Reason.JSON: "The value is empty, missing (a tombstone), not JSON, or nested too deeply.",
    Reason.SCHEMA: "JSON, but none of the forms: no timestamp; neither or both of value "
    "and values; values empty, too many or not an object; a forecast without target_time or "
    "predicted.",
    Reason.KEY: "The sensor id or the name of a quantity or expert is missing, empty, over-long "
    "or not a text; a bare number came without a usable message key.",
    Reason.VALUE: "A value is not a finite number: NaN, infinite, null, a text, true, an object.",
    Reason.TIME: "A time is unreadable, before 1970, or too far after Kafka's own timestamp.",
    Reason.SIZE: "The value has more bytes than the limit.",
    Reason.ENCODING: "The value, or a key that is needed, is not UTF-8.",
    Reason.SERIES_LIMIT: "The partition holds as many series as it may, and this is a new one.",
}
"""Every reason in a sentence, for the docs and the console."""


@dataclass(frozen=True, slots=True)
class Limits:
    """What is accepted as a reading or an outside forecast.

    Attributes
    ----------
    max_message_bytes : int
        Longest value of a message.
    max_id_bytes : int
        Longest sensor id and name of a quantity or expert, in UTF-8.
    max_ahead_ms : int
        How far a reading's time may lie after the Kafka record's own timestamp.
    max_quantities : int
        Most values in one message.
    max_forecast_ahead_ms : int
        How far an outside forecast's target may lie after the Kafka record's own timestamp.
    """

    max_message_bytes: int = 262_144
    max_id_bytes: int = 256
    max_ahead_ms: int = 86_400_000
    max_quantities: int = 1000
    max_forecast_ahead_ms: int = 31 * 86_400_000


DEFAULT_LIMITS = Limits()


@dataclass(frozen=True, slots=True)
class Failure:
    """A message that could not be used, or not wholly.

    Attributes
    ----------
    position : int
        Its index in the batch.
    reason : Reason
        The first offence.
    error : str
        A sentence about it, for ``dlq.error``.
    """

    position: int
    reason: Reason
    error: str


@dataclass(frozen=True, slots=True)
class DecodedBatch:
    """Readings, outside forecasts and failures of a batch of messages.

    Attributes
    ----------
    sensor_ids, quantities : list[str]
        One entry per reading or forecast, in log order; the quantity is ``""`` where there is
        none.
    experts : list[str]
        Whose forecast it is, ``""`` for a reading.
    time_ms : NDArray[int64], shape (n,)
        Event times of readings and target times of forecasts, in epoch milliseconds.
    values : NDArray[float64], shape (n,)
        What was measured or predicted; finite.
    offsets : NDArray[int64], shape (n,)
        Offsets of the messages they came from.
    positions : list[int]
        Indices of those messages in the batch.
    failures : list[Failure]
        At most one per message, in order.
    rejected : int
        Readings of named sensors that were refused.
    """

    sensor_ids: list[str]
    quantities: list[str]
    experts: list[str]
    time_ms: NDArray[np.int64]
    values: NDArray[np.float64]
    offsets: NDArray[np.int64]
    positions: list[int]
    failures: list[Failure]
    rejected: int
