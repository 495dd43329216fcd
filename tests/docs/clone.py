"""A folder that looks like a clone, with the files that the pages name beside it."""

from __future__ import annotations

import gzip
import json
import math
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pyarrow
from docs.blocks import ROOT
from pyarrow import parquet

from hedgerow.app.demo.feed import SAMPLE, Feed
from hedgerow.app.replay.readings_file import BadRow

NOT_LINKED = {".git", ".venv", "build", "dist"}
BEGAN = datetime(2026, 1, 5, tzinfo=UTC)
CITY = """\
[[profiles]]
name = "bridge"
match = ["bridge-*"]
period_seconds = 3600
bound_upper = 90.0
"""
SENSORS = """\
sensor_id,name,kind,zone,unit,longitude,latitude
bridge-7,Dronning Louises Bro,traffic,harbour,bicycles/h,12.5636,55.6868
bridge-8,Knippelsbro,traffic,harbour,bicycles/h,12.5873,55.6748
"""


def lay_out(folder: Path) -> None:
    """Make the folder; what is in the repository is linked, what a reader brings is made up."""
    folder.mkdir()
    for entry in ROOT.iterdir():
        if entry.name not in NOT_LINKED and not entry.name.startswith("."):
            (folder / entry.name).symlink_to(entry)
    (folder / "city.toml").write_text(CITY, "utf-8")
    roads = ["road,measured_at,vehicles", *roads_of_a_month()]
    (folder / "loops.csv").write_text("\n".join(roads) + "\n", "utf-8")
    with gzip.open(folder / "loops.csv.gz", "wt") as text:
        text.write("\n".join(["road,at,vehicles", *roads[1:]]) + "\n")
    with gzip.open(folder / "readings.csv.gz", "wt") as text:
        text.write("\n".join(["sensor_id,timestamp,value", *roads[1:]]) + "\n")
    columns = zip(*(line.split(",") for line in roads[1:]), strict=True)
    sensors, times, values = (list(column) for column in columns)
    table = {"sensor_id": sensors, "timestamp": times, "value": [float(v) for v in values]}
    parquet.write_table(pyarrow.table(table), folder / "loops.parquet")
    (folder / "sensors.csv").write_text(SENSORS, "utf-8")
    (folder / "load.csv").write_text(
        "\n".join(["timestamp,value", *(line.partition(",")[2] for line in roads[1::2])]) + "\n",
        "utf-8",
    )


def roads_of_a_month() -> list[str]:
    """Give hourly counts of two roads that follow the hour of the day."""
    lines = []
    for hour in range(24 * 28):
        at = (BEGAN + timedelta(hours=hour)).isoformat().replace("+00:00", "Z")
        for number, road in enumerate(("A1", "A4"), start=1):
            count = 200 * number * (1.2 - math.cos(math.tau * hour / 24)) + (hour * 7919) % 37
            lines.append(f"{road},{at},{count:.0f}")
    return lines


def seed(messages: int | None) -> tuple[list[tuple[str, bytes]], datetime]:
    """Give the first messages of the demo's city, or what the demo sends, and a bridge's.

    Without a number it is the demo's whole feed, its own bad messages included, and no bridge.

    Returns
    -------
    messages : list of (str, bytes)
        Keys and values.
    ends : datetime
        The time of the next reading of the bridge.
    """
    sent: list[tuple[str, bytes]] = []
    if messages is None:
        rows = (row for row in Feed().rows() if not isinstance(row, BadRow))
        return [(row.sensor_id, row.message) for row in rows], BEGAN
    with gzip.open(SAMPLE, "rt") as lines:
        next(lines)
        for line, _ in zip(lines, range(messages), strict=False):
            sensor, stamp, value = line.strip().split(",")
            sent.append((sensor, reading(sensor, stamp, float(value))))
    at = BEGAN
    for hour in range(60):
        sent.append(("bridge-7", reading("bridge-7", at.isoformat(), 10 + hour % 24)))
        speed = {"sensor_id": "bridge-7", "timestamp": at.isoformat(),
                 "values": {"speed": 40 - hour % 24 / 2}}  # fmt: skip
        sent.append(("bridge-7", json.dumps(speed).encode()))
        at += timedelta(hours=1)
    sent += [("bridge-7", b"{"), ("bridge-7", b'{"timestamp": 1767254400, "value": 3}')]
    return sent, at


def reading(sensor: str, at: str, value: float) -> bytes:
    return json.dumps({"sensor_id": sensor, "timestamp": at, "value": value}).encode()
