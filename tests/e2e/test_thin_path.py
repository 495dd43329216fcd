"""Readings of each form and bad messages of each kind go in; what comes out, and what it says."""

from __future__ import annotations

import json
import signal
from collections import Counter
from collections.abc import Iterator
from dataclasses import dataclass, replace
from typing import Any

import pytest
from faults.judge import verifier
from faults.log import scenario
from faults.log.city import City, build_city
from faults.log.logs import Entry
from faults.log.scenario import HOUR, START_MS, TICK, iso
from faults.run.driver import Outcome, Run, judge
from faults.run.workers import Sample
from stack.fixtures import Stack

SENSORS = 5  # with the two quantities of one: six series, and no room for more
CITY = """\
[[profiles]]
name = "bounded"
match = ["h00"]
period_seconds = 3600
bound_upper = 100.0

[[profiles]]
name = "five"
match = ["f*", "b*", "r*"]
period_seconds = 300
"""


def readings() -> Iterator[Entry]:
    """Give every input form two days of a regular pattern, and one sensor an excess."""

    def entry(sensor: str, at: int, **body: object) -> Entry:
        text = json.dumps({"sensor_id": sensor, **body})
        return Entry(0, at, sensor.encode(), text.encode())

    for at in range(START_MS, START_MS + 48 * HOUR, TICK):
        level = 10.0 + (at % HOUR) / TICK
        yield entry("f00", at, timestamp=at / 1000, value=level)
        yield entry("f01", at, timestamp=at, value=level)
        yield entry("r00", at, timestamp=iso(at), values={"count": level, "speed": 50})
        yield Entry(0, at, b"b00", f"{level}".encode())
        if at % HOUR == 0:
            excess = 40 * HOUR <= at - START_MS < 43 * HOUR
            yield entry("h00", at, timestamp=iso(at), value=150.0 if excess else level)


def bad_messages() -> Iterator[Entry]:
    """Give one message of every bad form, then a series too many."""
    now = START_MS + 47 * HOUR
    for makers in scenario.BAD.values():
        for make in makers:
            key, value = make("f00", now)
            yield Entry(0, now, key, value)
    yield Entry(0, now, b"f99", b"1.5")


@dataclass(frozen=True, slots=True)
class Visit:
    """A finished run, and what its worker showed over HTTP on the way."""

    city: City
    outcome: Outcome
    pages: dict[str, tuple[int, str]]
    exit_code: int | None
    metrics: dict[Sample, float]


@pytest.fixture(scope="module")
def visit(stack: Stack, tmp_path_factory: pytest.TempPathFactory) -> Visit:
    entries = [*readings(), *bad_messages()]
    rules = replace(scenario.RULES, max_series=SENSORS + 1, horizons=(1, 2))
    city = build_city(stack, entries, partitions=1, rules=rules, config=CITY).write()
    settings = {"HEDGEROW_HORIZONS": "[1, 2]"}
    with Run(city, tmp_path_factory.mktemp("thin"), settings=settings) as run:
        worker = run.start()
        run.wait_ready(worker)
        run.wait_done()
        pages = {path: worker.get(path) for path in ("/healthz", "/readyz", "/metrics")}
        metrics = worker.metrics()
        worker.child.signal(signal.SIGINT)
        exit_code = worker.child.wait(60.0)
        return Visit(city, run.finish(), pages, exit_code, metrics)


def test_every_message_is_answered_as_it_must_be(visit: Visit) -> None:
    assert judge(visit.city, visit.outcome) == []
    assert verifier.repeats(visit.outcome.outputs.predictions) == 0


def test_ctrl_c_ends_a_worker_cleanly(visit: Visit) -> None:
    assert visit.exit_code == 0


def test_every_reason_is_given(visit: Visit) -> None:
    given = {dict(record.headers)["dlq.reason"] for record in visit.outcome.outputs.dead_letters}
    assert given == {*(reason.encode() for reason in scenario.BAD), b"series-limit"}


