"""The learning engine: pure, usable alone, without Kafka or Redis.

``Learner`` is what an agent steps; profiles say how. A reading passes through ``learner``,
``nursery`` (until its period is known), ``bank`` and ``kernel``.
"""

from hedgerow.models.alerts.words import AlertEvent
from hedgerow.models.bank.scores import ReferenceScore, SeriesScore
from hedgerow.models.bank.tally import Tally
from hedgerow.models.errors import (
    ModelError,
    PluginError,
    ProfileError,
    SnapshotError,
    SnapshotTooNew,
    StateTampered,
)
from hedgerow.models.learner import Learner
from hedgerow.models.profile import AlertSwitches, CityModel, Profile, RiverExpert, series_key
from hedgerow.models.registry import EMPTY, Mark, Registry, SensorFacts
from hedgerow.models.results import Counts, Outcome, Refusal, StepResult
from hedgerow.models.snapshot.chunks import Capture, RawChunk, decode_chunk, encode_chunk

__all__ = [
    "EMPTY",
    "AlertEvent",
    "AlertSwitches",
    "Capture",
    "CityModel",
    "Counts",
    "Learner",
    "Mark",
    "ModelError",
    "Outcome",
    "PluginError",
    "Profile",
    "ProfileError",
    "RawChunk",
    "ReferenceScore",
    "Refusal",
    "Registry",
    "RiverExpert",
    "SensorFacts",
    "SeriesScore",
    "SnapshotError",
    "SnapshotTooNew",
    "StateTampered",
    "StepResult",
    "Tally",
    "decode_chunk",
    "encode_chunk",
    "series_key",
]
