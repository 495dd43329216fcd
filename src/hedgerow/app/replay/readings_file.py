"""Files of readings: CSV, Parquet or NDJSON, row by row, as messages for the readings' topic.

Before: a path and the names of its columns. After: ``app/replay/send`` sends what comes out, and
``app/backtest`` decodes it at once. A row that holds no reading is handed over as a `BadRow`,
never raised: one bad line must not end a replay of millions.
"""

from __future__ import annotations

import csv
import gzip
import io
import itertools
import json
import math
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta, tzinfo
from functools import lru_cache
from pathlib import Path

import msgspec

from hedgerow.app.errors import InputFileError, MissingPart
from hedgerow.topics.errors import TimestampError
from hedgerow.topics.messages import Reason
from hedgerow.topics.records import Reading
from hedgerow.topics.timestamps import epoch_time, format_time

# What stands in a cell, by format: text (CSV), a JSON value, or what Parquet knows of.
Cell = str | int | float | bool | datetime | dict[str, object] | list[object] | bytes | None

EPOCH = datetime(1970, 1, 1, tzinfo=UTC)
MOST_SHOWN = 80  # characters of a cell that cannot be used
DELIMITERS = ",;\t|"
_SENSOR, _TIME, _VALUES = 0, 1, 2  # positions of the cells a row is read as
_NOT_JSON: Sequence[Cell] = [None]


@dataclass(frozen=True, slots=True)
class Columns:
    """Which columns hold what.

    Attributes
    ----------
    sensor : str
        Column of the sensor id; not read when `sensor_name` is given.
    sensor_name : str | None
        The one sensor all rows are of, for files without such a column.
    time : str
        Column of the time: ISO 8601, or seconds or milliseconds since 1970.
    value : str
        Column of the value, for sensors that measure one quantity.
    quantities : tuple[str, ...]
        Columns of several quantities; `value` is not read then.
    timezone : tzinfo
        What times without an offset are in.
    """

    sensor: str = "sensor_id"
    sensor_name: str | None = None
    time: str = "timestamp"
    value: str = "value"
    quantities: tuple[str, ...] = ()
    timezone: tzinfo = UTC

    @property
    def names(self) -> tuple[str, ...]:
        """All columns that are read: sensor, time, then the values."""
        return (self.sensor, self.time, *(self.quantities or (self.value,)))


@dataclass(frozen=True, slots=True)
class Row:
    """One message to send: its key, its bytes, its time, and how many readings it holds."""

    sensor_id: str
    time_ms: int
    message: bytes
    readings: int
    line: int = field(default=0, compare=False)


@dataclass(frozen=True, slots=True)
class BadRow:
    """A row that holds no reading, and why: as a dead letter would say, in a word and at length."""

    line: int
    error: str
    reason: Reason = Reason.SCHEMA


class _Unusable(ValueError):
    def __init__(self, reason: Reason, error: str) -> None:
        super().__init__(error)
        self.reason = reason


