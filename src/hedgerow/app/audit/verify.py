"""Checks on any cluster that what was published is what should have been: no gap, no repeat.

The readings' topic is decoded once more, up to the offsets that the state in Redis stands at;
each reading must have its prediction, but for those that the accounting calls late or duplicate
and those that became dead letters. Every id must stand for the same bytes however often it was
published. Nothing is changed, and workers may go on meanwhile.
"""

from __future__ import annotations

import hashlib
from array import array
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field

import msgspec
import numpy as np
from numpy.typing import NDArray

from hedgerow.topics import ReadingDecoder, Reason, series_key
from hedgerow.topics.messages import Message

EXAMPLES = 5
_DECODED_AT_ONCE = 2_000

Keys = NDArray[np.uint64]  # shape (n, 2): offset, and a hash of the series


class _Id(msgspec.Struct):
    id: str


@dataclass(frozen=True, slots=True)
class Accounted:
    """What the state says of a partition.

    Attributes
    ----------
    next_offset : int
        Up to where it was learned and saved.
    messages, learned, late, duplicate : int
        Since the partition's first offset.
    """

    next_offset: int
    messages: int
    learned: int
    late: int
    duplicate: int


@dataclass(frozen=True, slots=True)
class Finding:
    """What was found of one input partition.

    Attributes
    ----------
    first, next_offset : int
        The offsets that were checked: from the first whose outputs must still be there.
    whole : bool
        Whether that is all that was ever learned, so that the accounting must fit exactly.
    readings, predictions : int
        In that range, each counted once.
    repeats : int
        Predictions published more than once, with the same bytes: allowed after a crash.
    differing : int
        Ids published with different bytes: a fault.
    excused : int
        Readings that are late, duplicate or dead-lettered, and so need no prediction.
    missing : int
        Readings without a prediction and without an excuse: a fault.
    strange : int
        Predictions without a reading, or for one that the accounting excuses: a fault.
    ahead : int
        Predictions beyond ``next_offset``, not saved yet.
    letters_missing : int
        Messages that cannot be used and have no dead letter: a fault.
    examples : tuple of str
        Ids to look at.
    """

    partition: int
    first: int
    next_offset: int
    whole: bool
    readings: int
    predictions: int
    repeats: int
    differing: int
    excused: int
    missing: int
    strange: int
    ahead: int
    letters_missing: int
    examples: tuple[str, ...] = ()

    @property
    def good(self) -> bool:
        """Whether nothing is wrong."""
        return not (self.missing or self.differing or self.strange or self.letters_missing)


@dataclass(slots=True)
class _Published:
    """The predictions of one input partition, in the order they were read."""

    offsets: array[int] = field(default_factory=lambda: array("q"))
    series: array[int] = field(default_factory=lambda: array("Q"))
    bodies: array[int] = field(default_factory=lambda: array("Q"))


class Predictions:
    """Everything that stands in the predictions' topic, by input partition.

    Parameters
    ----------
    topic : str
        Of the readings: ids of other topics are counted and left alone.
    cut : Mapping of int to bool
        For each partition of the predictions' topic whether retention has taken its first
        records.
    """

    def __init__(self, topic: str, cut: Mapping[int, bool]) -> None:
        self._prefix = f"{topic}:"
        self._cut = cut
        self._by_partition: dict[int, _Published] = {}
        self._lowest: dict[tuple[int, int], int] = {}
        self._names: dict[int, str] = {}
        self.foreign = 0

    def add(self, found_in: int, value: bytes) -> None:
        """Take one record of the topic's partition ``found_in``."""
        try:
            name = _ID.decode(value).id
            if not name.startswith(self._prefix):
                raise ValueError(name)
            partition, offset, series = name[len(self._prefix) :].split(":", 2)
            number, at = int(partition), int(offset)
        except (msgspec.MsgspecError, ValueError):
            self.foreign += 1
            return
        published = self._by_partition.setdefault(number, _Published())
        mark = _hash(series.encode(errors="surrogatepass"))
        published.offsets.append(at)
        published.series.append(mark)
        published.bodies.append(_hash(value))
        if self._cut.get(found_in):
            place = (found_in, number)
            self._lowest[place] = min(self._lowest.get(place, at), at)

    def first(self, partition: int) -> int:
        """Return the first input offset whose predictions retention cannot have taken."""
        return max(
            (low for (_, number), low in self._lowest.items() if number == partition), default=0
        )

    def of(self, partition: int) -> tuple[Keys, NDArray[np.uint64]]:
        """Return keys and hashes of the bodies of an input partition's predictions."""
        found = self._by_partition.get(partition, _Published())
        keys = np.stack(
            [
                np.frombuffer(found.offsets, np.int64).astype(np.uint64),
                np.frombuffer(found.series, np.uint64),
            ],
            axis=1,
        ) if found.offsets else np.empty((0, 2), np.uint64)  # fmt: skip
        return keys, np.frombuffer(found.bodies, np.uint64)


_ID = msgspec.json.Decoder(_Id)


def _hash(data: bytes) -> int:
    return int.from_bytes(hashlib.blake2b(data, digest_size=8).digest(), "little")


@dataclass(frozen=True, slots=True)
class Readings:
    """What stands in a stretch of the log.

    Attributes
    ----------
    first, messages : int
        Where it begins, and how many messages there are.
    keys : ndarray of uint64, shape (n, 2)
        Offset and series of each reading.
    names : dict of int to str
        Series by their hash.
    failed : frozenset of int
        Offsets of messages that cannot be used, or not wholly.
    """

    first: int
    messages: int
    keys: Keys
    names: Mapping[int, str]
    failed: frozenset[int]


