"""Building a learner from a snapshot, also when the profiles have changed since.

Before: the agent loads encoded chunks from the state store. After: ``Learner.step`` goes on
where the snapshot's offset says. Nothing is believed unchecked: every chunk must be there, carry
its own name, and fit the others in size.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, fields
from typing import TYPE_CHECKING

import numpy as np
from numpy.typing import NDArray

from hedgerow.models.bank import CHUNK_ROWS, Bank
from hedgerow.models.capture import (
    chunks_of,
    layout_name,
    mark_all,
    plugins_name,
    rows_name,
    series_name,
)
from hedgerow.models.errors import SnapshotError
from hedgerow.models.layout import Field
from hedgerow.models.profile import Profile, series_key
from hedgerow.models.series import CHUNK_SERIES, NOWHERE
from hedgerow.models.snapshot import Array, RawChunk, decode_chunk

if TYPE_CHECKING:
    from hedgerow.models.learner import Learner


@dataclass(frozen=True, slots=True)
class StoredBank:
    """A bank as the snapshot describes it."""

    profile: str
    period_ms: int
    count: int


def restore_state(learner: Learner, chunks: Mapping[str, bytes]) -> None:
    """Fill a fresh learner from the encoded chunks of a complete snapshot."""
    try:
        _restore(learner, chunks)
    except (KeyError, TypeError, ValueError, IndexError, OverflowError) as error:
        raise SnapshotError(
            f"snapshot does not hold together: {type(error).__name__}: {error}"
        ) from error


def _restore(learner: Learner, chunks: Mapping[str, bytes]) -> None:
    # Values of a wrong type raise in use, which `restore_state` reports.
    meta = _read(chunks, "meta").meta
    counts, timezone = meta["counts"], meta["timezone"]
    for name in (field.name for field in fields(learner.counts)):
        setattr(learner.counts, name, _whole(counts[name]))
    banks = [StoredBank(str(n), _whole(p), _whole(c)) for n, p, c in meta["banks"]]
    stored_profiles = [(str(name), str(mark)) for name, mark in meta["profiles"]]
    profiles = [(p.name, p.fingerprint) for p in learner.city.profiles]
    same = stored_profiles == profiles

    series_of = _restore_series(learner, chunks, _whole(meta["series"]), banks, same=same)
    learner.nursery.fill(_nursery(chunks, learner))
    if timezone != learner.city.timezone:
        learner.notes.append(
            f"time zone changed from {timezone} to {learner.city.timezone}: what was learned is "
            "kept, the calendar follows the new zone"
        )
    for number, stored in enumerate(banks):
        same &= _restore_bank(learner, chunks, number, stored, series_of[number])
    if not same or timezone != learner.city.timezone:
        mark_all(learner)
    else:
        learner.series.dirty.clear()
        learner.nursery.dirty = False
        for bank in learner.banks:
            bank.new = False
            bank.dirty.clear()


def _read(chunks: Mapping[str, bytes], name: str) -> RawChunk:
    if name not in chunks:
        raise SnapshotError(f"chunk {name} of the snapshot is missing")
    try:
        raw = decode_chunk(chunks[name])
    except SnapshotError as error:
        raise SnapshotError(f"{name}: {error}") from None
    if raw.name != name:
        raise SnapshotError(f"chunk {raw.name} stands where {name} should")
    return raw


def _whole(value: object) -> int:
    if type(value) is not int or value < 0:
        raise SnapshotError(f"snapshot has {value!r} where a count should be")
    return value


def _restore_series(
    learner: Learner,
    chunks: Mapping[str, bytes],
    count: int,
    banks: list[StoredBank],
    *,
    same: bool,
) -> list[NDArray[np.int64]]:
    """Fill the series table; return for each stored bank the series of its rows."""
    series_of = [np.full(bank.count, NOWHERE, np.int64) for bank in banks]
    for number in range(chunks_of(count, CHUNK_SERIES)):
        arrays = _read(chunks, series_name(number)).arrays
        sensors = _unpack(arrays["sensors"], arrays["sensor_sizes"])
        quantities = _unpack(arrays["quantities"], arrays["quantity_sizes"])
        places = zip(arrays["profiles"], arrays["banks"], arrays["rows"], strict=True)
        for sensor, quantity, place in zip(sensors, quantities, places, strict=True):
            profile, bank, row = map(int, place)
            if not same or not 0 <= profile < len(learner.city.profiles):
                profile = learner.city.profile_index(series_key(sensor, quantity))
            series = learner.series.add(sensor, quantity, profile)
            if bank >= 0:
                series_of[bank][row] = series
    if len(learner.series) != count or any((rows == NOWHERE).any() for rows in series_of):
        raise SnapshotError("snapshot has series without rows, or rows without a series")
    return series_of


def _unpack(blob: NDArray[np.uint8], sizes: NDArray[np.int64]) -> list[str]:
    data = blob.tobytes()
    ends = np.cumsum(sizes).tolist()
    starts = [0, *ends[:-1]]
    return [data[a:b].decode("utf-8", "surrogatepass") for a, b in zip(starts, ends, strict=False)]


def _nursery(chunks: Mapping[str, bytes], learner: Learner) -> Mapping[str, Array]:
    arrays = _read(chunks, "nursery").arrays
    if arrays["counts"].sum() != len(arrays["times_ms"]) or (
        len(arrays["series"]) and arrays["series"].max() >= len(learner.series)
    ):
        raise SnapshotError("nursery: its readings do not add up")
    return arrays


def _restore_bank(
    learner: Learner,
    chunks: Mapping[str, bytes],
    number: int,
    stored: StoredBank,
    series_of: NDArray[np.int64],
) -> bool:
    """Move a stored bank's rows to where they belong now; tell whether nothing had changed."""
    listed = _read(chunks, layout_name(number)).meta["fields"]
    old_fields = tuple(Field(str(n), _whole(o), _whole(s)) for n, o, s in listed)
    width = max(f.offset + f.size for f in old_fields)
    same = True
    told: set[str] = set()
    for chunk in range(chunks_of(stored.count, CHUNK_ROWS)):
        rows = _read(chunks, rows_name(number, chunk)).arrays["rows"]
        series = series_of[chunk * CHUNK_ROWS : (chunk + 1) * CHUNK_ROWS]
        if rows.shape != (len(series), width) or rows.dtype != np.float64:
            raise SnapshotError(f"{rows_name(number, chunk)}: rows are not of the stated size")
        now = learner.series.profiles[series]
        for index in np.unique(now).tolist():
            mine = now == index
            profile = learner.city.profiles[index]
            period_ms = profile.period_ms or stored.period_ms
            if period_ms != stored.period_ms:
                same = False
                if profile.name not in told:
                    learner.notes.append(
                        f"profile {profile.name!r}: period changed from {stored.period_ms} to "
                        f"{period_ms} ms, its series start anew"
                    )
                    told.add(profile.name)
                continue
            target = learner.bank_number(index, period_ms)
            bank = learner.banks[target]
            first = bank.add_blank(int(mine.sum()))
            kept = _move(rows[mine], old_fields, bank, first)
            if profile.river and bank.layout.fields == old_fields:
                plugins = _read(chunks, plugins_name(number, chunk))
                bank.restore_plugins(plugins, first, mine, rows=len(rows))
            for i, one in enumerate(series[mine].tolist()):
                learner.series.place(one, target, first + i)
            if len(kept) < len(bank.layout.fields) or bank.layout.fields != old_fields:
                same = False
                if profile.name not in told:
                    learner.notes.append(_what_fits(profile, bank, kept))
                    told.add(profile.name)
            same &= target == number
    return same


