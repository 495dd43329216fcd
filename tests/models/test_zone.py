"""Local time follows the city's zone through every change of the clock."""

from __future__ import annotations

from datetime import UTC, datetime
from zoneinfo import ZoneInfo

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from models.logs import HOUR

from hedgerow.models.zone import local_time, zone_table

ZONES = ("UTC", "Europe/Vienna", "America/New_York", "Australia/Lord_Howe", "Asia/Kolkata",
         "Africa/Casablanca", "Pacific/Apia")  # fmt: skip


@settings(deadline=None)
@given(st.sampled_from(ZONES), st.integers(0, 4_102_444_799))
def test_local_time_is_what_zoneinfo_says(name: str, second: int) -> None:
    local = datetime.fromtimestamp(second, UTC).astimezone(ZoneInfo(name))
    shown = local.replace(tzinfo=UTC)
    assert local_time(zone_table(name), second * 1000) == round(shown.timestamp() * 1000)


@pytest.mark.parametrize(
    ("utc", "local_hour"),
    [("2026-03-29T00:59:59", 1), ("2026-03-29T01:00:00", 3), ("2026-10-25T00:59:59", 2),
     ("2026-10-25T01:00:00", 2)],
)  # fmt: skip
def test_summer_time_begins_and_ends_to_the_second(utc: str, local_hour: int) -> None:
    at = round(datetime.fromisoformat(utc).replace(tzinfo=UTC).timestamp() * 1000)
    assert local_time(zone_table("Europe/Vienna"), at) // HOUR % 24 == local_hour


def test_the_last_rule_holds_beyond_the_table() -> None:
    assert local_time(zone_table("Asia/Kolkata"), 32_503_680_000_000) == (
        32_503_680_000_000 + 5.5 * HOUR
    )