def decode_readings(
    first: int,
    messages: Iterable[Message],
    decoder: ReadingDecoder,
    progress: Callable[[int], None] = lambda _: None,
) -> Readings:
    """Decode a stretch of the log that begins at an offset."""
    offsets, series_of, count = array("Q"), array("Q"), 0
    names: dict[int, str] = {}
    failed: set[int] = set()
    marks: dict[str, int] = {}
    for part in _runs(messages):
        decoded = decoder.decode(part)
        columns = (decoded.sensor_ids, decoded.quantities, decoded.offsets.tolist())
        for sensor, quantity, offset, expert in zip(*columns, decoded.experts, strict=True):
            if expert:
                continue  # somebody's forecast: it is learned, but gives no prediction
            series = series_key(sensor, quantity)
            mark = marks.get(series)
            if mark is None:
                mark = marks[series] = _hash(series.encode(errors="surrogatepass"))
                names[mark] = series
            series_of.append(mark)
            offsets.append(offset)
        failed.update(part[failure.position].offset for failure in decoded.failures)
        count += len(part)
        progress(len(part))
    keys = np.empty((len(offsets), 2), np.uint64)
    keys[:, 0], keys[:, 1] = offsets, series_of
    return Readings(first, count, keys, names, frozenset(failed))


def _runs(messages: Iterable[Message]) -> Iterator[list[Message]]:
    run: list[Message] = []
    for message in messages:
        run.append(message)
        if len(run) == _DECODED_AT_ONCE:
            yield run
            run = []
    if run:
        yield run


def compare(
    topic: str,
    partition: int,
    *,
    accounted: Accounted,
    readings: Readings,
    predictions: tuple[Keys, NDArray[np.uint64]],
    dead: Mapping[int, str],
) -> Finding:
    """Compare what was published for one input partition with what should have been.

    Parameters
    ----------
    readings : Readings
        Of the log up to the accounted next offset.
    predictions
        What `Predictions.of` gives.
    dead : Mapping of int to str
        Reason of each dead letter, by the offset of its message.
    """
    first = readings.first
    keys, bodies = predictions
    offsets = keys[:, 0].astype(np.int64)
    ahead = int(np.count_nonzero(offsets >= accounted.next_offset))
    inside = (offsets >= first) & (offsets < accounted.next_offset)
    published, repeats, differing, doubtful = _once(keys[inside], bodies[inside])
    expected = np.unique(readings.keys, axis=0) if len(readings.keys) else readings.keys
    silent, strangers = _without(expected, published), _without(published, expected)
    refused = [at for at, reason in dead.items() if reason == Reason.SERIES_LIMIT]
    full = np.isin(silent[:, 0], np.array(refused, np.uint64))
    silent = silent[~full]
    passed = accounted.late + accounted.duplicate
    whole = readings.messages == accounted.messages
    missing = max(0, len(silent) - passed)
    untold = max(0, passed - len(silent)) if whole else 0
    shown = [*strangers[:EXAMPLES], *doubtful[:EXAMPLES], *(silent[:EXAMPLES] if missing else ())]
    return Finding(
        partition=partition,
        first=first,
        next_offset=accounted.next_offset,
        whole=whole,
        readings=len(expected),
        predictions=len(published),
        repeats=repeats,
        differing=differing,
        excused=int(full.sum()) + min(len(silent), passed),
        missing=missing,
        strange=len(strangers) + untold,
        ahead=ahead,
        letters_missing=len(readings.failed - dead.keys()),
        examples=tuple(
            f"{topic}:{partition}:{int(at)}:{readings.names.get(int(mark), '?')}"
            for at, mark in shown[:EXAMPLES]
        ),
    )


def _once(keys: Keys, bodies: NDArray[np.uint64]) -> tuple[Keys, int, int, Keys]:
    """Return the distinct keys, the identical repeats, and the keys with several bodies."""
    if not len(keys):
        return keys, 0, 0, keys
    distinct, inverse, counts = np.unique(keys, axis=0, return_inverse=True, return_counts=True)
    inverse = inverse.reshape(-1)
    pairs = np.unique(np.stack([inverse.astype(np.uint64), bodies], axis=1), axis=0)
    of_key = np.bincount(pairs[:, 0].astype(np.int64), minlength=len(distinct))
    differing = of_key > 1
    repeats = int((counts - of_key).sum())
    return distinct, repeats, int(differing.sum()), distinct[differing]


def _without(keys: Keys, others: Keys) -> Keys:
    """Return the keys that are not among the others; both are distinct."""
    if not len(keys) or not len(others):
        return keys
    both = np.concatenate([others, keys])
    _, where, counts = np.unique(both, axis=0, return_index=True, return_counts=True)
    alone = where[(counts == 1) & (where >= len(others))] - len(others)
    rest: Keys = keys[np.sort(alone)]
    return rest


def verdict(findings: Sequence[Finding]) -> str:
    """Say in a sentence how it came out."""
    missing = sum(one.missing for one in findings)
    differing = sum(one.differing for one in findings)
    strange = sum(one.strange for one in findings)
    letters = sum(one.letters_missing for one in findings)
    repeats = sum(one.repeats for one in findings)
    if missing or differing or strange or letters:
        return (
            f"NOT as promised: {missing:,} predictions missing, {differing:,} ids with different "
            f"bytes, {strange:,} predictions that should not be there, {letters:,} dead letters "
            "missing"
        )
    again = f"{repeats:,} repeats, all the same to the byte" if repeats else "no repeats"
    return f"as promised: every reading has its prediction or its excuse; {again}"
