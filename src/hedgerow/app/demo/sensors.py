"""What the demo's registry tells of its sensors: names, kinds, units, and places on a plan.

Before: a list beside the bundled sample says who sends in it. After: ``app/demo/run`` publishes
these to the registry, and the console names them and draws its map.
"""

from __future__ import annotations

from collections.abc import Iterable
from pathlib import Path
from typing import NamedTuple

from hedgerow.app.demo.scoreboard import UNITS
from hedgerow.app.registry.send import changes, send
from hedgerow.app.settings import Settings
from hedgerow.topics import Sensor

SENSORS = Path(__file__).parents[1] / "sample" / "sensors.txt"
CALLED = {"pedestrian": "", "parking": "Car park "}  # others by their kind
ABBREVIATIONS = frozenset({"ew", "ns", "nia"})


class _District(NamedTuple):
    """Part of the plan: its lower left corner, and how many sensors stand in a row."""

    x: float
    y: float
    columns: int


DISTRICTS = {
    "pedestrian": _District(0.0, 0.0, 5),
    "parking": _District(6.5, 0.0, 5),
    "bikes": _District(5.5, 2.0, 1),
    "traffic": _District(5.5, 4.0, 1),
    "solar": _District(0.5, 6.5, 1),
    "wind": _District(3.0, 6.5, 1),
}
OUTSKIRTS = _District(0.0, 8.0, 11)  # of kinds that have no district


def sample_sensors() -> list[Sensor]:
    """Describe the sensors of the bundled sample."""
    return city_sensors(SENSORS.read_text("ascii").split())


def city_sensors(sensor_ids: Iterable[str]) -> list[Sensor]:
    """Describe sensors by their ids, whose first word is the kind.

    Only the places are made up: a schematic plan with a district for each kind, in no unit. They
    are no true positions, for the sample is of several cities. Nothing is declared that changes
    what is learned: no bounds, no periods, no neighbours.

    Returns
    -------
    list of Sensor
        In the order of their ids, each at a place of its own; the same for the same ids.

    Examples
    --------
    >>> for sensor in city_sensors(["pedestrian-59-high-street", "parking-nia-north", "wind-farm"]):
    ...     print(sensor.name, sensor.kind, sensor.unit, sensor.x, sensor.y, sep="; ")
    Car park NIA North; parking; % taken; 6.5; 0.0
    59 High Street; pedestrian; people/h; 0.0; 0.0
    Wind Farm; wind; MW; 3.0; 6.5
    """
    placed: dict[_District, int] = {}
    sensors = []
    for who in sorted(set(sensor_ids)):
        kind, _, rest = who.partition("-")
        district = DISTRICTS.get(kind, OUTSKIRTS)
        number = placed.get(district, 0)
        placed[district] = number + 1
        row, column = divmod(number, district.columns)
        sensors.append(
            Sensor(
                who,
                name=_name(kind, rest),
                kind=kind,
                unit=UNITS.get(kind, ""),
                x=district.x + column + row % 2 / 2,
                y=district.y + row,
            )
        )
    return sensors


def _name(kind: str, rest: str) -> str:
    words = " ".join(map(_word, rest.split("-")))
    return (CALLED.get(kind, f"{kind.capitalize()} ") + words).strip()


def _word(word: str) -> str:
    code = word in ABBREVIATIONS or any(letter.isdigit() for letter in word)
    return word.upper() if code else word.capitalize()


def register(settings: Settings, sensors: Iterable[Sensor]) -> None:
    """Publish sensors to the registry, and wait until it has them all.

    Raises
    ------
    AppError
        If one cannot be delivered.
    """
    wanted = {sensor.sensor_id: sensor for sensor in sensors}
    send(settings, changes({}, wanted), lambda _: None)
