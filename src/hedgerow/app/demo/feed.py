"""What the demo sends: the bundled sample, with a handful of bad messages among it."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

from hedgerow.app.replay.readings_file import BadRow, ReadingsFile, Row

SAMPLE = Path(__file__).parents[1] / "sample" / "city.csv.gz"
TROUBLE_AFTER = 100_000  # rows: by then every kind of sensor but parking is well learned


@dataclass(frozen=True, slots=True)
class Trouble:
    """A message nobody wants, and what must become of it.

    Attributes
    ----------
    text : str
        What is wrong with it, for people.
    key : str
        The sensor that seems to send it.
    message : bytes
        Its value.
    dead_letters, readings : int
        How many dead letters and accounted readings it makes.
    """

    text: str
    key: str
    message: bytes
    dead_letters: int
    readings: int


BAD_MESSAGES = (
    Trouble("broken JSON", "traffic-i94", b'{"sensor_id": "traffic-i94", "timest', 1, 0),
    Trouble(
        "no sensor id", "solar-farm", b'{"timestamp": "2025-01-01T00:00:00Z", "value": 1}', 1, 0
    ),
    Trouble(
        "not UTF-8",
        "bikes-washington",
        b'{"sensor_id": "bikes-\xff", "timestamp": 1735689600, "value": 1}',
        1,
        0,
    ),
    Trouble(
        "a value that is no number",
        "solar-farm",
        b'{"sensor_id": "solar-farm", "timestamp": "2025-01-01T00:00:00Z", "value": "n/a"}',
        1,
        1,
    ),
    Trouble(
        "a time in the year 2999",
        "wind-farm",
        b'{"sensor_id": "wind-farm", "timestamp": "2999-01-01T00:00:00Z", "value": 1}',
        1,
        1,
    ),
)
LATE = Trouble(
    "one reading months late",
    "bikes-washington",
    b'{"sensor_id": "bikes-washington", "timestamp": "2024-07-01T00:00:00Z", "value": 131}',
    0,
    1,
)


@dataclass(frozen=True, slots=True)
class Expected:
    """What the accounting must come to."""

    messages: int
    dead_letters: int
    readings: int


class Feed:
    """The sample and the trouble, in order.

    Parameters
    ----------
    path : Path
        A file of readings; the bundled sample otherwise.
    trouble_after : int
        After how many rows the bad messages come; at the end if there are fewer.
    """

    def __init__(self, path: Path = SAMPLE, *, trouble_after: int = TROUBLE_AFTER) -> None:
        self._file = ReadingsFile(path)
        self._trouble_after = trouble_after
        self._rows = 0

    @property
    def fraction(self) -> float:
        """How much of the file has been read, from 0 to 1."""
        return self._file.fraction

    @property
    def expected(self) -> Expected:
        """What was sent so far must come to this (all trouble included)."""
        return Expected(
            messages=self._rows + len(BAD_MESSAGES) + len(("late", "twice")),
            dead_letters=sum(bad.dead_letters for bad in BAD_MESSAGES),
            readings=self._rows + sum(bad.readings for bad in BAD_MESSAGES) + LATE.readings + 1,
        )

    def rows(self) -> Iterator[Row | BadRow]:
        """Give every message, once; but the reading before the trouble twice."""
        row: Row | BadRow | None = None
        for row in self._file.rows():
            yield row
            self._rows += 1
            if self._rows == self._trouble_after:
                yield from _trouble(row)
        if row is not None and self._rows < self._trouble_after:
            yield from _trouble(row)


def _trouble(before: Row | BadRow) -> Iterator[Row | BadRow]:
    yield before
    for trouble in (*BAD_MESSAGES, LATE):
        yield Row(trouble.key, 0, trouble.message, trouble.readings)