class ReadingsFile:
    """A file of readings.

    Parameters
    ----------
    path : Path
        ``.csv``, ``.parquet``, ``.ndjson`` or ``.jsonl``; the text formats also with ``.gz``.
    columns : Columns
        What its columns mean.

    Raises
    ------
    InputFileError
        If it does not exist, is of no known format, or lacks a column.
    MissingPart
        If it is Parquet and pyarrow is not installed.
    """

    def __init__(self, path: Path, columns: Columns | None = None) -> None:
        self._path = path
        self._columns = columns or Columns()
        self._fraction = 0.0
        if path.is_dir():
            raise InputFileError(f"{path} is a folder; name a file in it")
        suffixes = [suffix.lower() for suffix in path.suffixes]
        self._packed = suffixes[-1:] == [".gz"]
        self._format = (suffixes[:-1] if self._packed else suffixes)[-1:]
        known = {".csv", ".ndjson", ".jsonl"} | (set() if self._packed else {".parquet"})
        if not set(self._format) & known:
            raise InputFileError(
                f"{path}: not a format that can be replayed; .csv, .csv.gz, .ndjson, .jsonl "
                "and .parquet can"
            )
        if not path.is_file():
            raise InputFileError(f"there is no file {path}")

    @property
    def fraction(self) -> float:
        """How much of the file has been read, from 0 to 1."""
        return self._fraction

    def rows(self) -> Iterator[Row | BadRow]:
        """Read the file once, from its beginning."""
        build = _RowBuilder(self._columns)
        try:
            for line, cells in self._cells():
                yield build.row(line, cells)
        except UnicodeDecodeError as error:
            raise InputFileError(
                f"{self._path} is not UTF-8 text (a byte "
                f"{error.object[error.start]:#04x} stands in it); save it as UTF-8"
            ) from error
        except (OSError, EOFError) as error:
            reason = getattr(error, "strerror", None) or error
            raise InputFileError(f"{self._path} cannot be read: {reason}") from error
        self._fraction = 1.0

    def _cells(self) -> Iterator[tuple[int, Sequence[Cell]]]:
        if self._format == [".parquet"]:
            yield from self._parquet()
            return
        with self._path.open("rb") as raw:
            size = max(1, self._path.stat().st_size)
            reader = self._csv if self._format == [".csv"] else self._ndjson
            unpacked = gzip.GzipFile(fileobj=raw) if self._packed else raw
            with unpacked, io.TextIOWrapper(unpacked, encoding="utf-8-sig", newline="") as text:
                for line, cells in reader(text):
                    if line % 1000 == 0:
                        self._fraction = raw.tell() / size
                    yield line, cells

    def _csv(self, text: io.TextIOBase) -> Iterator[tuple[int, Sequence[Cell]]]:
        first = text.readline()
        mark = max(DELIMITERS, key=first.count)  # the comma where they are as many
        lines = csv.reader(itertools.chain([first], text), delimiter=mark)
        try:
            header = next(lines, [])
            if not header:
                raise InputFileError(
                    f"{self._path} is empty; its first line must name the columns, such as "
                    f"{','.join(self._columns.names)}"
                )
            where = self._positions(header)
            width = max(where) + 1
            for cells in lines:
                if len(cells) >= width:
                    yield lines.line_num, [cells[i] if i >= 0 else None for i in where]
                elif cells:
                    yield lines.line_num, ()
        except csv.Error as error:
            raise InputFileError(
                f"{self._path} cannot be read, line {lines.line_num}: {error}; a quotation mark "
                "that is never closed makes one cell of all that follows"
            ) from None

    def _ndjson(self, text: io.TextIOBase) -> Iterator[tuple[int, Sequence[Cell]]]:
        names = self._columns.names
        for number, line in enumerate(text, start=1):
            if not line.strip():
                continue
            try:
                record = json.loads(line)
            except ValueError:
                yield number, _NOT_JSON
                continue
            if not isinstance(record, dict):
                yield number, ()
                continue
            cells = [record.get(name) for name in names]
            if cells[_VALUES] is None and not self._columns.quantities:
                cells[_VALUES] = record.get("values")  # our own messages with several quantities
            yield number, cells

    def _parquet(self) -> Iterator[tuple[int, Sequence[Cell]]]:
        try:
            from pyarrow import ArrowInvalid, parquet  # noqa: PLC0415 - an optional part
        except ImportError as error:
            raise MissingPart("Parquet needs pyarrow: pip install 'hedgerow[parquet]'") from error
        try:
            with parquet.ParquetFile(self._path) as table:
                where = self._positions(table.schema_arrow.names)
                wanted = [
                    name for name, i in zip(self._columns.names, where, strict=True) if i >= 0
                ]
                total, line = max(1, table.metadata.num_rows), 0
                for batch in table.iter_batches(batch_size=10_000, columns=wanted):
                    columns = {name: batch.column(name).to_pylist() for name in wanted}
                    nothing = [None] * batch.num_rows
                    for cells in zip(
                        *(columns.get(name, nothing) for name in self._columns.names), strict=True
                    ):
                        line += 1
                        yield line, cells
                    self._fraction = line / total
        except ArrowInvalid as error:
            raise InputFileError(f"{self._path} is not a Parquet file: {error}") from error

    def _positions(self, header: Sequence[str]) -> list[int]:
        """Find the columns; -1 for the sensor's where one name stands for all rows."""
        options = {
            self._columns.sensor: "--sensor-column, or --sensor for a file of one sensor",
            self._columns.time: "--time-column",
            self._columns.value: "--value-column or --values-columns",
        }
        where = []
        for position, name in enumerate(self._columns.names):
            if position == _SENSOR and self._columns.sensor_name is not None:
                where.append(-1)
            elif name in header:
                where.append(list(header).index(name))
            else:
                raise InputFileError(
                    f"{self._path} has no column {name!r}; it has {', '.join(header) or 'none'}. "
                    f"Name the right one with {options.get(name, '--values-columns')}"
                )
        return where


