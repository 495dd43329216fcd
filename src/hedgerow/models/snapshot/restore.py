"""Building a learner from a snapshot, also when the profiles have changed since.

Before: the agent loads encoded chunks from the state store. After: ``Learner.step`` goes on
where the snapshot's offset says. Nothing is believed unchecked: every chunk must be there, carry
its own name, and fit the others in size.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, fields
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray

from hedgerow.models.alerts.silence import STORED
from hedgerow.models.bank.bank import CHUNK_ROWS, Bank
from hedgerow.models.bank.layout import Field
from hedgerow.models.bank.series import CHUNK_SERIES, NOWHERE
from hedgerow.models.errors import SnapshotError
from hedgerow.models.profile import MAX_PERIOD_SECONDS, Profile, RiverExpert
from hedgerow.models.registry import CHUNK as REGISTRY
from hedgerow.models.registry import EMPTY, Mark, Registry
from hedgerow.models.snapshot.capture import (
    chunks_of,
    layout_name,
    mark_all,
    mark_none,
    plugins_name,
    rows_name,
    series_name,
    silence_name,
)
from hedgerow.models.snapshot.chunks import RawChunk, decode_chunk
from hedgerow.models.snapshot.copying import Planes
from hedgerow.models.snapshot.texts import unpack_names

if TYPE_CHECKING:
    from hedgerow.models.learner import Learner

Home = tuple[int, int, int]  # profile, period and places of the bank where a series belongs


@dataclass(frozen=True, slots=True)
class StoredBank:
    """A bank as the snapshot describes it."""

    profile: str
    period_ms: int
    count: int


def restore_state(learner: Learner, chunks: Mapping[str, bytes]) -> None:
    """Fill a fresh learner from the encoded chunks of a complete snapshot."""
    try:
        # Values of a wrong type raise where they are used.
        _Restoration(learner, chunks).run()
    except (KeyError, TypeError, ValueError, IndexError, ArithmeticError) as error:
        raise SnapshotError(
            f"snapshot does not hold together: {type(error).__name__}: {error}"
        ) from error


def stored_registry(chunks: Mapping[str, bytes], known: Registry = EMPTY) -> Registry:
    """Read the registry that a snapshot was learned by, unless it is known; empty if none.

    One that is known but was read before the snapshot's is read again, so that its mark stays.

    Raises
    ------
    SnapshotError
        If it is damaged, or missing where the snapshot names one.
    """
    try:
        meta = stored_chunk(chunks, "meta").meta
        version, mark = meta.get("registry", ""), _mark(meta.get("registry_mark"))
        is_known = version == known.version and known.follows(Registry({}, mark))
        if not version:
            return known if is_known else Registry({}, mark)
        chunk = stored_chunk(chunks, REGISTRY)  # checked also where it is known: kept as it is
        if is_known:
            return known
        registry = Registry.from_chunk(chunk, mark)
    except (KeyError, TypeError, ValueError, IndexError) as error:
        raise SnapshotError(
            f"registry: it does not hold together: {type(error).__name__}: {error}"
        ) from error
    if registry.version != version:
        raise SnapshotError("registry: it is not the one that the snapshot names")
    return registry


class _Restoration:
    """One pass over a snapshot; ``same`` as long as nothing had to be changed on the way."""

    def __init__(self, learner: Learner, chunks: Mapping[str, bytes]) -> None:
        self.learner = learner
        self.chunks = chunks
        self.meta = self.read("meta").meta
        stored = [(str(name), str(mark)) for name, mark in self.meta["profiles"]]
        profiles = [(p.name, p.fingerprint) for p in learner.city.profiles]
        self.same_profiles = stored == profiles
        self.changed = {profile[0] for profile in profiles if profile not in stored}
        self.rows_in_chunk = stored_chunk_rows(self.meta)
        self.same_registry = self.meta.get("registry", "") == learner.registry.version
        self.same = (
            self.same_profiles
            and self.same_registry
            and self.meta["timezone"] == learner.city.timezone
            and self.rows_in_chunk == CHUNK_ROWS
        )

    def run(self) -> None:
        learner = self.learner
        counts = {"forecasts_used": 0, "forecasts_ignored": 0, **self.meta["counts"]}
        for name in (field.name for field in fields(learner.counts)):
            setattr(learner.counts, name, _whole(counts[name]))
        if self.meta["timezone"] != learner.city.timezone:
            self.note(
                f"time zone changed from {self.meta['timezone']} to {learner.city.timezone}: what "
                "was learned is kept, the calendar follows the new zone"
            )
        banks = [StoredBank(str(n), _period(p), _whole(c)) for n, p, c in self.meta["banks"]]
        series_of = self.series(banks)
        self.nursery()
        for number, stored in enumerate(banks):
            self.bank(number, stored, series_of[number])
        self.silence()
        if self.same:
            mark_none(learner)
        else:
            mark_all(learner)

    def note(self, sentence: str) -> None:
        if sentence not in self.learner.notes:
            self.learner.notes.append(sentence)

    def read(self, name: str) -> RawChunk:
        return stored_chunk(self.chunks, name)

    def series(self, banks: list[StoredBank]) -> list[NDArray[np.int64]]:
        """Fill the series table; return for each stored bank the series of its rows."""
        city, table = self.learner.city, self.learner.series
        count = _whole(self.meta["series"])
        placed: list[tuple[int, int, int]] = []
        for number in range(chunks_of(count, CHUNK_SERIES)):
            arrays = self.read(series_name(number)).arrays
            names = unpack_names(arrays)
            places = zip(arrays["profiles"], arrays["banks"], arrays["rows"], strict=True)
            for (sensor, quantity), place in zip(names, places, strict=True):
                profile, bank, row = map(int, place)
                known = self.same_profiles and self.same_registry
                if not known or not 0 <= profile < len(city.profiles):
                    profile = self.learner.profile_of(sensor, quantity)
                one = table.add(sensor, quantity, profile)
                if bank != NOWHERE:
                    placed.append((bank, row, one))
        rows = {(bank, row): one for bank, row, one in placed}
        stated = sum(bank.count for bank in banks)
        if len(table) != count or not len(placed) == len(rows) == stated:
            raise SnapshotError("snapshot has series without rows, or rows without a series")
        return [
            np.array([rows[number, row] for row in range(bank.count)], np.int64)
            for number, bank in enumerate(banks)
        ]

    def nursery(self) -> None:
        arrays = self.read("nursery").arrays
        if arrays["counts"].sum() != len(arrays["times_ms"]) or any(
            not 0 <= series < len(self.learner.series) for series in arrays["series"].tolist()
        ):
            raise SnapshotError("nursery: its readings do not add up")
        self.learner.nursery.fill(arrays)

    def silence(self) -> None:
        learner = self.learner
        if not self.meta.get("silence"):  # written before silence was watched
            self.same = False
            return
        count = len(learner.series)
        parts = [
            self.read(silence_name(number)).arrays["lines"]
            for number in range(chunks_of(count, CHUNK_SERIES))
        ]
        lines = np.concatenate([np.empty((0, STORED)), *parts])
        waiting = np.flatnonzero(learner.series.banks[:count] == NOWHERE)
        leaders = self.read("watermark").arrays["leaders"]
        learner.silence.restore(lines, learner.series.watched_ms[:count], leaders)
        infants = learner.nursery.infants
        learner.silence.wait(
            {one: len(infants[one].times_ms) if one in infants else 0 for one in waiting.tolist()}
        )

    def bank(self, number: int, stored: StoredBank, series_of: NDArray[np.int64]) -> None:
        """Move a stored bank's rows to where they belong now."""
        listed = self.read(layout_name(number)).meta["fields"]
        old_fields = tuple(stored_field(listing) for listing in listed)
        homes = [self.home(one, stored) for one in series_of.tolist()]
        to_come = Counter(homes)
        for chunk in range(chunks_of(stored.count, self.rows_in_chunk)):
            name = rows_name(number, chunk)
            series = series_of[chunk * self.rows_in_chunk : (chunk + 1) * self.rows_in_chunk]
            rows = stored_planes(self.read(name), old_fields, len(series))
            here = homes[chunk * self.rows_in_chunk : (chunk + 1) * self.rows_in_chunk]
            for home in sorted(set(here)):
                index, period_ms, places = home
                profile = self.learner.city.profiles[index]
                mine = np.array([one == home for one in here])
                if period_ms != stored.period_ms:
                    self.same = False
                    self.note(self.anew(profile, period_ms, stored.period_ms))
                    continue
                target = self.learner.bank_number(index, period_ms, places)
                self.same &= target == number
                bank = self.learner.banks[target]
                bank.reserve(to_come.pop(home, 0))
                count = int(mine.sum())
                as_it_was = bank.layout.fields == old_fields  # the usual case, and rows are large
                old_fields = bank.layout.fields if as_it_was else old_fields  # compared at once
                first = bank.extend(count) if as_it_was else bank.add_blank(count)
                for i, one in enumerate(series[mine].tolist()):
                    self.learner.place(one, target, first + i)
                kept = _move(rows, mine, old_fields, bank, first)
                if not as_it_was or profile.name in self.changed:
                    self.same = False
                    if self.same_profiles:
                        self.note(
                            f"registry: series of profile {stored.profile!r} go by "
                            f"{profile.name!r} and {places} companions now; what fits is kept"
                        )
                    else:
                        self.note(_what_fits(profile, bank, kept))
                if profile.river and as_it_was:
                    plugins = self.read(plugins_name(number, chunk))
                    before = self.plugins_of(stored.profile)
                    anew = bank.restore_plugins(
                        plugins, first, mine, rows=len(series), before=before
                    )
                    if anew:
                        self.same = False
                        self.note(
                            f"profile {profile.name!r}: other parameters, so these start anew: "
                            f"{', '.join(sorted(anew))}"
                        )

    def plugins_of(self, profile: str) -> tuple[RiverExpert, ...]:
        """Return the plug-ins of a stored profile, none where it has changed since."""
        unchanged = (p for p in self.learner.city.profiles if p.name not in self.changed)
        return next((p.river for p in unchanged if p.name == profile), ())

    def home(self, series: int, stored: StoredBank) -> Home:
        """Return where a series of a stored bank belongs now: profile, period and places."""
        learner = self.learner
        profile = int(learner.series.profiles[series])
        period_ms = learner.declared_period(series) or stored.period_ms
        return profile, period_ms, learner.places_of(series)

    def anew(self, profile: Profile, period_ms: int, before_ms: int) -> str:
        """Say whose period has changed."""
        changed = f"period changed from {before_ms} to {period_ms} ms"
        if self.same_profiles:
            return f"registry: {changed} for some of profile {profile.name!r}, they start anew"
        return f"profile {profile.name!r}: {changed}, its series start anew"


