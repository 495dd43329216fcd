"""A series is silent when the readings of others have gone on long enough without it."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest
from models.logs import DAY, HOUR, START, run, state
from models.logs import Log as ReadingLog

from hedgerow.models import (
    AlertEvent,
    AlertSwitches,
    CityModel,
    Learner,
    Profile,
    RawChunk,
    decode_chunk,
    encode_chunk,
)

ONLY_SILENT = AlertSwitches(bound=False, anomaly=False, drift=False, stuck=False)
CITY = CityModel((Profile("all", period_seconds=3600, horizons=(1,), alerts=ONLY_SILENT),))
WEEK = 7 * 24  # hours

Row = tuple[str, int]  # sensor, hour


def log(rows: list[Row], quantity: str = "") -> ReadingLog:
    return ReadingLog(
        [sensor for sensor, _ in rows],
        [quantity] * len(rows),
        np.array([START + hour * HOUR for _, hour in rows], np.int64),
        np.array([float(hour % 7) for _, hour in rows]),
    )


def hours(sensors: str, first: int, last: int) -> list[Row]:
    return [(sensor, hour) for hour in range(first, last) for sensor in sensors]


def silent(learner: Learner, rows: list[Row]) -> list[AlertEvent]:
    return [alert for alert in run(learner, log(rows)).alerts if alert.kind == "silent"]


def who(alerts: list[AlertEvent]) -> list[tuple[str, str]]:
    return [(alert.sensor_id, alert.state) for alert in alerts]


def test_a_series_is_silent_six_periods_after_its_last_reading_until_it_is_heard_again() -> None:
    before = hours("abc", 0, 2 * WEEK)
    rows = before + hours("bc", 2 * WEEK, 2 * WEEK + 20) + [("a", 2 * WEEK + 20)]
    opened, resolved = silent(Learner(CITY), rows)

    last_heard = 2 * WEEK - 1
    assert rows[opened.position] == ("c", last_heard + 6)  # the second of two others to get there
    assert (opened.sensor_id, opened.state, opened.severity) == ("a", "open", "warning")
    assert opened.opening_offset == opened.position
    assert opened.observed is None
    assert opened.at_ms == opened.opened_ms == START + (last_heard + 6) * HOUR
    assert opened.message == "nothing was heard for 6 h, where 1 h was the longest pause"
    assert (resolved.sensor_id, resolved.state) == ("a", "resolved")
    assert resolved.position == len(rows) - 1
    assert resolved.opening_offset == opened.opening_offset
    assert resolved.observed == float((2 * WEEK + 20) % 7)
    assert resolved.message.startswith("observed ")


def test_pauses_that_are_usual_raise_nothing() -> None:
    # Closed from 22 to 8 every night.
    rows = [row for row in hours("abc", 0, 6 * WEEK) if row[0] != "a" or 8 <= row[1] % 24 < 22]
    assert silent(Learner(CITY), rows) == []


def test_a_pause_longer_than_three_of_the_usual_is_told() -> None:
    rows = [row for row in hours("abc", 0, 3 * WEEK) if row[0] != "a" or 8 <= row[1] % 24 < 22]
    rows = [row for row in rows if row[0] != "a" or row[1] < 2 * WEEK]
    (opened,) = silent(Learner(CITY), rows)
    heard = 2 * WEEK - 3  # 21 o'clock
    assert heard + 30 < (opened.at_ms - START) // HOUR <= heard + 33


@pytest.mark.parametrize("sensors", ["a", "ab"])
def test_fewer_than_two_others_tell_nothing(sensors: str) -> None:
    rows = hours(sensors, 0, WEEK * 2) + hours(sensors[1:] or "a", WEEK * 2, WEEK * 3)
    assert silent(Learner(CITY), rows) == []


def test_a_sensor_with_a_wrong_clock_silences_nobody() -> None:
    rows = hours("abc", 0, 2 * WEEK)
    at = len(rows) - 90
    # Twice a day ahead, with all its quantities.
    rows[at:at] = [("z", 2 * WEEK + 24), ("z", 2 * WEEK + 48)]
    columns = log(rows)
    quantities = [
        "" if name != "z" else f"lane-{i % 2}" for i, name in enumerate(columns.sensor_ids)
    ]
    assert run(Learner(CITY), replace(columns, quantities=quantities)).alerts == []


def test_when_all_were_quiet_none_is_silent_if_all_speak_again() -> None:
    rows = hours("abcdef", 0, 2 * WEEK) + hours("abcdef", 2 * WEEK + 30, 3 * WEEK)
    assert silent(Learner(CITY), rows) == []


def test_the_one_that_stays_quiet_when_the_others_speak_again_is_silent() -> None:
    rows = hours("abcdef", 0, 2 * WEEK) + hours("bcdef", 2 * WEEK + 30, 3 * WEEK)
    (opened,) = silent(Learner(CITY), rows)
    assert opened.sensor_id == "a"
    assert (opened.at_ms - START) // HOUR == 2 * WEEK + 31  # a period after the others


def test_a_sensor_that_reports_once_a_day_for_the_day_before_is_not_silent() -> None:
    rows = []
    for day in range(30):
        rows += hours("bc", 24 * day, 24 * day + 24)
        rows += hours("a", 24 * day, 24 * day + 24)
    assert silent(Learner(CITY), rows) == []


def test_a_new_series_may_pause_for_two_days() -> None:
    rows = hours("bc", 0, 5 * 24) + hours("abc", 5 * 24, 6 * 24) + hours("bc", 6 * 24, 8 * 24)
    (opened,) = silent(Learner(CITY), rows)
    assert opened.at_ms == START + (6 * 24 - 1) * HOUR + 2 * DAY


def test_a_series_whose_period_is_found_out_is_watched_as_well() -> None:
    city = CityModel((Profile("any", horizons=(1,), alerts=ONLY_SILENT),))
    alerts = silent(Learner(city), hours("abc", 0, 2 * WEEK) + hours("bc", 2 * WEEK, 3 * WEEK))
    assert who(alerts) == [("a", "open")]


def test_quantities_of_one_message_are_heard_at_once() -> None:
    n = 3 * 2 * WEEK
    sensors = [sensor for _ in range(2 * WEEK) for sensor in ("a", "a", "b", "c")]
    quantities = [quantity for _ in range(2 * WEEK) for quantity in ("x", "y", "", "")]
    hour = np.repeat(np.arange(2 * WEEK), 4)
    offsets = np.repeat(np.arange(n), np.tile([2, 1, 1], 2 * WEEK))
    times = START + hour.astype(np.int64) * HOUR
    keep = ~((hour > WEEK + 9) & (hour < WEEK + 30))
    picked = np.flatnonzero(keep)
    result = Learner(CITY).step(
        [sensors[i] for i in picked], [quantities[i] for i in picked], times[keep],
        np.ones(len(picked)), offsets[keep],
    )  # fmt: skip
    assert result.alerts == []


def test_an_episode_survives_a_snapshot() -> None:
    learner = Learner(CITY)
    opened = silent(learner, hours("abc", 0, 2 * WEEK) + hours("bc", 2 * WEEK, 2 * WEEK + 9))
    learner = Learner.restore(CITY, state(learner))
    resolved = silent(learner, hours("bca", 2 * WEEK + 9, 2 * WEEK + 10))

    assert who(opened + resolved) == [("a", "open"), ("a", "resolved")]
    assert resolved[0].opening_offset == opened[0].opening_offset


def test_the_switch_turns_it_off() -> None:
    off = replace(CITY.profiles[0], alerts=replace(ONLY_SILENT, silent=False))
    rows = hours("abc", 0, 2 * WEEK) + hours("bc", 2 * WEEK, 3 * WEEK)
    assert silent(Learner(CityModel((off,))), rows) == []


def test_the_watermark_is_what_two_sensors_have_reached() -> None:
    learner = Learner(CITY)
    assert learner.reached_ms is None
    run(learner, log([("a", 5)]))
    assert learner.reached_ms == START + 5 * HOUR
    run(learner, log([("a", 9), ("b", 7), ("c", 8)]))
    assert learner.reached_ms == START + 8 * HOUR


def test_a_snapshot_from_before_silence_was_watched_is_still_read() -> None:
    learner = Learner(CITY)
    run(learner, log(hours("abc", 0, 50)))
    chunks = {
        name: data
        for name, data in state(learner).items()
        if name != "watermark" and not name.startswith("silence/")
    }
    meta = decode_chunk(chunks["meta"])
    older = {key: value for key, value in meta.meta.items() if key != "silence"}
    chunks["meta"] = encode_chunk(RawChunk("meta", meta=older))

    restored = Learner.restore(CITY, chunks)
    rows = hours("abc", 50, 50 + 2 * WEEK) + hours("bc", 50 + 2 * WEEK, 50 + 3 * WEEK)
    assert who(silent(restored, rows)) == [("a", "open")]
