"""Backtest: files in, the service's own forecasts scored, and nothing made up on the way."""

from __future__ import annotations

import json
import math
import re
from datetime import UTC, datetime, timedelta
from html.parser import HTMLParser
from pathlib import Path
from zoneinfo import ZoneInfo

import numpy as np
import pytest
from rig import Rig, batch
from rig import log as log_of

from hedgerow.app.backtest import Backtest, Findings, Trace
from hedgerow.app.backtest.log import FileLog, FileMessage
from hedgerow.app.backtest.plots import hourly_errors
from hedgerow.app.cli import main
from hedgerow.app.replay.readings_file import BadRow, Columns, ReadingsFile, Row
from hedgerow.models import CityModel, Profile, series_key
from hedgerow.topics import Limits, decode_prediction

START = datetime(2026, 1, 5, tzinfo=UTC)
NOW_MS = 1_900_000_000_000
DAYS = 21


def value(series: int, hour: int) -> float:
    """Some daily shape with noise that is the same on every machine."""
    noise = (hour * 7919 + series * 104_729) % 101 / 10
    return round(50 + 20 * math.sin(hour / 24 * math.tau) + 5 * series + noise, 2)


def rows(*, series: int = 3, days: int = DAYS) -> list[str]:
    return [
        f"s{number},{(START + timedelta(hours=hour)).isoformat()},{value(number, hour)}"
        for hour in range(24 * days)
        for number in range(series)
    ]


def written(path: Path, lines: list[str]) -> Path:
    path.write_text("\n".join(["sensor_id,timestamp,value", *lines, ""]), "utf-8")
    return path


def city(**options: object) -> CityModel:
    return CityModel((Profile("all", **options),), "Europe/Vienna")  # type: ignore[arg-type]


def run(
    *paths: Path,
    trace: Trace | None = None,
    limit: int | None = None,
    columns: Columns | None = None,
) -> Findings:
    log = FileLog(paths, columns or Columns(), sent_ms=NOW_MS)
    return Backtest(city(), limits=Limits(), max_series=1000, trace=trace).run(log, limit=limit)


class Typed:
    """Runs the command in this process, as it would be typed."""

    def __init__(self, capsys: pytest.CaptureFixture[str]) -> None:
        self._capsys = capsys

    def __call__(self, *arguments: str | Path) -> tuple[int, str, str]:
        with pytest.raises(SystemExit) as left:
            main(["backtest", *map(str, arguments)])
        printed = self._capsys.readouterr()
        return int(left.value.code or 0), printed.out, printed.err


@pytest.fixture
def typed(capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch) -> Typed:
    monkeypatch.setenv("HEDGEROW_CONFIG", "")
    return Typed(capsys)


def test_scores_are_those_of_the_published_forecasts_alone(tmp_path: Path) -> None:
    trace = Trace()
    findings = run(written(tmp_path / "r.csv", rows()), trace=trace)
    assert len(findings.scores) == 9
    periods = {series_key(s.sensor_id, s.quantity): s.period_ms for s in findings.scores}
    for score in findings.scores:
        matched = dict(trace.matched(periods, score.horizon))[score.sensor_id]
        times = matched.target_ms
        number = int(score.sensor_id[1:])
        hours = (times - int(START.timestamp() * 1000)) // 3_600_000
        labels = np.array([value(number, hour) for hour in hours.tolist()])
        known = np.isfinite(matched.lower)
        inside = (matched.lower <= labels) & (labels <= matched.upper)

        assert score.n == len(labels) > 400
        assert score.absolute_error == pytest.approx(np.abs(matched.predicted - labels).sum())
        assert score.squared_error == pytest.approx(((matched.mean - labels) ** 2).sum())
        assert (score.with_interval, score.covered) == (known.sum(), inside[known].sum())
        assert score.width_sum == pytest.approx((matched.upper - matched.lower)[known].sum())
        naive = {r.reference: r for r in score.references}["persistence"]
        assert naive.reference_absolute_error == pytest.approx(
            sum(abs(value(number, h) - value(number, h - score.horizon)) for h in hours.tolist())
        )


