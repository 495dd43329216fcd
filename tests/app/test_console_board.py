"""What the console remembers of the topics, and what it makes of it for the page."""

from __future__ import annotations

import itertools
from collections.abc import Iterator

import pytest

from hedgerow.app.console import board as remembered
from hedgerow.app.console.board import FEW, LONG, MOST_EPISODES, Board, Told
from hedgerow.app.console.series import row, series_view
from hedgerow.app.console.views import alert_views, reasons
from hedgerow.topics import Alert, Forecast, Prediction, decode_prediction, format_time, make_alert
from hedgerow.topics.encode import encode_record

HOUR = 3_600_000
START = 1_767_225_600_000  # 2026-01-01


def record(
    at: int, observed: float, *forecasts: Forecast, series: str = "s", offset: int | None = None
) -> Prediction:
    offset = at if offset is None else offset
    return Prediction(
        f"t:0:{offset}:{series}", series, series, None, offset, format_time(START + at * HOUR),
        observed, "all", forecasts,
    )  # fmt: skip


def forecast(at: int, predicted: float, horizon: int = 1, width: float | None = 1.0) -> Forecast:
    ends = (None, None) if width is None else (predicted - width, predicted + width)
    return Forecast(horizon, format_time(START + at * HOUR), predicted, predicted, *ends)


def bytes_of(of: Prediction | Alert) -> bytes:
    return encode_record(of)[1]


def alert(offset: int, state: str, opening: int = 1, series: str = "s") -> Alert:
    assert state in ("open", "resolved")
    return make_alert(
        "t", 0, series, "", offset, kind="bound", severity="critical", state=state,  # type: ignore[arg-type]
        opening_offset=opening, opened_ms=START, at_ms=START + offset * HOUR, observed=9.0,
        expected=5.0, lower=None, upper=8.0, message="9 is above the bound 8",
    )  # fmt: skip


@pytest.fixture
def board() -> Board:
    return Board()


def test_the_last_records_of_each_series_are_kept(board: Board) -> None:
    for at in range(10):
        for series in ("a", "b"):
            board.prediction(bytes_of(record(at, 1.0 * at, series=series)), 3)
    changed = board.take_changed(10)
    assert [trace.key for trace, _ in changed] == ["a", "b"]
    for _, records in changed:
        kept = [decode_prediction(value).observed for value in records]
        assert kept == [float(at) for at in range(10 - FEW, 10)]
    assert board.take_changed(10) == []
    assert board.partition_of("a") == 3


def test_a_repeat_is_counted_and_dropped(board: Board) -> None:
    values = [bytes_of(record(at, 1.0 * at)) for at in range(6)]
    for value in (*values, *values[2:], bytes_of(record(6, 6.0))):
        board.prediction(value, 0)
    (_, records), *_ = board.take_changed(1)
    assert [decode_prediction(value).observed for value in records] == [3.0, 4.0, 5.0, 6.0]
    assert (board.tally.records, board.tally.repeats) == (11, 4)


def test_offsets_that_begin_anew_are_no_repeats(board: Board) -> None:
    board.prediction(bytes_of(record(5, 5.0, offset=1_000)), 0)
    board.prediction(bytes_of(record(6, 6.0, offset=0)), 0)  # the topic was made anew
    (_, records), *_ = board.take_changed(1)
    assert decode_prediction(records[-1]).observed == 6.0


def test_memory_is_bounded_in_every_direction() -> None:
    board = Board(most_series=100)
    board.watch("s0")
    for at, number in itertools.product(range(LONG + 50), range(2)):
        board.prediction(bytes_of(record(at, 0.0, series=f"s{number}")), 0)
    for number in range(2, 150):
        board.prediction(bytes_of(record(0, 0.0, series=f"s{number}")), 0)
    for offset in range(MOST_EPISODES + 10):
        board.alert(bytes_of(alert(offset, "resolved", opening=offset)))
    board.dead_letter("json", "not JSON", "t:0:1", b"x" * 1_000_000)
    assert len(board.traces) == 100
    assert board.tally.beyond == 50
    assert len(board.records_of("s0")) == LONG
    assert len(board.episodes) == MOST_EPISODES
    assert len(board.openings) <= MOST_EPISODES
    assert len(board.letters["json"].example) <= remembered.LONGEST_EXAMPLE


def test_an_open_episode_outlives_the_resolved_ones(board: Board) -> None:
    board.alert(bytes_of(alert(0, "open", opening=0)))
    for offset in range(1, MOST_EPISODES + 10):
        board.alert(bytes_of(alert(offset, "resolved", opening=offset)))
    assert [told.newest for told in board.alerts() if told.newest.state == "open"] == [
        alert(0, "open", opening=0)
    ]


