"""Predictions of a whole batch to bytes at once, from columns. Compiled.

Before: the learner's columns. After: the producer. The bytes are those that ``encode_record``
writes of the same `Prediction`, and depend on the arguments alone, so that a replay repeats them.

A worker writes one prediction for each reading, so this is most of what it does besides learning.
msgspec still writes every number and every text; what is compiled puts them in their places.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import NamedTuple, ParamSpec, TypeVar

import msgspec
import numba
import numpy as np
from numpy.typing import NDArray

from hedgerow.topics.identity import series_key
from hedgerow.topics.timestamps import format_time

_P = ParamSpec("_P")
_R = TypeVar("_R")
_Text = NDArray[np.uint8]

_encode = msgspec.json.Encoder().encode

NAMES_REMEMBERED = 262_144  # series; some 400 bytes each
_EARLIEST_MS, _LATEST_MS = -62_135_596_800_000, 253_402_300_799_999  # the years 1 to 9999
_DAY_MS = 86_400_000
_DIGITS, _TIME = 20, 24  # most characters of an integer and of a time
_LENGTH = 4  # bytes of a length before a text
_ENDS = (ord(","), ord("]"))


def _text(text: str) -> _Text:
    return np.frombuffer(text.encode(), np.uint8)


_ISSUED, _OBSERVED = _text(',"issued_at":"'), _text('","observed":')
_HORIZON, _TARGET = _text('{"horizon":'), _text(',"target_time":"')
_PREDICTED, _MEAN = _text('","predicted":'), _text(',"mean":')
_LOWER, _UPPER = _text(',"lower":'), _text(',"upper":')
_END = _text("]}")
_RECORD = 2 * _DIGITS + _TIME + sum(map(len, (_ISSUED, _OBSERVED, _END)))
_FORECAST = _DIGITS + _TIME + 2
_FORECAST += sum(map(len, (_HORIZON, _TARGET, _PREDICTED, _MEAN, _LOWER, _UPPER)))


class PredictionEncoder:
    """Writes predictions, and remembers how the names of series are written.

    Examples
    --------
    >>> import numpy as np
    >>> [(key, value)] = PredictionEncoder().encode(
    ...     sources=["sensor-data:0"],
    ...     sensor_ids=["s1"],
    ...     quantities=["speed"],
    ...     offsets=np.array([7]),
    ...     issued_ms=np.array([1767254400000]),
    ...     observed=np.array([12.5]),
    ...     models=["default"],
    ...     horizons=np.array([[1, 0]], np.int32),
    ...     target_ms=np.array([[1767258000000, 0]]),
    ...     predicted=np.array([[12.0, 0.0]]),
    ...     mean=np.array([[12.25, 0.0]]),
    ...     lower=np.full((1, 2), np.nan),
    ...     upper=np.full((1, 2), np.nan),
    ... )
    >>> key
    b's1/speed'
    >>> value[:69]
    b'{"id":"sensor-data:0:7:s1/speed","series":"s1/speed","sensor_id":"s1"'
    >>> value[-94:]
    b'target_time":"2026-01-01T09:00:00Z","predicted":12.0,"mean":12.25,"lower":null,"upper":null}]}'
    """

    def __init__(self) -> None:
        self._names: dict[tuple[str, str, str, str], tuple[bytes, bytes]] = {}

    def encode(
        self,
        *,
        sources: Sequence[str],
        sensor_ids: Sequence[str],
        quantities: Sequence[str],
        offsets: NDArray[np.int64],
        issued_ms: NDArray[np.int64],
        observed: NDArray[np.float64],
        models: Sequence[str],
        horizons: NDArray[np.int32],
        target_ms: NDArray[np.int64],
        predicted: NDArray[np.float64],
        mean: NDArray[np.float64],
        lower: NDArray[np.float64],
        upper: NDArray[np.float64],
    ) -> list[tuple[bytes, bytes]]:
        """Write the predictions of one batch, in the order given.

        Parameters
        ----------
        sources : sequence of str
            Topic and partition that each reading came from, as `source_of` writes them.
        sensor_ids, quantities, offsets, issued_ms, observed, models
            One entry per learned reading, m of them, as of ``sources``; times in epoch
            milliseconds.
        horizons, target_ms, predicted, mean, lower, upper : shape (m, H)
            Forecasts, a row per reading. Horizon 0, or a forecast that is not finite, is left
            out; an end of an interval that is not finite becomes null.

        Returns
        -------
        list[tuple[bytes, bytes]]
            Key and value of each record.

        Raises
        ------
        TimestampError
            If a time is past the year 9999; readings the codec let through do not come so far.
        """
        names, known = zip(sources, sensor_ids, quantities, models, strict=True), self._names
        found = [known.get(name) or self._name(name) for name in names]
        count, ahead = horizons.shape
        numbers = np.empty((count, 1 + 4 * ahead))
        numbers[:, 0] = observed
        for place, column in enumerate((predicted, mean, lower, upper)):
            numbers[:, 1 + place :: 4] = column
        present = (horizons > 0) & np.isfinite(predicted) & np.isfinite(mean)
        _check(issued_ms)
        _check(target_ms[present])
        batch = _Batch(
            names=np.frombuffer(b"".join([texts for _, texts in found]), np.uint8),
            numbers=np.frombuffer(_encode(numbers.ravel().tolist()), np.uint8),
            offsets=offsets,
            issued_ms=issued_ms,
            horizons=horizons,
            target_ms=target_ms,
            present=present,
        )
        size = len(batch.names) + len(batch.numbers)
        size += count * (_RECORD + ahead * _FORECAST)
        out, ends = np.empty(size, np.uint8), np.empty(count, np.int64)
        whole = out[: _write(batch, out, ends)].tobytes()
        return [
            (key, whole[start:end])
            for (key, _), start, end in zip(found, [0, *ends.tolist()], ends.tolist(), strict=False)
        ]

    def _name(self, name: tuple[str, str, str, str]) -> tuple[bytes, bytes]:
        """Write what a series and its model look like: the key, and three texts in one.

        The first begins a record, the second stands between its two offsets, the third between
        what was observed and the forecasts; each has its length before it.
        """
        source, sensor_id, quantity, model = name
        series = series_key(sensor_id, quantity)
        texts = (
            f'{{"id":{_json(f"{source}:")[:-1]}',
            f':{_json(series)[1:]},"series":{_json(series)},"sensor_id":{_json(sensor_id)},'
            f'"quantity":{_json(quantity or None)},"source_offset":',
            f',"model":{_json(model)},"forecasts":[',
        )
        encoded = [text.encode() for text in texts]
        parts = b"".join(len(text).to_bytes(_LENGTH, "little") + text for text in encoded)
        if len(self._names) >= NAMES_REMEMBERED:
            self._names.clear()
        found = self._names[name] = (series.encode(), parts)
        return found


def _json(value: str | None) -> str:
    return _encode(value).decode()


def _check(times_ms: NDArray[np.int64]) -> None:
    """Let a time that cannot be written be refused by name."""
    for time_ms in times_ms[(times_ms < _EARLIEST_MS) | (times_ms > _LATEST_MS)].tolist():
        format_time(time_ms)


# -------------------------------------------------------------------------- compiled


class _Batch(NamedTuple):
    """Columns of a batch; in ``numbers`` what was observed, then four for each forecast."""

    names: _Text
    numbers: _Text
    offsets: NDArray[np.int64]
    issued_ms: NDArray[np.int64]
    horizons: NDArray[np.int32]
    target_ms: NDArray[np.int64]
    present: NDArray[np.bool_]


def _jit(function: Callable[_P, _R]) -> Callable[_P, _R]:
    compiled: Callable[_P, _R] = numba.njit(
        cache=True, nogil=True, no_cfunc_wrapper=True, _nrt=False, forceinline=True
    )(function)
    return compiled


@_jit
def _write(batch: _Batch, out: _Text, ends: NDArray[np.int64]) -> int:
    """Write every record behind the one before it; return where the last one ends."""
    at, name, number = 0, 0, 1  # the numbers are a list: its bracket comes first
    for record in range(len(ends)):
        start, start_end = _spans(batch.names, name)
        head, head_end = _spans(batch.names, start_end)
        tail, name = _spans(batch.names, head_end)
        at = _put(out, at, batch.names[start:start_end])
        at = _put_integer(out, at, batch.offsets[record])
        at = _put(out, at, batch.names[head:head_end])
        at = _put_integer(out, at, batch.offsets[record])
        at = _put(out, at, _ISSUED)
        at = _put_time(out, at, batch.issued_ms[record])
        at = _put(out, at, _OBSERVED)
        at, number = _put_number(out, at, batch.numbers, number)
        at = _put(out, at, batch.names[tail:name])
        written = at
        for ahead in range(batch.horizons.shape[1]):
            if not batch.present[record, ahead]:
                for _ in range(4):
                    _, number = _put_number(out, at, batch.numbers, number)  # goes over it
                continue
            if at > written:
                out[at] = _ENDS[0]
                at += 1
            at = _put(out, at, _HORIZON)
            at = _put_integer(out, at, batch.horizons[record, ahead])
            at = _put(out, at, _TARGET)
            at = _put_time(out, at, batch.target_ms[record, ahead])
            at = _put(out, at, _PREDICTED)
            at, number = _put_number(out, at, batch.numbers, number)
            at = _put(out, at, _MEAN)
            at, number = _put_number(out, at, batch.numbers, number)
            at = _put(out, at, _LOWER)
            at, number = _put_number(out, at, batch.numbers, number)
            at = _put(out, at, _UPPER)
            at, number = _put_number(out, at, batch.numbers, number)
            out[at] = _END[1]
            at += 1
        at = _put(out, at, _END)
        ends[record] = at
    return at


@_jit
def _spans(texts: _Text, at: int) -> tuple[int, int]:
    """Return where the text behind a length begins and ends."""
    length = 0
    for byte in range(_LENGTH):
        length |= texts[at + byte] << (8 * byte)
    return at + _LENGTH, at + _LENGTH + length


@_jit
def _put(out: _Text, at: int, text: _Text) -> int:
    here = out[at:]
    for i in range(len(text)):
        here[i] = text[i]
    return at + len(text)


@_jit
def _put_number(out: _Text, at: int, numbers: _Text, start: int) -> tuple[int, int]:
    """Copy one number of a list; return where it ends, and where the next one begins."""
    here, rest = out[at:], numbers[start:]
    for i in range(len(rest)):
        if rest[i] == _ENDS[0] or rest[i] == _ENDS[1]:
            return at + i, start + i + 1
        here[i] = rest[i]
    return at, start


@_jit
def _put_digits(out: _Text, at: int, number: int, digits: int) -> int:
    here = out[at : at + digits]
    for place in range(digits):
        here[digits - 1 - place] = ord("0") + number % 10
        number //= 10
    return at + digits


@_jit
def _put_integer(out: _Text, at: int, number: int) -> int:
    digits, rest = 1, number // 10
    while rest:
        digits += 1
        rest //= 10
    return _put_digits(out, at, number, digits)


@_jit
def _put_time(out: _Text, at: int, time_ms: int) -> int:
    """Write epoch milliseconds as ISO 8601, as `format_time` does.

    The date by days_from_civil's inverse (H. Hinnant, "chrono-Compatible Low-Level Date
    Algorithms", 2021): years begin in March, 400 of them are an era of 146,097 days.
    """
    days, within = time_ms // _DAY_MS, time_ms % _DAY_MS
    days += 719_468
    era = days // 146_097
    day = days - era * 146_097
    year = (day - day // 1460 + day // 36_524 - day // 146_096) // 365
    day -= 365 * year + year // 4 - year // 100
    month = (5 * day + 2) // 153
    day += 1 - (153 * month + 2) // 5
    month += 3 if month < 10 else -9
    year += era * 400 + (1 if month <= 2 else 0)
    at = _put_digits(out, at, year, 4)
    out[at] = ord("-")
    at = _put_digits(out, at + 1, month, 2)
    out[at] = ord("-")
    at = _put_digits(out, at + 1, day, 2)
    out[at] = ord("T")
    at = _put_digits(out, at + 1, within // 3_600_000, 2)
    out[at] = ord(":")
    at = _put_digits(out, at + 1, within // 60_000 % 60, 2)
    out[at] = ord(":")
    at = _put_digits(out, at + 1, within // 1000 % 60, 2)
    if within % 1000:
        out[at] = ord(".")
        at = _put_digits(out, at + 1, within % 1000, 3)
    out[at] = ord("Z")
    return at + 1
