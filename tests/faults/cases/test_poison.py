"""What sensors should not send: it costs a dead letter each, and nobody else anything."""

from __future__ import annotations

import json
from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path
from uuid import uuid4

import pytest
from faults.judge.chunks import not_finite
from faults.judge.expected import Expected
from faults.log import poison, scenario
from faults.log.city import City, build_city
from faults.log.logs import Entry, create_topics, write
from faults.matrix import Measured
from faults.run.driver import Outcome, Run, judge, undisturbed_run
from stack.fixtures import REAL, Stack

WORKER_FAILED = 8  # the exit code of `docs/cli.md`
NO_LIMITS = {"HEDGEROW_DEAD_LETTERS__MAX_RUN": "0", "HEDGEROW_DEAD_LETTERS__MAX_RATIO": "1"}
SHORT_SESSION = {"HEDGEROW_KAFKA__SESSION_TIMEOUT_SECONDS": "3"}
SAME = "nothing lost, nothing learned twice; same bytes, same state"

pytestmark = [
    pytest.mark.parametrize("stack", [REAL], indirect=True, scope="session"),
    pytest.mark.timeout(400),
]


def killed_once(city: City, folder: Path, seconds: float = 20.0) -> Outcome:
    """Feed a city to a worker that is killed in the middle of it."""
    with Run(city, folder, settings=SHORT_SESSION | NO_LIMITS) as run:
        run.wait_ready(run.start())
        with run.feed(seconds):
            run.wait_share(0.4)
            run.alive[0].kill()
            run.start()
        return run.settled()


def copy_of(city: City) -> City:
    """Return the same log for a fresh topic."""
    return build_city(
        city.stack, city.entries, partitions=city.partitions, rules=city.rules, config=city.config
    )


@pytest.mark.faults(
    row=5,
    case="one message in ten malformed",
    injections="10 % of every kind of bad message under load; `kill -9`, restart",
    outcome="one dead letter each with its reason and bytes; " + SAME,
)
def test_one_message_in_ten_malformed(stack: Stack, tmp_path: Path, measured: Measured) -> None:
    city = build_city(stack, poison.usual(bad=0.1), partitions=4).write()
    undisturbed = undisturbed_run(city, tmp_path)
    fed = copy_of(city)
    outcome = killed_once(fed, tmp_path)
    measured("{:d} of {:d} messages bad", len(city.expected.dead), len(city.entries))
    assert judge(fed, outcome, undisturbed) == []


@pytest.mark.faults(
    row=5,
    case="the largest message the broker takes, limit {limit}",
    injections="a reading of as many bytes as the broker accepts, among usual ones",
    outcome="{outcome}, the whole of it; others unharmed",
)
@pytest.mark.parametrize(
    ("limit", "outcome"),
    [
        pytest.param(262_144, "a dead letter for its size", id="refused"),
        pytest.param(2_000_000, "learned", id="taken"),
    ],
)
def test_the_largest_message(
    stack: Stack, tmp_path: Path, measured: Measured, limit: int, outcome: str
) -> None:
    size = poison.largest_accepted(stack.bootstrap)
    measured("{:d} bytes", size)
    rules = replace(scenario.RULES, max_message_bytes=limit)
    usual = poison.usual(days=0.2, partitions=1)
    entries = [*usual[:200], poison.padded(size), *usual[200:]]
    city = build_city(stack, entries, partitions=1, rules=rules).write()
    assert len(city.expected.dead) == (outcome != "learned")
    undisturbed_run(city, tmp_path)


