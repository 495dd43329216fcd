"""Going on by another registry: bounds in place, whatever has to move as through a snapshot.

Before: a checkpoint begins, and the registry is not the one that the learner goes by. After: the
capture that follows holds it, so that a learner restored from there is the same, bit for bit.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from hedgerow.models.bank.series import NOWHERE
from hedgerow.models.experts.signals import Signals
from hedgerow.models.profile import series_key
from hedgerow.models.registry import Registry
from hedgerow.models.snapshot.capture import mark_all

if TYPE_CHECKING:
    from hedgerow.models.learner import Learner


def by_registry(learner: Learner, registry: Registry) -> Learner:
    """Return the learner that goes on; the one given is not to be used again."""
    if registry.version == learner.registry.version:
        learner.registry = registry  # its mark may be another
        return learner
    changed = learner.registry.differing(registry)
    series = [i for i, sensor in enumerate(learner.series.sensor_ids) if sensor in changed]
    if any(_moves(learner, registry, one) for one in series):
        mark_all(learner)
        chunks = learner.capture().encoded()
        return type(learner).restore(
            learner.city, chunks, max_series=learner.max_series, registry=registry
        )
    learner.registry, learner.new_registry = registry, True
    learner.signals = Signals(learner.city, registry)
    for one in series:
        if learner.series.banks[one] != NOWHERE:
            bank = learner.banks[learner.series.banks[one]]
            bank.bound(int(learner.series.rows[one]), registry.of(learner.series.sensor_ids[one]))
    learner.signals.follow(learner.series, learner.banks)  # here, not in the next step
    return learner


def _moves(learner: Learner, registry: Registry, series: int) -> bool:
    """Tell whether a series cannot stay where it is by a registry, or looks at others."""
    sensor_id, quantity = learner.series.name(series)
    old, new = learner.registry.of(sensor_id), registry.of(sensor_id)
    profile = int(learner.series.profiles[series])
    if old.neighbours != new.neighbours:
        return True
    if learner.city.profile_index(series_key(sensor_id, quantity), new) != profile:
        return True
    period_ms = new.period_ms or learner.city.profiles[profile].period_ms
    bank = learner.series.banks[series]
    return bank != NOWHERE and period_ms not in {None, learner.banks[bank].period_ms}