def test_every_form_ends_up_with_forecasts_at_the_horizons_asked_for(visit: Visit) -> None:
    newest = {body["series"]: body for body in bodies(visit)}
    assert set(newest) == {"h00", "f00", "f01", "b00", "r00/count", "r00/speed"}
    for body in newest.values():
        assert [forecast["horizon"] for forecast in body["forecasts"]] == [1, 2], body


def test_a_regular_pattern_is_learned(visit: Visit) -> None:
    newest = {body["series"]: body for body in bodies(visit)}
    for series in ("f00", "b00", "r00/count"):
        ahead = newest[series]["forecasts"][0]
        observed = newest[series]["observed"]
        assert ahead["predicted"] == pytest.approx(10.0 + (observed - 10.0 + 1) % 12, abs=2.0)


def test_a_bound_that_is_exceeded_opens_and_resolves_one_episode(visit: Visit) -> None:
    bounds = [
        body
        for body in (json.loads(record.value or b"") for record in visit.outcome.outputs.alerts)
        if body["series"] == "h00" and body["kind"] == "bound"
    ]
    assert [body["state"] for body in bounds] == ["open", "resolved"]
    assert len({body["episode"] for body in bounds}) == 1
    assert bounds[0]["observed"] == 150.0


def test_health_and_readiness_answer(visit: Visit) -> None:
    assert {path: status for path, (status, _) in visit.pages.items()} == {
        "/healthz": 200,
        "/readyz": 200,
        "/metrics": 200,
    }


def test_no_label_carries_a_sensor_id(visit: Visit) -> None:
    sensors = {"h00", "f00", "f01", "f99", "b00", "r00", "xf00"}
    for _, labels in visit.metrics:
        for name, value in labels:
            assert name not in {"sensor", "sensor_id", "series", "key"}
            assert value.partition("/")[0] not in sensors


@pytest.mark.parametrize(
    ("metric", "label"),
    [("hedgerow_messages_total", "outcome"), ("hedgerow_readings_total", "outcome")],
)
def test_the_counters_agree_with_the_log(visit: Visit, metric: str, label: str) -> None:
    shown = values(visit, metric, label)
    counts = visit.city.expected.counts
    assert shown == {name: counts[name.replace("-", "_")] for name in shown}
    assert sum(shown.values()) > 0


def test_the_accounting_kept_with_the_state_agrees_with_the_log(visit: Visit) -> None:
    shown = values(visit, "hedgerow_accounted", "outcome")
    counted = {name.replace("-", "_"): value for name, value in shown.items()}
    assert verifier.check_counts(visit.city.expected, counted) == []


def test_dead_letters_are_counted_by_reason(visit: Visit) -> None:
    due = Counter(reason for _, reason in visit.city.expected.dead.values())
    assert values(visit, "hedgerow_dead_letters_total", "reason") == due


@pytest.mark.parametrize(
    "metric",
    [
        "hedgerow_predictions_total",
        "hedgerow_alerts_total",
        "hedgerow_batch_messages_count",
        "hedgerow_stage_seconds_total",
        "hedgerow_consumer_lag",
        "hedgerow_checkpoint_seconds_count",
        "hedgerow_checkpoint_bytes_total",
        "hedgerow_series",
        "hedgerow_redis_up",
        "hedgerow_broker_up",
    ],
)
def test_the_metric_is_there(visit: Visit, metric: str) -> None:
    assert metric in {name for name, _ in visit.metrics}


def values(visit: Visit, metric: str, label: str) -> dict[str, float]:
    return {
        dict(labels)[label]: value
        for (name, labels), value in visit.metrics.items()
        if name == metric
    }


def bodies(visit: Visit) -> list[dict[str, Any]]:
    """Return the predictions, decoded, in the order they were published."""
    return [json.loads(record.value or b"") for record in visit.outcome.outputs.predictions]
