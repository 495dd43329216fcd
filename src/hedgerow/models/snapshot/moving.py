"""Dealing series out to other partitions: what `hedgerow state repartition` does to state.

Before: every learner of a topic, each stepped to the end of its partition. After: as many
learners as there are partitions now, every series in the one its readings arrive in from now
on, its row, or its waiting readings, moved as they are.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Collection, Mapping, Sequence
from dataclasses import dataclass, fields, replace
from typing import Any

from hedgerow.models.alerts.silence import LEADER, NEXT_DEADLINE, SECOND, Silence
from hedgerow.models.bank.bank import Bank
from hedgerow.models.bank.series import NOWHERE
from hedgerow.models.learner import Learner
from hedgerow.models.profile import CityModel, series_key
from hedgerow.models.registry import EMPTY, Registry
from hedgerow.models.snapshot.chunks import decode_chunk
from hedgerow.models.snapshot.texts import unpack_names

TargetOf = Callable[[str], int]


@dataclass(frozen=True, slots=True)
class Moved:
    """What became of the series.

    Attributes
    ----------
    learners : list of Learner
        One for each partition there is now.
    moved, kept : int
        Series that changed their partition, and that did not.
    doubled : list of str
        Keys of series that were learned in several partitions. One of their rows was kept:
        that of the partition they belong to, else that of the first.
    """

    learners: list[Learner]
    moved: int
    kept: int
    doubled: list[str]


def deal(
    learners: Sequence[Learner],
    *,
    city: CityModel,
    partitions: int,
    target_of: TargetOf,
    max_series: int = 100_000,
) -> Moved:
    """Move every series to its partition.

    Parameters
    ----------
    learners : sequence of Learner
        Of the partitions as they were, in order; they are taken apart.
    partitions : int
        How many there are now.
    target_of : Callable[[str], int]
        Where the readings of a sensor arrive now.
    max_series : int
        Limit of series for each partition; what is more than that is moved all the same.

    Examples
    --------
    >>> import numpy as np
    >>> learner = Learner(CityModel())
    >>> _ = learner.step(["a", "b"], ["", ""], np.zeros(2, np.int64), np.ones(2), np.arange(2))
    >>> target_of = {"a": 1, "b": 0}.__getitem__
    >>> where = deal([learner], city=learner.city, partitions=2, target_of=target_of)
    >>> [one.series.sensor_ids for one in where.learners], where.moved
    ([['b'], ['a']], 1)
    """
    registry = _newest(learners)
    learners = [learner.by_registry(registry) for learner in learners]
    dealt = [Learner(city, max_series=max_series, registry=registry) for _ in range(partitions)]
    for number, learner in enumerate(learners):  # the sums over all partitions stay the same
        counts = dealt[number % partitions].counts
        for field in fields(counts):
            total = getattr(counts, field.name) + getattr(learner.counts, field.name)
            setattr(counts, field.name, total)
    homes: dict[tuple[str, str], int] = {}
    doubled: dict[str, None] = {}
    for number, learner in enumerate(learners):
        for name in _names(learner):
            home = homes.setdefault(name, number)
            if home != number:
                doubled[series_key(*name)] = None
                if target_of(name[0]) == number:
                    homes[name] = number
    moved = 0
    for number, learner in enumerate(learners):
        for series, name in enumerate(_names(learner)):
            if homes[name] == number:
                target = target_of(name[0])
                moved += target != number
                _move(learner, series, dealt[target])
    return Moved(dealt, moved, len(homes) - moved, list(doubled))


def without(learner: Learner, names: Collection[tuple[str, str]]) -> Learner:
    """Forget some series, and move all others as they are.

    Parameters
    ----------
    learner : Learner
        It is taken apart.
    names : collection of (str, str)
        Sensor and quantity of each series to forget.

    Returns
    -------
    Learner
        The counts go on, and so do the watermark and every other series; one that was forgotten
        begins anew with its next reading.

    Examples
    --------
    >>> import numpy as np
    >>> learner = Learner(CityModel())
    >>> _ = learner.step(["a", "b"], ["", ""], np.zeros(2, np.int64), np.ones(2), np.arange(2))
    >>> rest = without(learner, [("a", "")])
    >>> rest.series.sensor_ids, rest.counts.learned
    (['b'], 2)
    """
    rest = Learner(learner.city, max_series=learner.max_series, registry=learner.registry)
    rest.counts = replace(learner.counts)
    sensors: dict[float, float] = {}
    for series, name in enumerate(_names(learner)):
        if name not in names:
            _move(learner, series, rest)
            new = rest.series.find(*name)
            sensors[float(learner.series.sensors[series])] = float(rest.series.sensors[new])
    clock = learner.silence.clock
    if all(clock[sensor] in sensors for sensor in (LEADER, SECOND)):
        rest.silence.clock[:NEXT_DEADLINE] = clock[:NEXT_DEADLINE]
        for sensor in (LEADER, SECOND):
            rest.silence.clock[sensor] = sensors[float(clock[sensor])]
    return rest


def with_series_of(learner: Learner, older: Learner, name: tuple[str, str]) -> Learner:
    """Put one series back to what an older learner of the partition knew of it.

    Parameters
    ----------
    learner, older : Learner
        Both are taken apart; they share a city and a registry.
    name : tuple of str
        Its sensor and quantity.

    Returns
    -------
    Learner
        The counts go on, and so do the watermark, every other series, and when this one was last
        heard: it is no more silent than it was. What it learned since is gone.

    Examples
    --------
    >>> import numpy as np
    >>> older = Learner(CityModel())
    >>> _ = older.step(["a", "b"], ["", ""], np.zeros(2, np.int64), np.ones(2), np.arange(2))
    >>> back = with_series_of(Learner(CityModel()), older, ("b", ""))
    >>> back.series.sensor_ids
    ['b']
    """
    now = learner.series.find(*name)
    back = without(learner, [name])
    _move(older, older.series.find(*name), back)
    new = back.series.find(*name)
    heard = learner.silence if now != NOWHERE else Silence()
    heard.move(max(now, 0), back.silence, new, int(back.series.sensors[new]))
    return back


def stored_series(chunks: Mapping[str, bytes]) -> list[str]:
    """Return the keys of a snapshot's series from its ``series`` chunks, in order.

    Raises
    ------
    SnapshotError
        If one of them is damaged.
    """
    return list(stored_names(chunks).values())


def stored_names(chunks: Mapping[str, bytes]) -> dict[tuple[str, str], str]:
    """Return sensor and quantity of a snapshot's series, in order, with the key of each.

    Raises
    ------
    SnapshotError
        If one of the ``series`` chunks is damaged.
    """
    names: dict[tuple[str, str], str] = {}
    for name in sorted(chunks):
        if name.startswith("series/"):
            arrays = decode_chunk(chunks[name]).arrays
            names |= {one: series_key(*one) for one in unpack_names(arrays)}
    return names


def _newest(learners: Sequence[Learner]) -> Registry:
    """Return the registry that was read last; where that is not known, that of most series."""
    registries = [learner.registry for learner in learners]
    for one in registries:
        if one.mark is not None and all(map(one.follows, registries)):
            return one
    by_version = {one.version: one for one in registries}
    held = Counter[str]()
    for learner in learners:
        held[learner.registry.version] += learner.series_count
    return by_version[held.most_common(1)[0][0]] if learners else EMPTY


def _names(learner: Learner) -> list[tuple[str, str]]:
    table = learner.series
    return list(zip(table.sensor_ids, table.quantities, strict=True))


def _move(source: Learner, series: int, target: Learner) -> None:
    """Give a series of one learner to another, with all that was learned about it."""
    old = source.series
    profile = int(old.profiles[series])
    new = target.series.add(old.sensor_ids[series], old.quantities[series], profile)
    source.silence.move(series, target.silence, new, int(target.series.sensors[new]))
    if old.banks[series] == NOWHERE:
        if series in source.nursery.infants:  # not before the first reading of another period
            target.nursery.infants[new] = source.nursery.infants[series]
            target.nursery.dirty = True
        return
    bank = source.banks[int(old.banks[series])]
    number = target.bank_number(profile, bank.period_ms, bank.layout.sizes.places)
    into = target.banks[number]
    if into.layout.fields != bank.layout.fields:
        raise ValueError(f"the learners do not share a city: {bank.profile.name} differs")
    row = into.add_blank(1)
    into.rows[row] = bank.rows[int(old.rows[series])]
    into.singles[row] = bank.singles[int(old.rows[series])]
    _move_plugins(bank, int(old.rows[series]), into, row)
    target.place(new, number, row)


def _move_plugins(bank: Bank, row: int, into: Bank, to: int) -> None:
    """Move River plug-ins beside their row; only banks that have some know of ``models``."""
    models: list[Any] | None = getattr(bank, "models", None)
    if models is not None:
        vars(into)["models"][to] = models[row]
        into.failures += bank.failures
        bank.failures = 0
