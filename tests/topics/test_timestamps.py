"""Times come in and go out without losing a millisecond."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from hedgerow.topics import TimestampError, epoch_time, format_time, parse_time
from hedgerow.topics.timestamps import MAX_TIME_MS

EPOCH = datetime(1970, 1, 1, tzinfo=UTC)
any_ms = st.integers(0, MAX_TIME_MS)


@settings(deadline=None)
@given(any_ms)
def test_what_is_written_is_read_back(time_ms):
    assert parse_time(format_time(time_ms)) == time_ms


@settings(deadline=None)
@given(any_ms)
def test_written_as_any_reader_of_iso_expects(time_ms):
    text = format_time(time_ms)

    assert datetime.fromisoformat(text) == EPOCH + timedelta(milliseconds=time_ms)
    assert text.endswith("Z")
    assert len(text) == (24 if time_ms % 1000 else 20)


@settings(deadline=None)
@given(st.datetimes(timezones=st.timezones()))
def test_zones(moment):
    assert parse_time(moment.isoformat()) == (moment - EPOCH) // timedelta(milliseconds=1)


@settings(deadline=None)
@given(any_ms)
def test_epoch_milliseconds(time_ms):
    if time_ms >= 1e11:
        assert epoch_time(float(time_ms)) == time_ms
    if time_ms / 1000 < 1e11:
        assert epoch_time(time_ms / 1000) == time_ms


@settings(deadline=None)
@given(st.text())
def test_a_text_is_a_time_or_a_timestamp_error(text):
    try:
        parse_time(text)
    except TimestampError as error:
        assert "ISO 8601" in str(error)


def test_the_farthest_forecast_of_the_last_reading_can_be_written():
    longest_lead_ms = 2000 * 31 * 86_400_000  # horizon and period at their settings' limits

    assert format_time(MAX_TIME_MS + longest_lead_ms).startswith("9169-")


@pytest.mark.parametrize("time_ms", [253_402_300_800_000, 2**62, -(2**62)])
def test_years_that_cannot_be_written(time_ms):
    with pytest.raises(TimestampError, match="outside the years"):
        format_time(time_ms)
