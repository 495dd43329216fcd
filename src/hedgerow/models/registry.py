"""What is declared of single sensors, as far as learning depends on it.

Before: ``app/registry`` reads it from its topic, or a file. After: ``learner`` asks for the
profile, period, bounds and neighbours of a new series. It travels in the snapshot, so that
whatever is replayed from there is learned by the same registry.
"""

from __future__ import annotations

import hashlib
import math
from collections.abc import Mapping
from dataclasses import dataclass, field
from functools import cached_property

import numpy as np

from hedgerow.models.errors import SnapshotError
from hedgerow.models.snapshot.chunks import Array, RawChunk
from hedgerow.models.snapshot.texts import pack, unpack

CHUNK = "registry"
_TEXTS = ("sensors", "kinds", "zones")


@dataclass(frozen=True, slots=True)
class SensorFacts:
    """What is declared of one sensor; what is empty or ``None`` is left to its profile.

    Attributes
    ----------
    kind, zone : str
        Words that choose a profile.
    bound_lower, bound_upper : float or None
        Limits of its values, both instead of the profile's if either is given.
    period_seconds : float or None
        Length of a slot.
    neighbours : tuple of str
        Sensors, or series by their keys, whose last reading its forecasts draw on.
    """

    kind: str = ""
    zone: str = ""
    bound_lower: float | None = None
    bound_upper: float | None = None
    period_seconds: float | None = None
    neighbours: tuple[str, ...] = ()

    @property
    def period_ms(self) -> int | None:
        """Length of a slot in milliseconds."""
        return None if self.period_seconds is None else round(self.period_seconds * 1000)


NOTHING = SensorFacts()


@dataclass(frozen=True, slots=True)
class Mark:
    """How far the topic had been read that a registry was made of.

    Attributes
    ----------
    log_id : str
        Names the topic, one that was deleted and made anew by another name; empty when unknown.
    offset : int
        The first offset that had not been read.
    """

    log_id: str
    offset: int

    def __str__(self) -> str:
        return f"offset {self.offset} of {self.log_id or 'its topic'}"


@dataclass(frozen=True)
class Registry:
    """Facts of sensors by their ids.

    Attributes
    ----------
    mark : Mark or None
        Where they were read; ``None`` when nobody noted it. Nothing learned depends on it.

    Examples
    --------
    >>> registry = Registry({"bridge-7": SensorFacts(bound_upper=4000.0)})
    >>> registry.of("bridge-7").bound_upper, registry.of("unknown") == SensorFacts()
    (4000.0, True)
    >>> Registry.from_chunk(registry.chunk()) == registry
    True
    """

    facts: Mapping[str, SensorFacts]
    mark: Mark | None = field(default=None, compare=False)

    def of(self, sensor_id: str) -> SensorFacts:
        """Return what is declared of a sensor, nothing where it is not registered."""
        return self.facts.get(sensor_id, NOTHING)

    def follows(self, other: Registry) -> bool:
        """Tell whether this one is surely no older than another.

        Of two topics, and where this one's place is not known, that cannot be told.

        Examples
        --------
        >>> early, late = (Registry({}, Mark("a", offset)) for offset in (3, 7))
        >>> late.follows(early), early.follows(late), Registry({}, Mark("b", 9)).follows(late)
        (True, False, False)
        """
        if other.mark is None:
            return True
        return (
            self.mark is not None
            and self.mark.log_id == other.mark.log_id
            and self.mark.offset >= other.mark.offset
        )

    @cached_property
    def version(self) -> str:
        """Name of exactly these facts; empty where there are none."""
        if not self._telling:
            return ""
        digest = hashlib.blake2b(digest_size=12)
        for name, array in self._arrays.items():
            digest.update(f"{name} {array.size} ".encode())
            digest.update(array.tobytes())
        return digest.hexdigest()

    @cached_property
    def has_neighbours(self) -> bool:
        """Whether any sensor names neighbours."""
        return any(facts.neighbours for facts in self.facts.values())

    def differing(self, other: Registry) -> set[str]:
        """Return the sensors of which the two say different things."""
        every = self.facts.keys() | other.facts.keys()
        return {who for who in every if self.of(who) != other.of(who)}

    @cached_property
    def _telling(self) -> list[str]:
        return sorted(who for who, facts in self.facts.items() if facts != NOTHING)

    def chunk(self) -> RawChunk:
        """Return the facts as a chunk of a snapshot."""
        return RawChunk(CHUNK, self._arrays, {"version": self.version})

    @cached_property  # with the version, and so where a registry is read, not where it is stored
    def _arrays(self) -> dict[str, Array]:
        who = self._telling
        facts = [self.facts[one] for one in who]
        numbers = [(f.bound_lower, f.bound_upper, f.period_seconds) for f in facts]
        texts = {
            "sensors": who,
            "kinds": [f.kind for f in facts],
            "zones": [f.zone for f in facts],
            "neighbours": [name for f in facts for name in f.neighbours],
        }
        arrays: dict[str, Array] = {
            "numbers": np.array(
                [[math.nan if n is None else n for n in line] for line in numbers], np.float64
            ).reshape(-1, 3),
            "neighbour_counts": np.array([len(f.neighbours) for f in facts], np.int64),
        }
        for name, listed in texts.items():
            arrays[name], arrays[f"{name}_sizes"] = pack(listed)
        return arrays

    @classmethod
    def from_chunk(cls, raw: RawChunk, mark: Mark | None = None) -> Registry:
        """Read the facts back, to be those of a mark.

        Raises
        ------
        SnapshotError
            If they are not those that the chunk's version names.
        """
        arrays = raw.arrays
        who, kinds, zones = (unpack(arrays[n], arrays[f"{n}_sizes"]) for n in _TEXTS)
        names = unpack(arrays["neighbours"], arrays["neighbours_sizes"])
        ends = np.cumsum(arrays["neighbour_counts"]).tolist()
        numbers = [
            [None if math.isnan(n) else n for n in line] for line in arrays["numbers"].tolist()
        ]
        registry = cls(
            {
                one: SensorFacts(kind, zone, lower, upper, period, tuple(names[begin:end]))
                for one, kind, zone, (lower, upper, period), begin, end in zip(
                    who, kinds, zones, numbers, [0, *ends[:-1]], ends, strict=True
                )
            },
            mark,
        )
        if registry.version != raw.meta["version"]:
            raise SnapshotError("registry: its facts are not those of its version")
        return registry


EMPTY = Registry({})
