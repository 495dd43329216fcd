"""From the registry's records to what the models learn by."""

from __future__ import annotations

from collections.abc import Mapping

from hedgerow.models import Mark, Registry, SensorFacts
from hedgerow.topics import Sensor


def declared(sensors: Mapping[str, Sensor], mark: Mark | None = None) -> Registry:
    """Return what of the sensors matters to learning, and how far their topic had been read.

    Examples
    --------
    >>> declared({"a": Sensor("a", name="A", bound_upper=5.0)}).of("a").bound_upper
    5.0
    """
    facts = {
        who: SensorFacts(
            kind=sensor.kind,
            zone=sensor.zone,
            bound_lower=sensor.bound_lower,
            bound_upper=sensor.bound_upper,
            period_seconds=sensor.period_seconds,
            neighbours=sensor.neighbours,
        )
        for who, sensor in sensors.items()
    }
    return Registry({who: one for who, one in facts.items() if one != SensorFacts()}, mark)
