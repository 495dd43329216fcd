"""French electricity load with 65 experts' forecasts, as a log of readings and forecasts.

From the R package opera: its test set, 398 evenings from 2020-01-06 to 2021-04-29, national load
and the forecasts of 65 experts a day ahead (regional models scaled to the nation). The public
file leaves days out (holidays and their neighbours), so a day ahead is often two or more. Here
the rows are numbered as consecutive days, for a series has one period.
"""

from __future__ import annotations

import csv
import dataclasses
import gzip
import json
import math
import os
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path

DATA = Path(os.environ.get("HEDGEROW_DATA") or Path(__file__).parents[2] / "shared" / "data")
FOLDER = DATA / "opera_fr_load"
LEARNING_SET = 2011  # rows before the test set
SENSOR = "france"
START_MS = 1_578_340_800_000  # 2020-01-06, 20:00
DAY_MS = 86_400_000


@dataclass(frozen=True)
class Load:
    """The test set: dates as they were, load in MW, experts' names and forecasts by row."""

    dates: Sequence[str]
    load: Sequence[float]
    leading: Sequence[float]
    experts: tuple[str, ...]
    forecasts: Sequence[Sequence[float]]

    @property
    def first(self) -> int:
        """The reading, counted from the log's first, that is forecast the first row with."""
        return len(self.leading) - 1

    def readings(self) -> Iterator[tuple[int, float]]:
        """Give the row of each reading, negative before the test set, and its value."""
        yield from enumerate(self.leading, start=-len(self.leading))
        yield from enumerate(self.load)


def missing() -> str | None:
    """Say what is missing, ``None`` if the data is there."""
    return None if FOLDER.is_dir() else f"{FOLDER} (set HEDGEROW_DATA to the folder of data sets)"


def load(leading: int = 28) -> Load:
    """Read the files.

    Parameters
    ----------
    leading : int
        Readings before the test set, without forecasts: they say what the series is like. At
        least two: the first makes the series known, with the second the first row is forecast.
    """
    with gzip.open(FOLDER / "regional_load.csv.gz", "rt") as lines:
        rows = list(csv.DictReader(lines))
    with (FOLDER / "regional_experts.csv").open() as lines:
        names, *forecasts = csv.reader(lines)
    return Load(
        dates=[row["Date"][:10] for row in rows[LEARNING_SET:]],
        load=[float(row["Load"]) for row in rows[LEARNING_SET:]],
        leading=[float(row["Load"]) for row in rows[LEARNING_SET - leading : LEARNING_SET]],
        experts=tuple(names),
        forecasts=[[float(value) for value in line] for line in forecasts],
    )


def time_ms(row: int) -> int:
    """Return when a row's reading is taken, the rows being consecutive days."""
    return START_MS + row * DAY_MS


def reading(row: int, value: float) -> bytes:
    """Write a reading as a message."""
    return json.dumps({"sensor_id": SENSOR, "timestamp": time_ms(row), "value": value}).encode()


def forecasts(data: Load, row: int) -> list[bytes]:
    """Write all experts' forecasts for a row as messages."""
    return [
        json.dumps(
            {
                "sensor_id": SENSOR,
                "quantity": None,
                "expert": expert,
                "issued_at": time_ms(row - 1),
                "target_time": time_ms(row),
                "predicted": predicted,
            }
        ).encode()
        for expert, predicted in zip(data.experts, data.forecasts[row], strict=True)
    ]


def messages(data: Load) -> Iterator[bytes]:
    """Give the log: before each reading the forecasts for the day after it."""
    for row, value in data.readings():
        if -1 <= row < len(data.load) - 1:
            yield from forecasts(data, row + 1)
        yield reading(row, value)


@dataclass(frozen=True)
class Score:
    """Mean absolute percentage error over all rows and parts, root mean square error in MW."""

    mape: float
    before: float
    lockdown: float
    after: float
    rmse: float


def score(data: Load, mean: Sequence[float]) -> Score:
    """Score one forecast for each row."""
    off = [y - p for y, p in zip(data.load, mean, strict=True)]
    percent = [100 * abs(e) / y for e, y in zip(off, data.load, strict=True)]

    def average(first: str, last: str) -> float:
        picked = [p for p, d in zip(percent, data.dates, strict=True) if first <= d <= last]
        return sum(picked) / len(picked)

    return Score(
        mape=average("2020-01-01", "2021-12-31"),
        before=average("2020-01-01", "2020-03-15"),
        lockdown=average("2020-03-16", "2020-04-15"),
        after=average("2020-04-16", "2021-12-31"),
        rmse=math.sqrt(sum(e * e for e in off) / len(off)),
    )


PUBLISHED = {"mape": 1.383, "before": 1.330, "lockdown": 2.708, "after": 1.276, "rmse": 1057.0}
"""What ML-Poly (gradient trick, squared loss) reaches: the vignette's 1.38, 1.33, 2.71 and 1.28,
and one digit more from the same rule in ten lines of numpy."""


def rounded(found: Score) -> dict[str, float]:
    """Round a score as the published one is."""
    return {
        name: round(value, 0 if name == "rmse" else 3)
        for name, value in dataclasses.asdict(found).items()
    }
