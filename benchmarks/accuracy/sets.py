"""The public sets as regular series, in the order a city would send them.

Nothing of them is part of the project: they are read from the folder named by
``HEDGEROW_DATA``. Only time zone and horizons are given for each set.
"""

from __future__ import annotations

import csv
import gzip
import os
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

HERE = Path(__file__).resolve()
HOUR_MS = 3_600_000
AARHUS_SENSORS = np.round(np.linspace(0, 398, 20)).astype(int)


@dataclass(frozen=True, slots=True)
class Series:
    """One series on its grid.

    Attributes
    ----------
    cell : str
        The set it is reported under.
    first_ms, period_ms : int
        Time of slot 0, and length of a slot.
    values : ndarray of float64, shape (slots,)
        The first reading of each slot, NaN where there is none.
    """

    cell: str
    sensor_id: str
    quantity: str
    first_ms: int
    period_ms: int
    values: NDArray[np.float64]

    @property
    def day(self) -> int:
        """Slots in a day."""
        return 86_400_000 // self.period_ms

    @property
    def week(self) -> int:
        """Slots in a week."""
        return 7 * self.day

    @property
    def name(self) -> str:
        """Its key."""
        return f"{self.sensor_id}/{self.quantity}" if self.quantity else self.sensor_id

    @property
    def times_ms(self) -> NDArray[np.int64]:
        """Time of every slot."""
        return self.first_ms + self.period_ms * np.arange(len(self.values), dtype=np.int64)


@dataclass(frozen=True, slots=True)
class Feed:
    """Series that one learner sees together.

    Attributes
    ----------
    horizons : tuple of int
        Slots ahead.
    """

    name: str
    timezone: str
    horizons: tuple[int, ...]
    series: tuple[Series, ...]


def data_folder() -> Path:
    """Where the public sets are: ``HEDGEROW_DATA``, else ``../shared/data`` beside the checkout."""
    named = os.environ.get("HEDGEROW_DATA")
    folder = Path(named) if named else HERE.parents[3] / "shared" / "data"
    if not folder.is_dir():
        raise SystemExit(f"there is no folder {folder}; HEDGEROW_DATA names the public data's")
    return folder


def load(name: str) -> Feed:
    """Read one feed by its name."""
    return FEEDS[name](data_folder())


def _vic(folder: Path) -> Feed:
    rows = list(_rows(folder / "vic_electricity/vic_electricity.csv.gz"))
    series = _grid("vic_electricity", "vic", HOUR_MS // 2, rows, "Time", "Demand")
    return Feed("vic_electricity", "Australia/Melbourne", (1, 2, 48), (series,))


def _metro(folder: Path) -> Feed:
    rows = list(_rows(folder / "metro_i94/Metro_Interstate_Traffic_Volume.csv.gz"))
    series = _grid("metro_i94", "i94", HOUR_MS, rows, "date_time", "traffic_volume")
    return Feed("metro_i94", "UTC", (1, 3, 24), (series,))


def _melbourne(folder: Path) -> Feed:
    by_sensor: dict[str, list[dict[str, str]]] = {}
    for row in _rows(folder / "melbourne_pedestrian/pedestrian.csv.gz"):
        by_sensor.setdefault(row["Sensor"], []).append(row)
    name = "melbourne_pedestrian"
    series = tuple(
        _grid(name, sensor, HOUR_MS, rows, "Date_Time", "Count")
        for sensor, rows in by_sensor.items()
    )
    return Feed(name, "Australia/Melbourne", (1, 3, 24), series)


def _solar_wind(folder: Path) -> Feed:
    name = "au_solar_wind"
    files = {"solar": "hourly_solarpower.csv", "wind": "hourly_windpower.csv.gz"}
    series = tuple(
        _grid(name, kind, HOUR_MS, list(_rows(folder / name / file)), "ts", "y")
        for kind, file in files.items()
    )
    return Feed(name, "UTC", (1, 3, 24), series)


def _aarhus(folder: Path) -> Feed:
    """Both quantities of 20 of the 399 sensors, as one city sends them."""
    packed = np.load(folder / "aarhus_traffic/aarhus_traffic_5min.npz")
    first = int(datetime(2014, 8, 1, 7, 50, tzinfo=UTC).timestamp() * 1000)
    ids = packed["report_id"]
    series = []
    for column in AARHUS_SENSORS.tolist():
        for cell, name in (("aarhus_count", "vehicle_count"), ("aarhus_speed", "avg_speed")):
            values = packed[name][:, column].astype(np.float64)
            # -1 marks a missing value; a speed of 0 says that nothing was measured.
            values[values < 0 if name == "vehicle_count" else values <= 0] = np.nan
            start = int(np.flatnonzero(np.isfinite(values))[0])
            quantity = name.rsplit("_", 1)[-1]
            at = first + start * 300_000
            series.append(Series(cell, str(ids[column]), quantity, at, 300_000, values[start:]))
    return Feed("aarhus", "Europe/Copenhagen", (1, 3, 6, 12), tuple(series))


def _elec2(folder: Path) -> Feed:
    """New South Wales' price, half-hourly; the file has no times but is in order."""
    prices = [float(row["nswprice"]) for row in _rows(folder / "elec2/elec.csv.gz")]
    first = int(datetime(1996, 5, 7, tzinfo=UTC).timestamp() * 1000)
    series = Series("elec2", "nswprice", "", first, HOUR_MS // 2, np.array(prices))
    return Feed("elec2", "UTC", (1,), (series,))


def elec2_classes() -> NDArray[np.bool_]:
    """Whether each price of elec2 is called UP."""
    rows = _rows(data_folder() / "elec2/elec.csv.gz")
    return np.array([row["class"] in {"1", "UP"} for row in rows])


FEEDS: dict[str, Callable[[Path], Feed]] = {
    "au_solar_wind": _solar_wind,
    "vic_electricity": _vic,
    "metro_i94": _metro,
    "melbourne_pedestrian": _melbourne,
    "aarhus": _aarhus,
    "elec2": _elec2,
}


def _rows(path: Path) -> Iterator[dict[str, str]]:
    read = gzip.open if path.suffix == ".gz" else open
    with read(path, "rt", encoding="utf-8") as file:
        yield from csv.DictReader(file)


def _grid(
    cell: str, sensor: str, period_ms: int, rows: list[dict[str, str]], time: str, value: str
) -> Series:
    """Put rows on a grid; of several rows of one slot the first counts, as in the service."""
    times = np.array([_milliseconds(row[time]) for row in rows], np.int64)
    first = int(times.min())
    slots = np.rint((times - first) / period_ms).astype(int)
    values = np.full(int(slots.max()) + 1, np.nan)
    # Backwards, so that what is written last, and stays, is the first.
    values[slots[::-1]] = np.array([float(row[value]) for row in rows])[::-1]
    return Series(cell, sensor, "", first, period_ms, values)


def _milliseconds(text: str) -> int:
    moment = datetime.fromisoformat(text)
    return int((moment if moment.tzinfo else moment.replace(tzinfo=UTC)).timestamp() * 1000)