@pytest.mark.slow
@pytest.mark.faults(
    row=5,
    case="a flood of new sensor ids",
    injections="20,000 ids never seen before beyond the limit of series; `kill -9`, restart",
    outcome="dead letters `series-limit`; existing series forecast as without the flood; " + SAME,
)
def test_a_flood_of_new_sensor_ids(stack: Stack, tmp_path: Path) -> None:
    calm = build_city(stack, poison.usual(), partitions=4).write()
    series = {reading.series for reading in calm.expected.learned.values()}
    by_partition = [
        len({r.series for r in calm.expected.learned.values() if r.partition == number})
        for number in range(4)
    ]
    rules = replace(scenario.RULES, max_series=max(by_partition))
    entries = poison.flood(calm.entries, ids=20_000, partitions=4)
    city = build_city(stack, entries, partitions=4, rules=rules).write()
    undisturbed = undisturbed_run(city, tmp_path, NO_LIMITS)
    fed = copy_of(city)

    outcome = killed_once(fed, tmp_path)

    assert judge(fed, outcome, undisturbed) == []
    assert sum(reason == "series-limit" for _, reason in city.expected.dead.values()) > 19_000
    without = undisturbed_run(calm, tmp_path)
    assert forecasts(outcome, series) == forecasts(without, series)


def forecasts(outcome: Outcome, series: set[str]) -> dict[tuple[str, str], object]:
    """Return what was forecast for the series, by series and time."""
    bodies = (json.loads(record.value or b"") for record in outcome.outputs.predictions)
    return {
        (body["series"], body["issued_at"]): body["forecasts"]
        for body in bodies
        if body["series"] in series
    }


@pytest.mark.parametrize(
    ("case", "injections", "entries"),
    [
        pytest.param(
            "wild values",
            "values at ±1e308 and ±1.8e308, denormals, constants, jumps and steps by 1e9",
            poison.wild_values(),
            id="values",
        ),
        pytest.param(
            "wild clocks",
            "stamps in the years 1 and 9999, backwards, repeated, once a day fast, "
            "the hour repeated at the end of summer time with and without offset",
            poison.wild_clocks(),
            id="clocks",
        ),
    ],
)
@pytest.mark.faults(
    row=5,
    case="{case}",
    injections="{injections}; `kill -9`, restart",
    outcome="each learned, late, duplicate or refused as it must be; no NaN or infinity in any "
    "snapshot; " + SAME,
)
def test_wild_readings(
    stack: Stack, tmp_path: Path, case: str, injections: str, entries: Sequence[Entry]
) -> None:
    city = build_city(stack, entries, partitions=1).write()
    undisturbed = undisturbed_run(city, tmp_path)
    fed = copy_of(city)
    outcome = killed_once(fed, tmp_path, seconds=15.0)
    assert judge(fed, outcome, undisturbed) == []
    for state in outcome.state.values():
        assert not_finite(state.chunks) == []


@pytest.mark.slow
@pytest.mark.faults(
    row=5,
    case="a million malformed messages in a row",
    injections="a topic of nothing else; the worker started twice",
    outcome="stops by its limit of dead letters in a row, says so, exit code 8; the topic is not "
    "drained",
)
def test_a_million_malformed_in_a_row(stack: Stack, tmp_path: Path, measured: Measured) -> None:
    topic = f"storm-{uuid4().hex[:8]}"
    create_topics(stack.bootstrap, [topic], 1)
    write(stack.bootstrap, topic, poison.malformed(1_000_000))
    rules = replace(scenario.RULES, topic=topic)
    city = City(stack, topic, 1, (), rules, Expected(), scenario.CITY)
    limit = {"HEDGEROW_DEAD_LETTERS__MAX_RUN": "10000", "HEDGEROW_DEAD_LETTERS__MAX_RATIO": "1"}
    with Run(city, tmp_path, settings=limit) as run:
        for _ in range(2):
            worker = run.start()
            assert worker.child.wait(150) == WORKER_FAILED, worker.tail()
            assert "10,000 messages in a row" in worker.tail().splitlines()[-1]
            assert "Traceback" not in worker.tail()
        letters = run.collect().outputs.dead_letters
    measured("{:d} dead letters of 1,000,000 messages", len(letters))
    assert 0 < len(letters) < 50_000
