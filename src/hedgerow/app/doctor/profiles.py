"""Which profiles never come to anything, because one before them takes all that they match.

Before: ``examine`` has read the profiles. After: it warns of these.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from fnmatch import fnmatchcase

from hedgerow.models import Profile


def shadowed(profiles: Sequence[Profile]) -> Iterator[tuple[str, str]]:
    """Give the name of each profile that no series reaches, and of the one that stands before it.

    The last one is what remains for all others, and may remain without any.

    Examples
    --------
    >>> roads, bridges = Profile("roads", match=("road-*",)), Profile("bridges", match=("road-b*",))
    >>> rest = Profile("default")
    >>> list(shadowed([roads, bridges, rest])), list(shadowed([bridges, roads, rest]))
    ([('bridges', 'roads')], [])
    """
    for place, profile in enumerate(profiles[:-1]):
        for before in profiles[:place]:
            if _takes_all(before, profile):
                yield profile.name, before.name
                break


def _takes_all(before: Profile, profile: Profile) -> bool:
    """Tell whether a profile matches whatever another one does."""
    if not _within(profile.kinds, before.kinds) or not _within(profile.zones, before.zones):
        return False
    return all(any(_covers(other, pattern) for other in before.match) for pattern in profile.match)


def _covers(other: str, pattern: str) -> bool:
    """Tell whether a pattern surely matches all that another one does."""
    # One that matches another as a text does, unless what stands there stands for something else.
    if "[" in pattern or ("?" in other and "*" in pattern):
        return False
    return fnmatchcase(pattern, other)


def _within(some: Sequence[str], others: Sequence[str]) -> bool:
    """Tell whether a choice is part of another one, where none is the choice of all."""
    return not others or (bool(some) and set(some) <= set(others))
