"""How many bytes a series takes: what `docs/performance.md` and the presets promise."""

from __future__ import annotations

import pytest

from hedgerow.models import AlertSwitches, Profile
from hedgerow.models.bank.planes import row_layout

MINIMAL = Profile(
    "minimal", experts=("holt",), horizons=(1,), drift=False, alerts=AlertSwitches(anomaly=False)
)


def row_bytes(profile: Profile, period_seconds: int) -> int:
    layout = row_layout(profile, period_seconds * 1000)
    return layout.blank.nbytes + layout.blank_single.nbytes


@pytest.mark.parametrize(
    ("profile", "most"),
    [
        (Profile("accurate"), 96 * 1024),
        (Profile("lean", experts=("lean",)), 16 * 1024),
        (MINIMAL, 4 * 1024),
    ],
    ids=lambda it: it.name if isinstance(it, Profile) else "",
)
def test_an_hourly_series_takes_no_more_than_is_promised(profile: Profile, most: int) -> None:
    assert row_bytes(profile, 3600) <= most


def test_the_rule_about_anomalies_takes_room_only_where_it_is_on() -> None:
    on, off = Profile("on"), Profile("off", alerts=AlertSwitches(anomaly=False))
    names = {field.name for field in row_layout(off, 3_600_000).fields}
    assert row_bytes(on, 3600) - row_bytes(off, 3600) == 33 * 8 + 384 * 4
    assert not {"extremes", "extremes.hours"} & names
