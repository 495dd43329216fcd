"""A series is followed along its log: what was asked for, what came before, what is open."""

from __future__ import annotations

import json
import math
from collections.abc import Iterable
from dataclasses import dataclass

import pytest

from hedgerow.app.explain.replay import Found, SeriesReplay
from hedgerow.app.explain.tell import carriers, reason
from hedgerow.models import CityModel, Learner, Profile
from hedgerow.models.explanation.explain import ForecastSum, NothingToExplain
from hedgerow.topics import Limits

HOUR = 3_600_000
START = 1_767_225_600_000
CITY = CityModel((Profile("hourly", ("*",), 3600.0, bound_upper=90.0, experts=("lean",)),))


@dataclass(frozen=True)
class Message:
    offset: int
    timestamp: int
    key: bytes | None
    value: bytes | None


def message(offset: int, hour: float, value: float, sensor: str = "s") -> Message:
    at = START + int(hour * HOUR)
    body = {"sensor_id": sensor, "timestamp": at, "value": value}
    return Message(offset, at, None, json.dumps(body).encode())


def level(hour: int) -> float:
    return 50.0 + 20.0 * math.sin(hour * math.pi / 12) + (hour * 7919 % 13) / 3


def followed(
    messages: Iterable[Message], until_hour: float | None = None, *, at_once: int = 7
) -> SeriesReplay:
    until = None if until_hour is None else START + int(until_hour * HOUR)
    replay = SeriesReplay(Learner(CITY), ("s", ""), Limits(), until)
    log = list(messages)
    for start in range(0, len(log), at_once):
        if replay.feed(log[start : start + at_once]):
            break
    return replay


def usual(hours: int) -> list[Message]:
    return [message(hour, hour, level(hour)) for hour in range(hours)]


@pytest.mark.parametrize("at_once", [1, 7, 1000])
def test_it_stops_at_the_newest_reading_up_to_a_time(at_once: int) -> None:
    found = followed(usual(200), 150.4, at_once=at_once).found()
    assert (found.issued.offset, found.issued.value) == (150, level(150))
    assert found.explanation == followed(usual(151)).found().explanation
    assert found.expected is not None
    assert found.expected.forecasts[0].target_ms == START + 150 * HOUR


def test_a_later_reading_of_the_same_slot_does_not_stop_it() -> None:
    log = usual(150)
    log += [message(150, 149.3, 1.0), message(151, 150, 55.0), message(152, 151, 9.0)]
    found = followed(log, 149.1).found()  # the one of 149.3 h is a duplicate
    assert found.issued.offset == 149
    assert followed(log, 150.0).found().issued.offset == 151


def test_before_its_first_reading_there_is_nothing() -> None:
    with pytest.raises(NothingToExplain):
        followed(usual(20), -1.0).found()


def test_a_reading_that_is_late_changes_nothing() -> None:
    late = [*usual(150), message(150, 20.0, 7.0)]
    assert followed(late).found() == followed(usual(150)).found()


def opened(found: Found, kind: str) -> tuple[str, ForecastSum]:
    [episode] = [one for one in found.episodes if one.stands.kind == kind]
    assert episode.carried is not None
    return reason(episode, found), episode.carried


def test_a_bound_s_reason_names_the_forecast_that_was_made_for_it() -> None:
    log = [*usual(150), message(150, 150, 95.0), message(151, 151, 96.0)]
    expected = followed(usual(150)).found().explanation.forecasts[0]
    sentence, carried = opened(followed(log).found(), "bound")
    assert carried == expected
    assert "observed 95, above the declared upper bound 90" in sentence
    assert f"{expected.predicted:.6g} was forecast" in sentence
    assert sentence.endswith(f"That forecast rested on {carriers(expected)}")


def test_a_forecast_breach_s_reason_names_the_forecast_that_crosses() -> None:
    hours = 24 * 9
    log = [message(h, h, 99.0 if h % 24 == 18 else level(h)) for h in range(hours)]
    found = followed(log, hours - 24 + 15.5).found()  # three hours before it comes again
    sentence, carried = opened(found, "forecast-breach")
    assert carried.predicted > 90.0
    assert f"{carried.predicted:.6g} is forecast in" in sentence


def test_what_is_resolved_is_not_told() -> None:
    log = [*usual(150), message(150, 150, 95.0)]
    log += [message(hour, hour, 50.0) for hour in range(151, 156)]
    assert [one for one in followed(log).found().episodes if one.stands.kind == "bound"] == []
