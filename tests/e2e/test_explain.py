"""`hedgerow explain` sums up to what a worker publishes: from the state and the log alone."""

from __future__ import annotations

import asyncio
import json
import math
from collections.abc import Iterator, Mapping
from dataclasses import dataclass

import pytest
from faults.log.city import City, build_city
from faults.log.logs import Entry, write
from faults.log.scenario import HOUR, RULES, START_MS, TICK, iso
from faults.run.driver import Run
from stack.fixtures import Stack

from hedgerow.app.explain.ask import Answer, NotExplained, explain_series
from hedgerow.app.explain.tell import reason
from hedgerow.app.settings import Settings, load_settings
from hedgerow.app.state.look import SeriesUnknown
from hedgerow.models.explanation.explain import Part
from hedgerow.topics import parse_time

HOURS = 240
CITY = """\
[[profiles]]
name = "bounded"
match = ["h00"]
period_seconds = 3600
bound_upper = 100.0

[[profiles]]
name = "five"
match = ["f*", "r*"]
period_seconds = 300
companions = ["speed"]
"""
EXACT = 1e-12

pytestmark = [
    pytest.mark.timeout(600),
    pytest.mark.parametrize("stack", ["embedded_stack"], indirect=True, scope="session"),
]


def readings() -> Iterator[Entry]:
    """Give ten days of a pattern; in the last hours one sensor exceeds its bound."""

    def entry(sensor: str, at: int, **body: object) -> Entry:
        text = json.dumps({"sensor_id": sensor, "timestamp": iso(at), **body})
        return Entry(0, at, sensor.encode(), text.encode())

    for n, at in enumerate(range(START_MS, START_MS + HOURS * HOUR, TICK)):
        hour = (at - START_MS) / HOUR
        level = 40.0 + 20.0 * math.sin(hour * math.pi / 12) + (n * 7919 % 13) / 3
        if n % 6 == 0:
            yield entry("r00", at, values={"count": level, "speed": 90.0 - level})
        if at % HOUR == 0:
            yield entry("h00", at, value=150.0 if hour >= HOURS - 3 else level)
            yield entry("u00", at, value=level)


@dataclass(frozen=True, slots=True)
class Told:
    """What was explained of a log before a worker had published it, and what it published."""

    run: Run
    half: int
    settings: Settings
    early: Mapping[str, Answer]
    newest: Mapping[str, dict[str, object]]
    all: Mapping[str, list[dict[str, object]]]


def ask(settings: Settings, series: str, at: str | None = None, *, anew: bool = False) -> Answer:
    at_ms = None if at is None else parse_time(at)
    return asyncio.run(
        explain_series(settings, series, at_ms=at_ms, from_start=anew, show=lambda *_: None)
    )


@pytest.fixture(scope="module")
def told(stack: Stack, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Told]:
    city: City = build_city(stack, [*readings()], partitions=1, rules=RULES, config=CITY)
    half = len(city.entries) // 2
    write(stack.bootstrap, city.topic, city.entries[:half])
    folder = tmp_path_factory.mktemp("explain")
    explained = {"HEDGEROW_PREDICTIONS__EXPLAIN": "true"}
    with pytest.MonkeyPatch.context() as patched, Run(city, folder, settings=explained) as run:
        for name, value in run.environment.items():
            patched.setenv(name, value)
        settings = load_settings()
        worker = run.start()
        run.wait_until(lambda: run.saved() == {0: half}, "the first half saved")
        worker.kill()
        write(stack.bootstrap, city.topic, city.entries[half:])
        early = {series: ask(settings, series) for series in ("h00", "u00", "r00/count")}
        run.wait_ready(run.start())
        run.wait_done()
        outcome = run.finish()
        published: dict[str, list[dict[str, object]]] = {}
        for record in outcome.outputs.predictions:
            body = json.loads(record.value or b"")
            published.setdefault(body["series"], []).append(body)
        newest = {
            series: max(records, key=lambda r: int(str(r["source_offset"])))
            for series, records in published.items()
        }
        yield Told(run, half, settings, early, newest, published)


def same(answer: Answer, record: Mapping[str, object]) -> bool:
    """Whether the numbers are those published, and their parts sum to them."""
    forecasts = answer.found.explanation.forecasts
    for forecast in forecasts:
        assert sums_to(forecast.inputs, forecast.predicted)
        assert sums_to(forecast.mean_inputs, forecast.mean)
    return [(one.horizon, one.predicted, one.mean, one.lower, one.upper) for one in forecasts] == [
        tuple(one[name] for name in ("horizon", "predicted", "mean", "lower", "upper"))
        for one in record["forecasts"]  # type: ignore[attr-defined]
    ]


def sums_to(parts: tuple[Part, ...], wanted: float) -> bool:
    amounts = [part.amount for part in parts]
    return abs(math.fsum(amounts) - wanted) <= EXACT * math.fsum(map(abs, amounts))