def test_of_two_records_of_an_episode_the_later_counts_in_any_order(board: Board) -> None:
    opened, resolved = alert(1, "open"), alert(4, "resolved")
    for told in (opened, resolved, opened, resolved):
        board.alert(bytes_of(told))
    assert board.alerts() == [Told(resolved, opened.message)]
    assert board.alert_changes == 2


def test_an_episode_that_one_reading_opens_and_resolves_is_resolved(board: Board) -> None:
    for state in ("open", "resolved", "open"):
        board.alert(bytes_of(alert(1, state)))
    assert [told.newest.state for told in board.alerts()] == ["resolved"]


def test_what_is_not_ours_is_counted_and_harms_nothing(board: Board) -> None:
    for value in (b"", b"{", b"[]", b'{"series": 7}', "ü".encode("latin-1")):
        board.prediction(value, 0)
        board.alert(value)
    board.alert(bytes_of(alert(1, "open")).replace(b"2026-01-01T", b"2026-13-01T"))
    assert board.tally.unreadable == 11
    assert board.alerts() == []
    assert board.take_changed(10) == []


def test_a_history_is_kept_only_while_somebody_watches(board: Board) -> None:
    board.prediction(bytes_of(record(10, 1.0)), 0)
    board.watch("s")
    board.watch("s")
    assert board.earlier("s", [bytes_of(record(at, 1.0)) for at in range(5)])
    assert [decode_prediction(value).source_offset for value in board.records_of("s")] == [
        0, 1, 2, 3, 4, 10,
    ]  # fmt: skip
    board.leave("s")
    assert len(board.records_of("s")) == 6
    board.leave("s")
    assert board.records_of("s") == []
    assert not board.earlier("s", [])


def offsets_of(board: Board, key: str = "s") -> list[int]:
    return [decode_prediction(value).source_offset for value in board.records_of(key)]


def test_a_history_has_no_hole_where_records_were_passed_over(board: Board) -> None:
    for at in range(3):
        board.prediction(bytes_of(record(at, 1.0)), 0)
        board.prediction(bytes_of(record(at, 1.0, series="elsewhere")), 1)
    board.watch("s")
    board.watch("elsewhere")
    assert board.pass_over([0]) == ["s"], "this one has to be searched for again"
    assert offsets_of(board) == [0, 1, 2], "nothing newer is known"
    for at in range(70, 73):
        board.prediction(bytes_of(record(at, 9.0)), 0)
    assert offsets_of(board) == [70, 71, 72]
    assert offsets_of(board, "elsewhere") == [0, 1, 2]
    board.earlier("s", [bytes_of(record(at, 9.0)) for at in range(60, 70)])
    assert offsets_of(board) == [*range(60, 73)]


def test_a_series_that_is_chosen_after_a_hole_begins_behind_it(board: Board) -> None:
    for at in range(3):
        board.prediction(bytes_of(record(at, 1.0)), 0)
    board.pass_over([0])
    board.prediction(bytes_of(record(70, 9.0)), 0)
    ((_, records),) = board.take_changed(1)
    assert [decode_prediction(value).source_offset for value in records] == [70]
    board.watch("s")
    assert offsets_of(board) == [70]


def test_a_series_that_is_chosen_before_anything_came_behind_a_hole_waits_for_it(
    board: Board,
) -> None:
    board.prediction(bytes_of(record(1, 1.0)), 0)
    board.pass_over([0])
    board.watch("s")
    assert offsets_of(board) == []


def test_a_history_goes_by_time_where_a_series_moved_to_another_partition(board: Board) -> None:
    for at in range(3):
        board.prediction(bytes_of(record(at, 1.0, offset=500 + at)), 0)
    board.watch("s")
    board.prediction(bytes_of(record(3, 9.0, offset=40)), 1)
    board.prediction(bytes_of(record(4, 9.0, offset=501)), 1)
    assert offsets_of(board) == [500, 501, 502, 40, 501]
    board.earlier("s", [bytes_of(record(at, 5.0, offset=7)) for at in (0, 4)])
    assert offsets_of(board) == [500, 501, 502, 40, 501], "what came last about a time counts"


def test_dead_letters_are_counted_by_reason_with_the_newest_as_example(board: Board) -> None:
    board.dead_letter("json", "not JSON", "t:0:1", b"{")
    board.dead_letter("value", "not a number", "t:0:2", b"n/a")
    board.dead_letter("value", "infinite", "t:0:3", b"\xff")
    listed = reasons(board.letters)
    assert [(one.reason, one.count) for one in listed] == [("value", 2), ("json", 1)]
    assert (listed[0].error, listed[0].place, listed[0].example) == ("infinite", "t:0:3", "\\xff")


# ---------------------------------------------------------------- views


