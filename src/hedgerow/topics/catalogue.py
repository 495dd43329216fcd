"""Every topic in one table: what it carries, its key, its record and how it is made.

``hedgerow topics create`` makes these, ``doctor`` compares them with what it finds, and
``docs/topics.md`` is written from them.
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Literal

from hedgerow.topics.errors import CatalogueError
from hedgerow.topics.records import Alert, OutsideForecast, Prediction, Reading
from hedgerow.topics.sensors import Sensor

_DAY_MS = 86_400_000
_MEBIBYTE = 1_048_576
_FOR_EVER = -1
_LEGAL_NAME = re.compile(r"[A-Za-z0-9._-]{1,249}")


@dataclass(frozen=True, slots=True)
class TopicNames:
    """How the topics are called here."""

    readings: str = "sensor-data"
    predictions: str = "predictions"
    alerts: str = "alerts"
    dead_letters: str = "dead-letters"
    expert_forecasts: str = "expert-forecasts"
    sensor_registry: str = "sensor-registry"


@dataclass(frozen=True, slots=True)
class TopicSpec:
    """One topic.

    Attributes
    ----------
    name : str
        How it is called.
    carries, key : str
        A sentence each, for people.
    record : type[Reading | OutsideForecast | Prediction | Alert | Sensor] | None
        The type of its values; ``None`` where they are the original bytes.
    partitions, replication : int
        How it is spread.
    retention_ms : int
        How long records are kept; -1 for ever.
    cleanup : {"delete", "compact"}
        What happens then. Only the registry is compacted: a series' last record does not stand
        for those before it, in predictions (history is scored) as in alerts (several kinds and
        episodes share the key).
    max_message_bytes : int
        The longest record, with key and headers.
    """

    name: str
    carries: str
    key: str
    record: type[Reading | OutsideForecast | Prediction | Alert | Sensor] | None
    partitions: int
    replication: int
    retention_ms: int
    max_message_bytes: int
    cleanup: Literal["delete", "compact"] = "delete"

    def config(self) -> dict[str, str]:
        """Give the topic's settings as Kafka names them.

        Examples
        --------
        >>> catalogue().alerts.config()["retention.ms"]
        '2592000000'
        """
        return {
            "cleanup.policy": self.cleanup,
            "retention.ms": str(self.retention_ms),
            "max.message.bytes": str(self.max_message_bytes),
            # With three copies, what is acknowledged must be on two.
            "min.insync.replicas": "2" if self.replication >= 3 else "1",
        }


@dataclass(frozen=True, slots=True)
class Catalogue:
    """All topics, by role; ``expert_forecasts`` only where it is asked for."""

    readings: TopicSpec
    predictions: TopicSpec
    alerts: TopicSpec
    dead_letters: TopicSpec
    sensor_registry: TopicSpec
    expert_forecasts: TopicSpec | None

    def __iter__(self) -> Iterator[TopicSpec]:
        yield from (self.readings, self.predictions, self.alerts, self.dead_letters)
        yield self.sensor_registry
        if self.expert_forecasts is not None:
            yield self.expert_forecasts


DEFAULT_NAMES = TopicNames()


def catalogue(
    names: TopicNames = DEFAULT_NAMES,
    *,
    partitions: int = 8,
    replication: int = 1,
    input_max_message_bytes: int = _MEBIBYTE,
    expert_forecasts: bool = False,
) -> Catalogue:
    """Describe the topics, under these names and this large.

    Parameters
    ----------
    partitions : int
        Of readings, predictions, alerts and expert forecasts; dead letters have one, they should
        be few, and so has the registry, so that its records have one order.
    input_max_message_bytes : int
        The readings' ``max.message.bytes``. Dead letters take 1 MB more, for a message that
        just fitted there must fit with its headers.
    expert_forecasts : bool
        Whether the optional topic is used.

    Raises
    ------
    CatalogueError
        If a name is not a legal topic name, or two topics have the same.

    Examples
    --------
    >>> [topic.name for topic in catalogue()]
    ['sensor-data', 'predictions', 'alerts', 'dead-letters', 'sensor-registry']
    >>> catalogue(TopicNames(alerts="predictions"))
    Traceback (most recent call last):
    hedgerow.topics.errors.CatalogueError: two topics are called 'predictions'; each needs its own
    """
    topics = Catalogue(
        readings=TopicSpec(
            name=names.readings,
            carries="Readings as sensors send them, and forecasts by others; the input.",
            key="Free, and best the sensor id, or its zone where sensors are each other's "
            "companions: a series must keep to one partition. For a bare number it is the "
            "sensor id.",
            record=Reading,
            partitions=partitions,
            replication=replication,
            retention_ms=7 * _DAY_MS,
            max_message_bytes=input_max_message_bytes,
        ),
        predictions=TopicSpec(
            name=names.predictions,
            carries="One record per learned reading: what its series will do.",
            key="series key",
            record=Prediction,
            partitions=partitions,
            replication=replication,
            retention_ms=7 * _DAY_MS,
            max_message_bytes=_MEBIBYTE,
        ),
        alerts=TopicSpec(
            name=names.alerts,
            carries="Episodes of something wrong with a series, opened and resolved.",
            key="series key",
            record=Alert,
            partitions=partitions,
            replication=replication,
            retention_ms=30 * _DAY_MS,
            max_message_bytes=_MEBIBYTE,
        ),
        dead_letters=TopicSpec(
            name=names.dead_letters,
            carries="Messages that could not be used, or not wholly, each with the reason.",
            key="the original key",
            record=None,
            partitions=1,
            replication=replication,
            retention_ms=30 * _DAY_MS,
            max_message_bytes=input_max_message_bytes + _MEBIBYTE,
        ),
        sensor_registry=TopicSpec(
            name=names.sensor_registry,
            carries="What is known of each sensor: name, kind, position, bounds, period.",
            key="the sensor id; a record without a value takes the sensor out",
            record=Sensor,
            partitions=1,
            replication=replication,
            retention_ms=_FOR_EVER,
            max_message_bytes=_MEBIBYTE,
            cleanup="compact",
        ),
        expert_forecasts=TopicSpec(
            name=names.expert_forecasts,
            carries="Optional: forecasts by others, each forwarded to the readings' topic under "
            "its sensor id as key.",
            key="Free; forecasts of one sensor keep their order only in one partition.",
            record=OutsideForecast,
            partitions=partitions,
            replication=replication,
            retention_ms=7 * _DAY_MS,
            max_message_bytes=input_max_message_bytes,
        )
        if expert_forecasts
        else None,
    )
    _check_names([topic.name for topic in topics])
    return topics


def _check_names(names: list[str]) -> None:
    for place, name in enumerate(names):
        if not _LEGAL_NAME.fullmatch(name) or name in (".", ".."):
            raise CatalogueError(
                f"{name!r} is not a topic name; up to 249 of A-Z a-z 0-9 . _ and - make one"
            )
        if name in names[:place]:
            raise CatalogueError(f"two topics are called {name!r}; each needs its own")