def test_a_file_whose_scores_can_be_told_in_advance(tmp_path: Path, typed: Typed) -> None:
    """One series stands still, one alternates between 0 and 10: the naive errors are known."""
    lines = [
        f"{name},{(START + timedelta(hours=hour)).isoformat()},{reading}"
        for hour in range(24 * DAYS)
        for name, reading in (("still", 7), ("swing", 10 * (hour % 2)))
    ]
    path = written(tmp_path / "r.csv", lines)
    found = json.loads(typed(path, "--horizons", "1,2", "--json")[1])
    still, _, swing, swing_2 = found["series"]
    # The first 20 readings are for the period; the last forecasts' labels never come.
    assert (still["n"], swing["n"], swing_2["n"]) == (484, 484, 483)
    assert (still["mae"], still["rmse"]) == pytest.approx((0.0, 0.0), abs=0.01)
    assert still["skill"]["persistence"] is None
    assert swing["mae"] == pytest.approx(10 * (1 - swing["skill"]["persistence"]))
    assert swing_2["skill"]["persistence"] is None  # two hours back it stood where it stands
    assert swing["skill"]["day"] is None


def test_every_row_is_the_message_that_a_replay_would_send(tmp_path: Path) -> None:
    path = written(tmp_path / "r.csv", [*rows(days=1), "s1,never,3"])
    sent = [row for row in ReadingsFile(path).rows() if isinstance(row, Row)]
    log = list(FileLog([path], Columns(), sent_ms=NOW_MS).messages())
    assert [m.value for m in log if isinstance(m, FileMessage)] == [row.message for row in sent]
    assert [m.offset for m in log if isinstance(m, FileMessage)] == list(range(len(sent)))


async def test_it_finds_what_the_service_s_own_loop_publishes(tmp_path: Path) -> None:
    """Forecasts, accounting and dead letters of the agent, fed what a replay would send."""
    bad = f"{'x' * 300},2026-01-07,1"
    path = written(tmp_path / "r.csv", [*rows(days=6), bad, *rows(days=1)])
    trace = Trace()
    findings = run(path, trace=trace)
    rig = Rig(city())
    await rig.assign()
    sent = [row.message for row in ReadingsFile(path).rows() if isinstance(row, Row)]
    await rig.feed(batch(log_of(sent)))

    published = {}
    for record in rig.emitter.of("predictions"):
        made = decode_prediction(record.value or b"")
        for forecast in made.forecasts:
            target = datetime.fromisoformat(forecast.target_time).timestamp() * 1000
            published[made.series, forecast.horizon, int(target)] = forecast.predicted
    found = {
        (key, horizon, at): predicted
        for horizon in (1, 3, 12)
        for key, matched in trace.matched(dict.fromkeys(trace.keys, 3_600_000), horizon)
        for at, predicted in zip(matched.target_ms.tolist(), matched.predicted, strict=True)
    }
    assert len(found) > 1000
    assert {key: published[key] for key in found} == pytest.approx(found, rel=1e-6)
    assert findings.counts == rig.learner.counts
    assert findings.scores == rig.learner.scores()
    letters = rig.emitter.of("dead-letters")
    reasons = [dict(letter.headers)["dlq.reason"].decode() for letter in letters]
    assert dict(findings.bad) == {"key": 1} == {reason: reasons.count(reason) for reason in reasons}


def test_several_files_are_one_log_by_time(tmp_path: Path) -> None:
    whole = run(written(tmp_path / "all.csv", rows()))
    parts = [
        written(tmp_path / f"{number}.csv", [r for r in rows() if r.startswith(f"s{number}")])
        for number in range(3)
    ]
    assert run(*parts).scores == whole.scores
    merged = FileLog(parts, Columns(), sent_ms=NOW_MS).messages()
    hours = [json.loads(m.value or b"")["timestamp"] for m in merged if isinstance(m, FileMessage)]
    assert hours == sorted(hours)


