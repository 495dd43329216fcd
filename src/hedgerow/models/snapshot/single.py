"""One series out of a snapshot, read from the few chunks that hold it.

Before: the store gives ``meta`` and the ``series`` chunks, then those that `Contents.chunks_of`
names. After: the console shows how the experts of a series are weighed that another worker learns.
What is made here tells of its one series, and is not to be stepped.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import NamedTuple

from hedgerow.models.bank.bank import Bank
from hedgerow.models.bank.series import NOWHERE
from hedgerow.models.errors import SnapshotError
from hedgerow.models.learner import Learner
from hedgerow.models.profile import CityModel
from hedgerow.models.registry import EMPTY, Registry
from hedgerow.models.snapshot.capture import layout_name, rows_name
from hedgerow.models.snapshot.restore import (
    stored_chunk,
    stored_chunk_rows,
    stored_field,
    stored_planes,
)
from hedgerow.models.snapshot.texts import unpack_names
from hedgerow.models.zone import zone_table

SERIES = "series/"


class ProfileChanged(SnapshotError):
    """The snapshot was learned by other profiles than the city has now."""


class Place(NamedTuple):
    """Where the row of a series lies in a snapshot."""

    profile: int
    bank: int
    row: int


class Contents:
    """Which series a snapshot holds, and where.

    Parameters
    ----------
    chunks : Mapping of str to bytes
        ``meta`` and all of ``series``.

    Raises
    ------
    SnapshotError
        If one of them is damaged.

    Examples
    --------
    >>> import numpy as np
    >>> from hedgerow.models import Profile
    >>> learner = Learner(CityModel((Profile("hourly", period_seconds=3600.0),)))
    >>> hours = np.arange(30)
    >>> _ = learner.step(["a", "b"] * 15, [""] * 30, hours * 3_600_000, hours % 5.0, hours)
    >>> chunks = learner.capture().encoded()
    >>> contents = Contents(chunks)
    >>> contents.chunks_of(("b", ""))
    ('layout/0000', 'rows/0000/00000')
    >>> single = contents.learner_of(("b", ""), learner.city, chunks)
    >>> single.scores_of("b", "") == learner.scores_of("b", "")
    True
    """

    def __init__(self, chunks: Mapping[str, bytes]) -> None:
        self._meta = stored_chunk(chunks, "meta").meta
        self._places: dict[tuple[str, str], Place] = {}
        for name in sorted(chunks):
            if not name.startswith(SERIES):
                continue
            arrays = stored_chunk(chunks, name).arrays
            where = zip(
                arrays["profiles"].tolist(), arrays["banks"].tolist(), arrays["rows"].tolist(),
                strict=True,
            )  # fmt: skip
            self._places |= zip(unpack_names(arrays), map(Place._make, where), strict=True)

    @property
    def registry(self) -> str:
        """The version of the registry that the snapshot was learned by, empty if by none."""
        return str(self._meta.get("registry", ""))

    def chunks_of(self, name: tuple[str, str]) -> tuple[str, ...]:
        """Name the chunks that hold a series, given sensor and quantity; none if no row does."""
        place = self._places.get(name)
        if place is None or place.bank == NOWHERE:
            return ()
        chunk = place.row // self._rows_in_chunk
        return layout_name(place.bank), rows_name(place.bank, chunk)

    def learner_of(
        self,
        name: tuple[str, str],
        city: CityModel,
        chunks: Mapping[str, bytes],
        registry: Registry = EMPTY,
    ) -> Learner:
        """Make a learner that knows one series, from the chunks that `chunks_of` names.

        Parameters
        ----------
        registry : Registry
            That of the snapshot.

        Raises
        ------
        ProfileChanged
            If its row means something else by the profiles of the city.
        SnapshotError
            If a chunk is missing or damaged.
        """
        place = self._places[name]
        if self._profiles != [[p.name, p.fingerprint] for p in city.profiles]:
            raise ProfileChanged("the snapshot was learned by other profiles than those of now")
        learner = Learner(city, registry=registry)
        series = learner.series.add(*name, place.profile)
        _, period_ms, count = self._meta["banks"][place.bank]
        zone = zone_table(city.timezone, city.holidays)
        places = learner.places_of(series)
        bank = Bank(city.profiles[place.profile], int(period_ms), zone, places=places)
        layout, rows = self.chunks_of(name)
        listed = stored_chunk(chunks, layout).meta["fields"]
        fields = tuple(stored_field(listing) for listing in listed)
        if fields != bank.layout.fields:
            raise ProfileChanged(f"the rows of profile {bank.profile.name!r} are laid out anew")
        first = place.row - place.row % self._rows_in_chunk
        in_chunk = min(self._rows_in_chunk, int(count) - first)
        planes = stored_planes(stored_chunk(chunks, rows), fields, in_chunk)
        bank.extend(1)
        bank.rows[0], bank.singles[0] = (plane[place.row - first] for plane in planes)
        learner.banks.append(bank)
        learner.place(series, 0, 0)
        return learner

    @property
    def _rows_in_chunk(self) -> int:
        return stored_chunk_rows(self._meta)

    @property
    def _profiles(self) -> list[list[str]]:
        return [[str(name), str(mark)] for name, mark in self._meta["profiles"]]
