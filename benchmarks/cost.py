"""``python -m benchmarks.cost``: what a series of each preset costs, in memory and in time.

Steps of a bank as a worker runs them: hourly series, three horizons, alerts on, outputs written.
The rows of a few series stay in the processor's caches; those of a thousand do not, and then a
step waits for memory, on a busy machine for longer.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from statistics import median
from time import process_time_ns

import numpy as np
from rich.console import Console
from rich.table import Table

from hedgerow.models import CityModel, Profile
from hedgerow.models.bank.bank import Bank, outputs
from hedgerow.models.experts.catalogue import PRESETS
from hedgerow.models.experts.signals import Signals
from hedgerow.models.zone import zone_table

HOUR_MS = 3_600_000
HORIZONS = (1, 3, 12)
FEW, MANY = 20, 1_000  # series
READINGS = 1_000  # of a round
LEARNED_SLOTS = 24 * 14  # before anything is timed
ROUNDS = 200


@dataclass(frozen=True, slots=True)
class Cost:
    """What a series of one preset takes.

    Attributes
    ----------
    experts : int
    row_bytes : int
        Its row, on both planes.
    few, many : float
        CPU µs a reading, the median round, among ``FEW`` and among ``MANY`` series.
    fastest : float
        That of the fastest round among ``MANY``.
    """

    preset: str
    experts: int
    row_bytes: int
    few: float
    many: float
    fastest: float


def preset_costs(rounds: int = ROUNDS) -> list[Cost]:
    """Measure every preset."""
    timed = {(preset, n): _rounds(preset, n) for preset in PRESETS for n in (FEW, MANY)}
    taken = {key: [run() for _ in range(rounds)] for key, run in timed.items()}
    found = []
    for preset in PRESETS:
        layout = _bank(preset, 1).layout
        found.append(
            Cost(
                preset,
                len(layout.experts),
                layout.blank.nbytes + layout.blank_single.nbytes,
                median(taken[preset, FEW]),
                median(taken[preset, MANY]),
                min(taken[preset, MANY]),
            )
        )
    return found


def _bank(preset: str, series: int) -> Bank:
    profile = Profile(period_seconds=3600, horizons=HORIZONS, experts=(preset,))
    bank = Bank(profile, HOUR_MS, zone_table("UTC"))
    for _ in range(series):
        bank.add(0)
    return bank


def _rounds(preset: str, series: int) -> Callable[[], float]:
    """Let a bank learn; return what steps it through the next round and gives µs a reading."""
    bank, signals = _bank(preset, series), Signals(CityModel())
    draw = np.random.default_rng(1)
    height = draw.uniform(20.0, 200.0, series)
    next_slot = 0

    def steps(slots: int) -> float:
        nonlocal next_slot
        slot = np.repeat(np.arange(next_slot, next_slot + slots), series)
        next_slot += slots
        which, positions = np.tile(np.arange(series), slots), np.arange(slots * series)
        wave = 1.0 + 0.3 * np.sin(2.0 * np.pi * slot / 24.0)
        values = np.maximum(height[which] * wave + draw.normal(0.0, 3.0, len(slot)), 0.0)
        out = outputs(len(slot), len(HORIZONS))
        nobody = np.full(len(slot), -1)
        began = process_time_ns()
        bank.step(
            which, positions, time_ms=slot * HOUR_MS, values=values, offsets=positions,
            outside=nobody, company=signals.company(which), out=out,
        )  # fmt: skip
        return (process_time_ns() - began) / 1e3 / len(slot)

    steps(LEARNED_SLOTS)
    return lambda: steps(READINGS // series)


def main() -> None:
    """Print what each preset costs."""
    table = Table("preset", "experts", "bytes a series", f"µs, {FEW} series", f"µs, {MANY:,}",
                  "fastest round")  # fmt: skip
    for one in preset_costs():
        table.add_row(one.preset, str(one.experts), f"{one.row_bytes:,}", f"{one.few:.2f}",
                      f"{one.many:.2f}", f"{one.fastest:.2f}")  # fmt: skip
    Console().print(table)


if __name__ == "__main__":
    main()
