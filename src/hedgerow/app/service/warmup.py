"""Compiles the learning kernels, or loads them from numba's cache, before the first reading.

Before: the image's build runs it once, so that the kernels are in the image's cache. After:
`worker` runs it before it joins the group, because compiling takes seconds in which the
group would wait.
"""

from __future__ import annotations

import numpy as np

from hedgerow.agents.outputs import Learned, encode_learned
from hedgerow.agents.ports import Batch, Partition
from hedgerow.models import CityModel, Learner, Profile
from hedgerow.topics import DecodedBatch
from hedgerow.topics.columns import PredictionEncoder

SERIES = ("declared", "inferred")
SLOTS = 48
HOUR_MS = 3_600_000


def warm_up(*, explain: bool = False) -> None:
    """Learn two days of two synthetic series, one with a declared period and one without.

    Nothing of it is kept; kernels are compiled once for all series, whatever their profile.

    Parameters
    ----------
    explain : bool
        Compile what ``predictions.explain`` takes, too.

    Examples
    --------
    >>> warm_up()
    """
    declared = Profile(
        "declared",
        match=SERIES[:1],
        period_seconds=3600,
        bound_upper=10.0,
        neighbours={SERIES[0]: SERIES[1:]},
    )
    learner = Learner(CityModel(profiles=(declared,), explain=explain))
    readings = len(SERIES) * SLOTS
    slots = np.arange(readings, dtype=np.int64) // len(SERIES)
    offsets = np.arange(readings, dtype=np.int64)
    decoded = DecodedBatch(
        sensor_ids=[SERIES[i % len(SERIES)] for i in range(readings)],
        quantities=[""] * readings,
        experts=[""] * readings,
        time_ms=slots * HOUR_MS,
        values=np.sin(slots * (2 * np.pi / 24)),
        offsets=offsets,
        positions=offsets.tolist(),
        failures=[],
        rejected=0,
    )
    result = learner.step(
        decoded.sensor_ids, decoded.quantities, decoded.time_ms, decoded.values, decoded.offsets
    )
    batch = Batch(Partition("warm-up", 0), 0, readings, ())
    encode_learned(PredictionEncoder(), [Learned(batch, decoded, result, learner)])
    restored = Learner.restore(
        learner.city, learner.capture().encoded()
    )  # taking over and telling are compiled too
    restored.step([], [], slots[:0], np.zeros(0), slots[:0])
    restored.scores()
    restored.tallies()