def stored_chunk(chunks: Mapping[str, bytes], name: str) -> RawChunk:
    """Read a chunk, making sure that it is the one of that name."""
    if name not in chunks:
        raise SnapshotError(f"chunk {name} of the snapshot is missing")
    try:
        raw = decode_chunk(chunks[name])
    except SnapshotError as error:
        raise type(error)(f"{name}: {error}") from None
    if raw.name != name:
        raise SnapshotError(f"chunk {raw.name} stands where {name} should")
    return raw


def stored_chunk_rows(meta: Mapping[str, Any]) -> int:
    """Return how many rows a full chunk of a snapshot has, by its ``meta`` chunk."""
    return _whole(meta.get("rows_in_chunk", 256))  # version 1 did not say


def _mark(listing: Sequence[object] | None) -> Mark | None:
    if listing is None:
        return None
    log_id, offset = listing
    return Mark(str(log_id), _whole(offset))


def _whole(value: object) -> int:
    if type(value) is not int or not 0 <= value < 2**62:
        raise SnapshotError(f"snapshot has {value!r} where a count should be")
    return value


def _period(value: object) -> int:
    period_ms = _whole(value)
    if not 1 <= period_ms <= MAX_PERIOD_SECONDS * 1000:
        raise SnapshotError(f"snapshot has a period of {period_ms} ms")
    return period_ms


