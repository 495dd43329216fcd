"""The public files of the Numenta Anomaly Benchmark and their labelled windows.

Before: CSV files and labels as the benchmark publishes them. After: ``scoring`` compares a
detector's scores with the windows.
"""

from __future__ import annotations

import csv
import json
import os
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

PROBATION_SHARE = 0.15
PROBATION_LONGEST = 750  # 15 % of 5,000 rows
BESIDE_CHECKOUT = Path(__file__).resolve().parents[3] / "shared" / "data"


@dataclass(frozen=True, slots=True)
class LabelledFile:
    """One series with its windows.

    Attributes
    ----------
    name : str
        Path below ``data/``, such as ``realTraffic/speed_7578.csv``.
    seconds : array of int
        Event time of each row; the files state local time without a zone, taken as UTC.
    values : array of float
        What was measured.
    windows : tuple of (int, int)
        First and last row of each labelled window.
    """

    name: str
    seconds: NDArray[np.int64]
    values: NDArray[np.float64]
    windows: tuple[tuple[int, int], ...]

    @property
    def category(self) -> str:
        """The folder, such as ``realTraffic``."""
        return self.name.split("/", maxsplit=1)[0]

    @property
    def probation(self) -> int:
        """How many rows from the start are not scored."""
        return min(int(PROBATION_SHARE * len(self.values)), PROBATION_LONGEST)

    @property
    def period_seconds(self) -> int:
        """The step between rows that is met most often."""
        steps, counts = np.unique(np.diff(self.seconds), return_counts=True)
        return int(steps[np.argmax(counts)])


def data_folder() -> Path:
    """Return where data sets are: ``HEDGEROW_DATA``, else ``shared/data`` beside the checkout."""
    return Path(os.environ.get("HEDGEROW_DATA", BESIDE_CHECKOUT))


def _seconds(stamp: str) -> int:
    return int(datetime.fromisoformat(stamp).replace(tzinfo=UTC).timestamp())


def _read_file(path: Path, name: str, windows: list[list[str]]) -> LabelledFile:
    with path.open(newline="") as lines:
        rows = [(row["timestamp"], float(row["value"])) for row in csv.DictReader(lines)]
    # As the benchmark's own scorer has it: a window begins at the row of its exact stamp.
    at: dict[int, int] = {}
    for row, (stamp, _) in enumerate(rows):
        at.setdefault(_seconds(stamp), row)
    return LabelledFile(
        name=name,
        seconds=np.array([_seconds(stamp) for stamp, _ in rows], np.int64),
        values=np.array([value for _, value in rows], np.float64),
        windows=tuple((at[_seconds(first)], at[_seconds(last)]) for first, last in windows),
    )


def read_corpus(folder: Path) -> list[LabelledFile]:
    """Read the files below ``folder/data`` that ``folder/labels`` knows, ordered by name.

    Parameters
    ----------
    folder : Path
        A checkout of the benchmark, or part of one: ``data/*/*.csv`` and
        ``labels/combined_windows.json``.

    Raises
    ------
    FileNotFoundError
        If there are no labels.
    """
    path = folder / "labels" / "combined_windows.json"
    if not path.exists():
        raise FileNotFoundError(
            f"There are no labels at {path}. Put a checkout of github.com/numenta/NAB there, or "
            "set HEDGEROW_DATA to the folder that holds it as nab/."
        )
    labels = json.loads(path.read_text())
    names = sorted(name for name in labels if (folder / "data" / name).exists())
    return [_read_file(folder / "data" / name, name, labels[name]) for name in names]
