"""Publishes to the registry what differs from it.

Before: ``app/registry/files`` has read a file, ``app/registry/table`` the topic. After: every
worker takes the change at its next checkpoints. Sent again, the same file publishes nothing.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass

from hedgerow.app.replay.send import KafkaSender
from hedgerow.app.settings import Settings
from hedgerow.topics import Sensor, encode_sensor

PROGRESS_EVERY = 200


@dataclass(frozen=True, slots=True)
class Changes:
    """What a file changes in the registry.

    Attributes
    ----------
    new, changed : list of Sensor
        To be published.
    removed : list of str
        Ids to be taken out.
    unchanged : int
        How many are there already as they should be.
    """

    new: list[Sensor]
    changed: list[Sensor]
    removed: list[str]
    unchanged: int

    def __str__(self) -> str:
        return (
            f"{len(self.new)} new, {len(self.changed)} changed, {self.unchanged} unchanged, "
            f"{len(self.removed)} removed"
        )

    @property
    def count(self) -> int:
        """How many records have to be published."""
        return len(self.new) + len(self.changed) + len(self.removed)


def changes(
    there: Mapping[str, Sensor], wanted: Mapping[str, Sensor], *, replace: bool = False
) -> Changes:
    """Compare a file with the registry.

    Parameters
    ----------
    replace : bool
        Whether sensors that the file does not name are to be taken out.

    Examples
    --------
    >>> a, b = Sensor("a"), Sensor("b")
    >>> print(changes({"a": a, "c": a}, {"a": a, "b": b}, replace=True))
    1 new, 0 changed, 1 unchanged, 1 removed
    """
    new = [sensor for who, sensor in wanted.items() if who not in there]
    changed = [sensor for who, sensor in wanted.items() if there.get(who, sensor) != sensor]
    removed = sorted(set(there) - set(wanted)) if replace else []
    return Changes(new, changed, removed, len(wanted) - len(new) - len(changed))


def send(settings: Settings, found: Changes, progress: Callable[[int], None]) -> None:
    """Publish changes, and wait until all are acknowledged.

    Parameters
    ----------
    progress : Callable[[int], None]
        Told now and then how many are on their way.

    Raises
    ------
    AppError
        If one cannot be delivered.
    """
    records: list[tuple[bytes, bytes | None]] = []
    records += [encode_sensor(sensor) for sensor in (*found.new, *found.changed)]
    records += [(who.encode("utf-8", "surrogatepass"), None) for who in found.removed]
    with KafkaSender(settings.kafka, settings.topics.sensor_registry) as sender:
        for number, (key, value) in enumerate(records, 1):
            sender.send(key, value)
            if number % PROGRESS_EVERY == 0:
                progress(number)
        sender.finish()
    progress(len(records))
