"""Messages as the transport delivers them."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

import pytest

from hedgerow.topics import DecodedBatch, Limits, ReadingDecoder

EIGHT_O_CLOCK = 1_767_254_400_000  # 2026-01-01T08:00:00Z


@dataclass(frozen=True)
class Record:
    """A Kafka record, as far as a decoder looks at it."""

    value: bytes | None
    key: bytes | None = b"s1"
    timestamp: int = EIGHT_O_CLOCK
    offset: int = 0


MakeRecord = type[Record]
DecodeOne = Callable[..., DecodedBatch]


@pytest.fixture(scope="session")
def record() -> MakeRecord:
    return Record


@pytest.fixture(scope="session")
def decode_one() -> DecodeOne:
    """Decode one message, given as the arguments of a `Record`, by a decoder of its own."""

    def decode(
        value: bytes | None,
        key: bytes | None = b"s1",
        timestamp: int = EIGHT_O_CLOCK,
        *,
        limits: Limits | None = None,
    ) -> DecodedBatch:
        decoder = ReadingDecoder(limits or Limits())
        return decoder.decode([Record(value, key, timestamp)])

    return decode