def test_rows_out_of_order_in_a_file_stay_so_and_are_late(tmp_path: Path) -> None:
    lines = rows(series=1)
    path = written(tmp_path / "a.csv", [*lines[10:], *lines[:10]])
    other = written(tmp_path / "b.csv", [line.replace("s0", "s1") for line in lines])
    assert run(path, other).counts.late == 10


def test_bad_rows_are_counted_by_the_reason_of_their_dead_letter(tmp_path: Path) -> None:
    ahead = datetime.fromtimestamp(NOW_MS / 1000, UTC) + timedelta(days=2)
    bad = [
        "s0,2026-03-01",
        ",2026-03-01,1",
        "s0,yesterday,1",
        "s0,2026-03-01,much",
        f"{'x' * 300},2026-03-01,1",
        f"s0,{ahead.isoformat()},1",
        "s0,1969-07-20,1",
    ]
    findings = run(written(tmp_path / "r.csv", [*rows(), *bad, "s0,2026-03-01,1"]))
    assert dict(findings.bad) == {"schema": 1, "key": 2, "time": 3, "value": 1}
    first = findings.first_bad[0]
    assert (first.line, first.reason) == (2 + len(rows()), "schema")
    counts = findings.counts
    assert counts.messages == len(rows()) + len(bad) + 1
    assert (counts.messages_dead_lettered, counts.learned) == (len(bad), len(rows()) + 1)
    assert counts.rejected == 2  # of named sensors, as the service counts them


def test_lines_that_are_no_json_are_told_from_those_that_are_no_object(tmp_path: Path) -> None:
    path = tmp_path / "r.ndjson"
    path.write_text('{"sensor_id": "a", "timestamp": 1, "value": 2}\n{\n[1]\n', "utf-8")
    found = [row for _, row in _bad(FileLog([path], Columns(), sent_ms=NOW_MS))]
    assert [(row.line, row.reason) for row in found] == [(2, "json"), (3, "schema")]


def _bad(log: FileLog) -> list[tuple[int, BadRow]]:
    return [entry for entry in log.messages() if isinstance(entry, tuple)]


def test_a_limit_counts_rows(tmp_path: Path) -> None:
    findings = run(written(tmp_path / "r.csv", rows()), limit=100)
    assert findings.counts.messages == 100


def test_several_quantities_are_series_of_their_own(tmp_path: Path) -> None:
    path = tmp_path / "wide.csv"
    lines = [
        f"{(START + timedelta(hours=h)).isoformat()},{value(0, h)},{value(1, h)}"
        for h in range(24 * DAYS)
    ]
    path.write_text("\n".join(["timestamp,count,speed", *lines]), "utf-8")
    columns = Columns(sensor_name="r", quantities=("count", "speed"))
    findings = run(path, columns=columns)
    assert {(s.sensor_id, s.quantity) for s in findings.scores} == {("r", "count"), ("r", "speed")}
    assert findings.counts.learned == 2 * findings.counts.messages