def test_a_line_shows_the_forecast_that_was_made_for_the_reading() -> None:
    line = row(4, "s", [record(0, 1.0, forecast(1, 2.0)), record(1, 2.5)], 3)
    assert (line.number, line.observed, line.expected, line.inside) == (4, 2.5, 2.0, True)
    assert line.alerts == 3
    missed_a_slot = row(4, "s", [record(0, 1.0, forecast(1, 2.0)), record(2, 2.5)], 0)
    assert (missed_a_slot.expected, missed_a_slot.inside) == (None, None)


def test_an_interval_that_is_not_calibrated_judges_nothing() -> None:
    line = row(0, "s", [record(0, 1.0, forecast(1, 2.0, width=None)), record(1, 9.0)], 0)
    assert (line.expected, line.inside) == (2.0, None)


def noisy(days: int) -> Iterator[Prediction]:
    """An hourly series with a daily pattern, forecast half an error too high at two horizons."""
    for at in range(24 * days):
        ahead = [forecast(at + h, value(at + h) + 0.5, horizon=h) for h in (1, 30)]
        yield record(at, value(at), *ahead)


def value(at: int) -> float:
    return 10.0 + at % 24 + 0.1 * (at // 24)


def test_forecasts_stand_at_the_readings_they_were_about() -> None:
    view = series_view(list(noisy(4)), [], None)
    one, thirty = view.made
    assert (one.horizon, one.lead_seconds, thirty.lead_seconds) == (1, 3600.0, 30 * 3600.0)
    assert one.predicted[0] is None
    assert one.predicted[1:] == pytest.approx([observed + 0.5 for observed in view.observed[1:]])
    assert thirty.predicted[:30] == [None] * 30
    assert [(ahead.horizon, ahead.at) for ahead in view.ahead] == [
        (1, view.times[-1] + HOUR), (30, view.times[-1] + 30 * HOUR),
    ]  # fmt: skip


def test_errors_are_compared_with_what_was_known_when_the_forecast_was_made() -> None:
    view = series_view(list(noisy(9)), [], None)
    one, thirty = view.made
    assert one.error == pytest.approx(0.5)
    assert one.inside == 1.0
    naive = {against.reference: against for against in one.against}
    assert naive["day"].theirs == pytest.approx(0.1)
    assert naive["week"].theirs == pytest.approx(0.7)
    assert naive["persistence"].labels == 24 * 9 - 1
    assert naive["day"].labels == 24 * 8
    # 30 hours ahead, yesterday's slot was not known yet: the day before is meant.
    far = {against.reference: against for against in thirty.against}
    assert far["day"].theirs == pytest.approx(0.2)


def test_only_so_many_readings_are_shown_and_judged_but_all_are_known() -> None:
    view = series_view(list(noisy(9)), [], None, most_shown=20)
    assert len(view.times) == len(view.made[0].predicted) == 20
    assert view.made[0].labels == 20
    assert {against.reference for against in view.made[0].against} == {
        "persistence", "day", "week",
    }  # fmt: skip


def test_open_episodes_come_before_resolved_ones_and_new_before_old() -> None:
    told = [
        alert(5, "resolved", 5),
        alert(1, "open", 1),
        alert(9, "resolved", 9),
        alert(2, "open", 2),
    ]
    views = alert_views([Told(one, "9 came") for one in told], 3)
    assert [(view.open, view.at - START) for view in views] == [
        (True, 2 * HOUR), (True, HOUR), (False, 9 * HOUR),
    ]  # fmt: skip
    assert [view.opening for view in views] == [None, None, "9 came"]


def beside_the_grid(horizons: tuple[int, ...]) -> list[Prediction]:
    """Half a day of hourly readings that come up to 20 minutes early or late."""
    minutes = (0, 12, -7, 20, -20, 3)
    return [
        Prediction(
            f"t:0:{at}:s", "s", "s", None, at,
            format_time(START + at * HOUR + minutes[at % 6] * 60_000), float(at), "all",
            tuple(forecast(at + h, float(at), horizon=h) for h in horizons),
        )
        for at in range(12)
        if at != 5  # a slot without a reading
    ]  # fmt: skip


@pytest.mark.parametrize("horizons", [(1,), (1, 3)])
def test_a_forecast_meets_its_label_where_readings_come_beside_the_grid(
    horizons: tuple[int, ...],
) -> None:
    records = beside_the_grid(horizons)
    view = series_view(records, [], None)
    made = view.made[0]
    assert made.predicted == [None, 0.0, 1.0, 2.0, 3.0, None, 6.0, 7.0, 8.0, 9.0, 10.0]
    assert made.lead_seconds == 3600.0
    assert row(0, "s", records[-4:], 0).expected == 10.0