class _RowBuilder:
    """Turns cells into messages; times and ids repeat a lot, so both are remembered."""

    def __init__(self, columns: Columns) -> None:
        self._columns = columns
        self._encode = msgspec.json.Encoder().encode
        self._time = lru_cache(maxsize=4096)(self._parse_time)

    def row(self, line: int, cells: Sequence[Cell]) -> Row | BadRow:
        if cells is _NOT_JSON:
            return BadRow(line, "not JSON", Reason.JSON)
        if not cells:
            return BadRow(line, "not a row with all the columns")
        try:
            sensor_id = self._sensor(cells[_SENSOR])
            time_ms, time = self._time_of(cells[_TIME])
            values = self._values(cells[_VALUES:])
        except _Unusable as error:
            return BadRow(line, str(error), error.reason)
        if isinstance(values, float):
            message = self._encode(Reading(sensor_id, time, values))
            return Row(sensor_id, time_ms, message, 1, line)
        message = self._encode(Reading(sensor_id, time, values=values))
        return Row(sensor_id, time_ms, message, len(values), line)

    def _sensor(self, cell: Cell) -> str:
        if self._columns.sensor_name is not None:
            return self._columns.sensor_name
        if isinstance(cell, (str, int)) and not isinstance(cell, bool) and cell != "":
            return str(cell)
        raise _Unusable(Reason.KEY, f"no sensor id in column {self._columns.sensor!r}")

    def _time_of(self, cell: Cell) -> tuple[int, str]:
        if isinstance(cell, (str, int, float, datetime)) and not isinstance(cell, bool):
            try:
                return self._time(cell)
            except (ValueError, OverflowError) as error:
                raise _Unusable(Reason.TIME, str(error)) from None
        raise _Unusable(Reason.TIME, f"no time in column {self._columns.time!r}")

    def _parse_time(self, cell: str | float | datetime) -> tuple[int, str]:
        moment = self._moment(cell) if isinstance(cell, str) else cell
        if isinstance(moment, datetime):
            aware = moment if moment.tzinfo else moment.replace(tzinfo=self._columns.timezone)
            time_ms = (aware - EPOCH) // timedelta(milliseconds=1)
        elif math.isfinite(moment):
            time_ms = epoch_time(moment)
        else:
            raise ValueError(f"{cell} is not a time")
        try:
            return time_ms, format_time(time_ms)
        except TimestampError as error:
            raise ValueError(str(error)) from None

    def _moment(self, text: str) -> float | datetime:
        try:
            return float(text)
        except ValueError:
            pass
        try:
            return datetime.fromisoformat(text.strip())
        except ValueError:
            raise ValueError(
                f"{text!r} is not a time; ISO 8601 or seconds or milliseconds since 1970 are"
            ) from None

    def _values(self, cells: Sequence[Cell]) -> float | dict[str, float]:
        if self._columns.quantities:
            named = zip(self._columns.quantities, cells, strict=True)
            values = {name: _number(name, cell) for name, cell in named if not _empty(cell)}
        elif isinstance(cells[0], dict):
            values = {
                name: _number(name, cell)
                for name, cell in cells[0].items()
                if isinstance(cell, (int, float, str)) and not _empty(cell)
            }
        elif _empty(cells[0]):
            raise _Unusable(Reason.VALUE, f"no value in column {self._columns.value!r}")
        else:
            return _number(self._columns.value, cells[0])
        if not values:
            raise _Unusable(Reason.VALUE, "no value in any of the columns")
        return values


def _empty(cell: Cell) -> bool:
    return cell is None or cell == ""


def _number(name: str, cell: Cell) -> float:
    if isinstance(cell, (str, int, float)) and not isinstance(cell, bool):
        try:
            number = float(cell)
        except (ValueError, OverflowError):
            number = math.nan
        if math.isfinite(number):
            return number
    hint = "; write it with a point, as 1.5" if isinstance(cell, str) and "," in cell else ""
    shown = repr(cell) if len(repr(cell)) <= MOST_SHOWN else f"{repr(cell)[:MOST_SHOWN]} …"
    raise _Unusable(Reason.VALUE, f"{shown} in column {name!r} is not a finite number{hint}")
