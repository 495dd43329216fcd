"""Files of readings as the log they would make: one message a row, in order.

Before: ``app/replay/readings_file`` makes the messages that a replay would send. After: ``run``
decodes them as the worker does.
"""

from __future__ import annotations

import heapq
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path

from hedgerow.app.replay.readings_file import BadRow, Columns, ReadingsFile, Row


@dataclass(frozen=True, slots=True)
class FileMessage:
    """A row as the message that it would be; fits `hedgerow.topics.messages.Message`."""

    offset: int
    timestamp: int
    key: bytes | None
    value: bytes | None
    file: int
    line: int


class FileLog:
    """Several files, merged by the times of their rows.

    A file's own order is kept: what is out of order in it stays so, and is late as it would be.

    Parameters
    ----------
    paths : sequence of Path
        Files that `ReadingsFile` reads.
    columns : Columns
        What their columns mean; the same for all.
    sent_ms : int
        Kafka's timestamp of every message: a replay would send them now.

    Raises
    ------
    InputFileError
        If one cannot be used.
    """

    def __init__(self, paths: Sequence[Path], columns: Columns, *, sent_ms: int) -> None:
        self.paths = tuple(paths)
        self._files = [ReadingsFile(path, columns) for path in paths]
        self._sent_ms = sent_ms

    @property
    def fraction(self) -> float:
        """How much has been read, from 0 to 1."""
        return sum(file.fraction for file in self._files) / len(self._files)

    def messages(self) -> Iterator[FileMessage | tuple[int, BadRow]]:
        """Read all once: messages, and bad rows with the number of their file."""
        offset = 0
        for number, row in self._rows():
            if isinstance(row, BadRow):
                yield number, row
                continue
            yield FileMessage(offset, self._sent_ms, None, row.message, number, row.line)
            offset += 1

    def _rows(self) -> Iterator[tuple[int, Row | BadRow]]:
        streams = [_numbered(number, file) for number, file in enumerate(self._files)]
        if len(streams) == 1:
            yield from streams[0]
            return
        timed = [_timed(stream) for stream in streams]
        for _, number, row in heapq.merge(*timed, key=lambda entry: (entry[0], entry[1])):
            yield number, row


def _numbered(number: int, file: ReadingsFile) -> Iterator[tuple[int, Row | BadRow]]:
    for row in file.rows():
        yield number, row


def _timed(
    stream: Iterator[tuple[int, Row | BadRow]],
) -> Iterator[tuple[int, int, Row | BadRow]]:
    """Give each row the latest time of its file so far, so that its file's order is kept."""
    latest = 0
    for number, row in stream:
        if isinstance(row, Row):
            latest = max(latest, row.time_ms)
        yield latest, number, row
