"""What a preset costs is measured on the bank as it is."""

from __future__ import annotations

from benchmarks.cost import preset_costs
from hedgerow.models.experts.catalogue import PRESETS


def test_every_preset_is_measured() -> None:
    costs = preset_costs(rounds=1)
    assert [cost.preset for cost in costs] == list(PRESETS)
    assert all(0.0 < cost.fastest < 1000.0 for cost in costs)