@pytest.mark.parametrize("series", ["h00", "u00", "r00/count"])
def test_it_explains_what_a_worker_will_publish_of_a_log_it_has_not_reached(
    told: Told, series: str
) -> None:
    answer, record = told.early[series], told.newest[series]
    assert answer.found.issued.offset == record["source_offset"]
    assert answer.found.issued.value == record["observed"]
    assert same(answer, record)


def test_it_explains_the_newest_prediction_from_a_state_at_the_logs_end(told: Told) -> None:
    for series, record in told.newest.items():
        answer = ask(told.settings, series)
        assert same(answer, record), series
        assert answer.first == answer.end


def test_the_prediction_tells_the_same(told: Told) -> None:
    """With `predictions.explain`, in each record."""
    for series, record in told.newest.items():
        answer = ask(told.settings, series)
        published = [one["explanation"] for one in record["forecasts"]]  # type: ignore[attr-defined]
        for forecast, body in zip(answer.found.explanation.forecasts, published, strict=True):
            experts = {
                one.expert: (one.weight, one.mean_weight, one.predicted)
                for one in forecast.experts
                if one.weight or one.mean_weight
            }
            assert experts == {
                one["expert"]: (one["weight"], one["mean_weight"], one["predicted"])
                for one in body["experts"]
            }
            brought = {one.input: one.amount for one in forecast.inputs}
            assert body["inputs"]
            assert all(brought[one["input"]] == one["amount"] for one in body["inputs"])


def test_a_time_before_the_newest_state_is_explained_from_the_one_before(told: Told) -> None:
    record = told.all["u00"][150]
    answer = ask(told.settings, "u00", str(record["issued_at"]))
    assert answer.first == told.half
    assert answer.found.issued.offset == record["source_offset"]
    assert same(answer, record)


def test_a_time_before_every_kept_state_says_what_can_be_had(told: Told) -> None:
    record = told.all["u00"][60]
    with pytest.raises(NotExplained, match="every kept state of 'u00' has passed .*--from-start"):
        ask(told.settings, "u00", str(record["issued_at"]))


@pytest.mark.parametrize("series", ["u00", "r00/speed"])
def test_learned_anew_it_explains_any_forecast_there_was(told: Told, series: str) -> None:
    records = sorted(told.all[series], key=lambda r: int(str(r["source_offset"])))
    record = records[len(records) * 2 // 3]
    answer = ask(told.settings, series, str(record["issued_at"]), anew=True)
    assert answer.found.issued.offset == record["source_offset"]
    assert same(answer, record)


def test_the_reason_of_an_alert_is_told_in_a_sentence(told: Told) -> None:
    answer = ask(told.settings, "h00", anew=True)
    [bound] = [one for one in answer.found.episodes if one.stands.kind == "bound"]
    sentence = reason(bound, answer.found)
    opened = iso(START_MS + (HOURS - 3) * HOUR)
    assert sentence.startswith("bound (critical) open since ")
    assert opened[:16] in sentence
    assert "observed 150, above the declared upper bound 100" in sentence
    assert "That forecast rested on the expert" in sentence
    assert bound.carried is not None
    assert bound.carried.target_ms == START_MS + (HOURS - 3) * HOUR
    assert bound.carried.experts[0].expert in sentence
    known = ask(told.settings, "h00")  # from the state: its opening lies before
    [known_bound] = [one for one in known.found.episodes if one.stands.kind == "bound"]
    assert known_bound.message == bound.message


def test_an_unknown_series_is_told_what_there_is(told: Told) -> None:
    with pytest.raises(SeriesUnknown, match="series 'r0/count'.*there is r00/count"):
        ask(told.settings, "r0/count")


def test_the_command_shows_the_sum(told: Told) -> None:
    done = told.run.ask("explain", "h00", "--horizon", "3")
    assert done.returncode == 0, done.stderr
    forecast = told.newest["h00"]["forecasts"][1]  # type: ignore[index]
    [total] = [line for line in done.stdout.splitlines() if line.startswith("sum = forecast")]
    assert total.split()[-2:] == [f"{forecast[name]:.6g}" for name in ("predicted", "mean")]
    assert "The forecast 3 ahead, by experts:" in done.stdout
    assert "bound (critical) open since " in done.stdout


def test_the_command_gives_json(told: Told) -> None:
    done = told.run.ask("explain", "u00", "--json")
    assert done.returncode == 0, done.stderr
    body = json.loads(done.stdout)
    assert body["source_offset"] is None  # nothing came after the last checkpoint
    assert [one["predicted"] for one in body["forecasts"]] == [
        one["predicted"]
        for one in told.newest["u00"]["forecasts"]  # type: ignore[attr-defined]
    ]


def test_a_wrong_horizon_and_a_wrong_time_are_told(told: Told) -> None:
    done = told.run.ask("explain", "u00", "--horizon", "2")
    assert (done.returncode, "is forecast 1, 3, 12 slots ahead" in done.stderr) == (2, True)
    done = told.run.ask("explain", "u00", "--at", "yesterday")
    assert done.returncode == 2
    assert "'yesterday' is not an ISO 8601 time" in done.stderr.replace("\n", " ")