def _move(
    rows: NDArray[np.float64], old_fields: tuple[Field, ...], bank: Bank, first: int
) -> set[str]:
    """Copy the fields that both layouts have, and return their names."""
    into = bank.rows[first : first + len(rows)]
    if bank.layout.fields == old_fields:
        into[:] = rows
        return {field.name for field in old_fields}
    old = {field.name: field for field in old_fields}
    kept = set()
    for new in bank.layout.fields:
        was = old.get(new.name)
        if was is not None and was.size == new.size:
            into[:, new.offset : new.offset + new.size] = rows[
                :, was.offset : was.offset + was.size
            ]
            kept.add(new.name)
    return kept


def _what_fits(profile: Profile, bank: Bank, kept: set[str]) -> str:
    """Say which parts start anew, a horizon of which nothing is kept in one word."""
    parts: dict[str, list[str]] = {}
    for field in bank.layout.fields:
        group, _, part = field.name.partition("[")[0].partition(".")
        parts.setdefault(group, [])
        if field.name not in kept:
            parts[group].append(part)
    whole = {field.name.partition(".")[0] for field in bank.layout.fields if field.name in kept}
    anew = [
        f"{group} ({', '.join(missing)})" if group in whole else group
        for group, missing in parts.items()
        if missing
    ]
    what = f"these start anew: {'; '.join(anew)}" if anew else "everything learned is kept"
    return f"profile {profile.name!r} changed: {what}"