def test_the_error_by_hour_is_by_the_local_hour_of_the_label(tmp_path: Path) -> None:
    trace = Trace()
    run(written(tmp_path / "r.csv", rows(series=1)), trace=trace)
    ((_, matched),) = trace.matched({"s0": 3_600_000}, 3)
    errors = hourly_errors(matched, ZoneInfo("Europe/Vienna"))
    at_nine = (matched.target_ms // 3_600_000) % 24 == 8  # UTC, in winter
    expected = np.abs(matched.predicted - matched.label)[at_nine].mean()
    assert errors["ours"][9] == pytest.approx(expected)
    mean = np.abs(matched.origin - matched.label).mean()
    assert np.nanmean(errors["persistence"]) == pytest.approx(mean, rel=0.05)


def test_weights_are_kept_evenly_and_not_without_end(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("hedgerow.app.backtest.run.TRACED", 5)
    trace = Trace()
    trace._stride = trace._next = 5
    run(written(tmp_path / "r.csv", rows()), trace=trace)
    gaps = np.diff([one.at_ms for one in trace.weights[:-1]])
    assert 64 <= len(trace.weights) <= 128
    assert gaps.max() <= 3 * gaps.min()
    for share in trace.weights[-1].shares.values():
        assert sum(share.values()) == pytest.approx(1.0)


def test_a_short_file_too_shows_how_the_weights_moved(tmp_path: Path) -> None:
    trace = Trace()
    run(written(tmp_path / "r.csv", rows()[:1_000]), trace=trace)
    assert len(trace.weights) >= 3


def test_the_table_shows_every_series_and_horizon(tmp_path: Path, typed: Typed) -> None:
    path = written(tmp_path / "r.csv", [*rows(), "s0,never,1"])
    code, out, err = typed(path, "--timezone", "Europe/Vienna", "--horizons", "1,24")
    assert code == 0
    assert re.search(r"s0 +1 h +\d+", out)
    assert len(re.findall(r"^ +24 h +\d+", out, re.MULTILINE)) == 3
    assert f"{len(rows()):,} learned" in out
    assert "1 rows would be dead letters: 1 time" in err
    assert f"r.csv line {2 + len(rows())}: 'never' is not a time" in err


def test_many_series_are_summed_up_by_profile_unless_all_are_asked_for(
    tmp_path: Path, typed: Typed
) -> None:
    path = written(tmp_path / "r.csv", rows(series=13, days=3))
    assert "default: 13 every 1 h" in typed(path)[1]
    assert "s12" in typed(path, "--all")[1]


def test_json_is_one_document_with_the_numbers_of_the_scores(tmp_path: Path, typed: Typed) -> None:
    path = written(tmp_path / "r.csv", rows())
    code, out, _ = typed(path, "--timezone", "Europe/Vienna", "--json")
    found = json.loads(out)
    expected = run(path).scores
    assert code == 0
    assert found["counts"]["learned"] == len(rows())
    assert [(line["name"], line["horizon"]) for line in found["series"]] == [
        (score.sensor_id, score.horizon) for score in expected
    ]
    for line, score in zip(found["series"], expected, strict=True):
        assert line["n"] == score.n
        assert line["lead_time_seconds"] == 3600 * score.horizon
        assert set(line["skill"]) == {"persistence", "day", "week"}
        assert line["regret"] == pytest.approx(score.regret / score.absolute_error)
        assert sum(line["weights"].values()) == pytest.approx(1.0)
    assert [line["series"] for line in found["profiles"]] == [3, 3, 3]


class Page(HTMLParser):
    """Sees whether tags are closed in order, and what a page would load."""

    VOID = frozenset({"meta"})

    def __init__(self) -> None:
        super().__init__()
        self.open: list[str] = []
        self.seen: list[str] = []
        self.loads: list[str] = []

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.seen.append(tag)
        self.loads += [f"{tag} {n}" for n, _ in attrs if n in {"src", "href", "xlink:href", "data"}]
        if tag not in self.VOID:
            self.open.append(tag)

    def handle_startendtag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.handle_starttag(tag, attrs)
        self.open.pop()

    def handle_endtag(self, tag: str) -> None:
        assert self.open.pop() == tag


def test_the_report_is_one_file_that_loads_nothing(tmp_path: Path, typed: Typed) -> None:
    odd = [line.replace("s2", "<b>&s2") for line in rows()]
    path = written(
        tmp_path / "r.csv", [*odd, f"s0,{(START + timedelta(days=DAYS)).isoformat()},1e6"]
    )
    report = tmp_path / "report.html"
    code, _, err = typed(path, "--report", report)
    assert code == 0
    assert f"plots are in {report}" in err
    text = report.read_text("utf-8")
    page = Page()
    page.feed(text)
    page.close()
    assert page.open == []
    assert page.loads == []
    assert '<meta name="viewport" content="width=device-width, initial-scale=1">' in text
    assert "1 slot ahead" in text
    assert "script" not in page.seen
    assert not re.search(r"url\(|@import|https?:", text)
    # By hour and weights for each horizon, forecasts for each series and horizon.
    assert page.seen.count("svg") >= 3 + 3 + 9
    assert "<b>" not in text
    assert not re.search(r"\bnan\b|\binf\b", text)


def test_plots_can_be_chosen(tmp_path: Path, typed: Typed) -> None:
    report = tmp_path / "report.html"
    typed(written(tmp_path / "r.csv", rows()), "--report", report, "--plot", "s1")
    assert re.findall(r"<h3>(.*?)</h3>", report.read_text("utf-8")) == ["s1"]


@pytest.mark.parametrize(
    ("typed_options", "code", "words"),
    [
        (["none.csv"], 5, "there is no file"),
        (["r.csv", "--value-column", "kW"], 5, "has no column 'kW'"),
        (["empty.csv"], 5, "nothing could be learned"),
        (["bad.csv"], 5, "bad.csv line 2: 'soon' is not a time"),
        (["r.csv", "--horizons", "1,x"], 2, "'1,x' are not slots ahead by comma"),
        (["r.csv", "--horizons", "3,1"], 2, "must rise strictly"),
        (["r.csv", "--timezone", "Mars/Olympus"], 2, "is not a time zone"),
        (["r.csv", "--config", "none.toml"], 2, "no settings file"),
        (["r.csv", "--report", "none/report.html"], 1, "cannot be written"),
    ],
)
def test_what_cannot_be_done_is_said_in_a_sentence(
    tmp_path: Path, typed: Typed, typed_options: list[str], code: int, words: str
) -> None:
    written(tmp_path / "r.csv", rows(series=1, days=2))
    written(tmp_path / "empty.csv", [])
    written(tmp_path / "bad.csv", ["a,soon,1"])
    options = [re.sub(r"^.*\.(csv|toml|html)$", rf"{tmp_path}/\g<0>", o) for o in typed_options]
    left, _, err = typed(*options)
    assert left == code
    assert words in " ".join(re.sub(r"[│╭╮╰╯─]", " ", err).split())


def test_a_settings_file_and_a_period_decide_how_it_is_learned(
    tmp_path: Path, typed: Typed
) -> None:
    config = tmp_path / "city.toml"
    config.write_text('[[profiles]]\nname = "three"\nmatch = ["s*"]\nhorizons = [2]\n', "utf-8")
    path = written(tmp_path / "r.csv", rows(series=1))
    found = json.loads(typed(path, "--config", config, "--period", "7200", "--json")[1])
    assert [(p["name"], p["horizon"]) for p in found["profiles"]] == [("three", 2)]
    assert found["series"][0]["lead_time_seconds"] == 4 * 3600
    assert found["counts"]["duplicate"] == pytest.approx(len(rows(series=1)) / 2, abs=1)


def test_companions_named_in_a_settings_file_have_a_share(tmp_path: Path, typed: Typed) -> None:
    config = tmp_path / "city.toml"
    config.write_text(
        '[[profiles]]\nname = "near"\nhorizons = [1]\nneighbours = { s0 = ["s1"] }\n', "utf-8"
    )
    path = written(tmp_path / "r.csv", rows(series=2))
    found = json.loads(typed(path, "--config", config, "--json")[1])
    shares = {line["name"]: line["mean_weights"]["companions_mean"] for line in found["series"]}
    assert shares["s0"] > 0.0
    assert shares["s1"] == 0.0


def test_a_file_of_sensors_decides_about_each(tmp_path: Path, typed: Typed) -> None:
    sensors = tmp_path / "sensors.csv"
    sensors.write_text(
        "sensor_id,bound_upper,period_seconds,neighbours\ns0,40,,\ns1,,7200,\ns2,,,s0\n", "utf-8"
    )
    path = written(tmp_path / "r.csv", rows(series=3))

    plain = json.loads(typed(path, "--json")[1])
    found = json.loads(typed(path, "--registry", sensors, "--json")[1])

    assert "bound" not in plain["alerts"]
    assert found["alerts"]["bound"] > 0
    lead = {line["name"]: line["lead_time_seconds"] for line in found["series"][::-1]}
    assert lead == {"s0": 3600, "s1": 7200, "s2": 3600}
    shares = {line["name"]: line["weights"] for line in found["series"]}
    assert "companions" in shares["s2"]
    assert "companions" not in shares["s0"]
