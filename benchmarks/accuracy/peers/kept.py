"""A method's forecasts of a feed, kept from run to run as ``.npz``.

They serve development alone; the report that is published comes from a run that made them.
"""

from __future__ import annotations

from importlib.metadata import version
from pathlib import Path

import numpy as np

from benchmarks.accuracy.forecasts import Forecast
from benchmarks.accuracy.run import Other, Scope


def path_of(folder: Path, feed: str, peer: str, package: str) -> Path:
    """Where a method's forecasts are: the file's name holds the version that made them."""
    return folder / f"{feed} {peer} {package}-{version(package)}.npz".replace(" ", "_")


def write(path: Path, other: Other) -> None:
    """Keep them."""
    path.parent.mkdir(parents=True, exist_ok=True)
    columns = {
        f"{number}.{horizon}.{what}": getattr(forecast, what)
        for (number, horizon), forecast in other.made.items()
        for what in ("predicted", "mean")
    }
    np.savez_compressed(
        path, name=other.name, scope=other.scope.value, seconds=other.seconds, fits=other.fits,
        overtime=other.overtime, **columns,
    )  # fmt: skip


def read(path: Path) -> Other | None:
    """Give what was kept, if anything."""
    if not path.is_file():
        return None
    made = {}
    with np.load(path) as columns:
        for column in columns.files:
            if column.endswith(".predicted"):
                number, horizon, _ = column.split(".")
                mean = columns[f"{number}.{horizon}.mean"]
                made[int(number), int(horizon)] = Forecast(columns[column], mean)
        return Other(
            str(columns["name"]), Scope(str(columns["scope"])), made, float(columns["seconds"]),
            int(columns["fits"]), int(columns["overtime"]),
        )  # fmt: skip