def stored_field(listing: Sequence[object]) -> Field:
    """Read one line of a ``layout`` chunk."""
    name, offset, size, *single = listing  # version 1 had one plane and did not say which
    return Field(str(name), _whole(offset), _whole(size), single == [True])


def stored_planes(raw: RawChunk, old_fields: tuple[Field, ...], rows: int) -> Planes:
    """Take both planes of a chunk, checked against the fields they are said to hold."""
    found = []
    for single, dtype in ((False, np.float64), (True, np.float32)):
        width = max((f.offset + f.size for f in old_fields if f.single == single), default=0)
        plane = raw.arrays["singles" if single else "rows"] if width else np.empty((rows, 0), dtype)
        if plane.shape != (rows, width) or plane.dtype != dtype:
            raise SnapshotError(f"{raw.name}: rows are not of the stated size")
        found.append(plane)
    return Planes(*found)


def _move(
    planes: Planes, mine: NDArray[np.bool_], old_fields: tuple[Field, ...], bank: Bank, first: int
) -> set[str]:
    """Copy the fields that both layouts have, and return their names."""
    span = slice(first, first + int(mine.sum()))
    into = Planes(bank.rows[span], bank.singles[span])
    if bank.layout.fields == old_fields:
        taken = slice(None) if mine.all() else mine
        into[0][:], into[1][:] = planes[0][taken], planes[1][taken]
        return {field.name for field in old_fields}
    old = {(field.name, field.single): field for field in old_fields}
    kept = set()
    plugins = tuple(f".{i}:{one.name}" for i, one in enumerate(bank.profile.river))
    for new in bank.layout.fields:
        was = old.get((new.name, new.single))
        if new.name.endswith(plugins):
            continue  # they begin anew where a layout is another, and so do their weights
        if was is not None and was.size == new.size:
            into[new.single][:, new.offset : new.offset + new.size] = planes[new.single][
                mine, was.offset : was.offset + was.size
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
