"""Two workers: the page of each tells all of both, whichever learns what is looked at."""

from __future__ import annotations

import math
import time
from collections.abc import Iterator

import pytest
from console.chromium import Page
from console.live_city import LIVE_FROM, MINUTE, LiveCity
from faults.run.workers import Worker
from stack.fixtures import Stack

pytestmark = pytest.mark.browser

SERIES = [f"live-{n}" for n in range(12)]
MINUTES = 90


@pytest.fixture(scope="module")
def city(embedded_stack: Stack, tmp_path_factory: pytest.TempPathFactory) -> LiveCity:
    return LiveCity(embedded_stack, "pair", tmp_path_factory.mktemp("pair"))


def partitions_of(worker: Worker) -> set[str]:
    return {
        dict(labels)["partition"]
        for (name, labels) in worker.metrics()
        if name == "hedgerow_next_offset"
    }


def wait_saved(workers: list[Worker], messages: int) -> None:
    """Wait until so many messages are in checkpoints."""
    deadline = time.monotonic() + 60
    saved = 0.0
    while saved < messages and time.monotonic() < deadline:
        time.sleep(0.2)
        told = [worker.metrics().items() for worker in workers]
        saved = sum(v for of in told for (name, _), v in of if name == "hedgerow_saved_offset")
    assert saved == messages


@pytest.fixture(scope="module")
def workers(page: Page, city: LiveCity) -> Iterator[list[Worker]]:
    often = {"HEDGEROW_CHECKPOINT__INTERVAL_SECONDS": "1"}
    pair = [city.worker(name, **often) for name in ("one", "two")]
    for minute in range(MINUTES):
        at = LIVE_FROM + minute * MINUTE
        city.publish(
            (name, at, 50.0 + 9 * math.sin(minute / 9 + n)) for n, name in enumerate(SERIES)
        )
    city.now = at
    wait_saved(pair, MINUTES * len(SERIES))
    for name in SERIES:
        city.send(name, 150.0)  # above the profile's bound
    wait_saved(pair, (MINUTES + 1) * len(SERIES))
    yield pair
    for worker in pair:
        if worker.running:
            worker.leave()


def test_every_series_and_every_alert_is_explained_by_both(
    page: Page, workers: list[Worker]
) -> None:
    for worker in workers:
        page.look_at(f"http://127.0.0.1:{worker.port}/console/")
        page.wait("return document.querySelectorAll('.row').length === 12", seconds=60)
        page.wait(
            "const alerts = [...document.querySelectorAll('#all-alerts li[data-state=open]')];"
            "return alerts.length >= 12 && alerts.every(one => "
            "/rested on the experts? .* from a usual level of/.test(one.textContent))",
            seconds=60,
        )
        elsewhere = 0
        for name in SERIES:
            page.run(
                "[...document.querySelectorAll('.row')]"
                ".find(row => row.querySelector('.name').textContent === arguments[0]).click()",
                name,
            )
            page.wait("return document.getElementById('chosen-title').textContent === arguments[0]"
                      "&& document.querySelectorAll('#bars li').length > 0", name)  # fmt: skip
            page.wait("return !document.getElementById('weights').hidden")
            words = page.text("#weights-words")
            assert "; known since " in words
            elsewhere += "at the last checkpoint" in words
        assert 0 < elsewhere < len(SERIES), "each learns some of them"


def test_a_series_has_the_same_past_on_both(page: Page, workers: list[Worker]) -> None:
    """Kept checkpoints reach back two moments; what its worker noted reaches back further."""
    since = []
    for worker in workers:
        page.look_at(f"http://127.0.0.1:{worker.port}/console/#{SERIES[0]}")
        page.wait("return !document.getElementById('weights').hidden", seconds=60)
        page.run_async("setTimeout(arguments[0], 2500)")  # for the other one to answer
        since.append(page.text("#weights-words").partition("known since ")[2].partition(".")[0])
    assert since[0] == since[1] != ""


def test_the_health_of_both_is_told_by_both(page: Page, workers: list[Worker]) -> None:
    for worker in workers:
        page.look_at(f"http://127.0.0.1:{worker.port}/console/")
        page.wait(
            "return document.querySelectorAll('#worker-lines tr').length === 2"
            " && document.getElementById('untold').textContent === ''",
            seconds=60,
        )
        page.run("document.getElementById('workers').open = true")
        lines = page.run(
            "return [...document.querySelectorAll('#worker-lines tr')]"
            ".map(line => [...line.children].map(cell => cell.textContent))"
        )
        assert sum("(serves this page)" in line[0] for line in lines) == 1
        told = {number for line in lines for number in line[1].split()}
        assert told == set().union(*map(partitions_of, workers))
        assert all(line[6] == "ready" for line in lines)


def test_a_worker_that_has_left_is_told_of_no_more(page: Page, workers: list[Worker]) -> None:
    first, second = workers
    page.look_at(f"http://127.0.0.1:{first.port}/console/")
    page.wait("return document.querySelectorAll('#worker-lines tr').length === 2", seconds=60)
    second.leave()
    page.wait(
        "return document.querySelectorAll('#worker-lines tr').length === 1"
        " && document.getElementById('untold').textContent === ''"
        " && document.querySelector('#worker-lines td').textContent === '0 1 2 3'",
        seconds=90,
    )
