"""A console behind a token: asked for by the page, shown in a header, kept out of addresses."""

from __future__ import annotations

from collections.abc import Iterator

import pytest
from console.chromium import Page
from console.live_city import LiveCity
from faults.run.workers import Worker
from selenium.webdriver.common.keys import Keys
from stack.fixtures import Stack

pytestmark = pytest.mark.browser

TOKEN = "a-token-of-more-than-sixteen"


@pytest.fixture(scope="module")
def workers(
    embedded_stack: Stack, tmp_path_factory: pytest.TempPathFactory
) -> Iterator[tuple[Worker, Worker]]:
    """Two workers that share the partitions; the console of the second is behind a token."""
    city = LiveCity(embedded_stack, "locked", tmp_path_factory.mktemp("locked"))
    first = city.worker("first")
    for number in range(20):
        for _ in range(3):
            city.send(f"live-{number}", 50.0 + number)
    second = city.worker("second", HEDGEROW_HTTP__TOKEN=TOKEN)
    yield first, second
    second.leave()
    first.leave()


def show(page: Page, token: str) -> None:
    page.run("document.getElementById('token').focus()")
    page.press(token, Keys.ENTER)


def test_the_page_asks_for_the_token_and_keeps_it_out_of_addresses(
    page: Page, workers: tuple[Worker, Worker]
) -> None:
    _, second = workers
    page.look_at(f"http://127.0.0.1:{second.port}/")
    page.wait("return !document.getElementById('login').hidden")
    assert page.focused() == "token"
    assert page.run("return document.querySelectorAll('.row').length") == 0
    show(page, "not-the-token-but-long-enough")
    page.wait("return document.getElementById('refused').textContent === 'That is not the token.'")
    show(page, TOKEN)
    page.wait("return document.querySelectorAll('.row').length > 5")
    assert page.run("return document.getElementById('login').hidden")
    addresses = page.run(
        "return [location.href, ...performance.getEntriesByType('resource').map(one => one.name)]"
    )
    assert any("/console/live" in address for address in addresses)
    assert not any(TOKEN in address for address in addresses)
    assert page.run("return localStorage.length + document.cookie.length") == 0
    assert TOKEN not in second.tail()


def test_one_page_knows_the_experts_of_what_all_workers_learn(
    page: Page, workers: tuple[Worker, Worker]
) -> None:
    first, _ = workers
    page.look_at(f"http://127.0.0.1:{first.port}/console/")
    page.wait("return document.getElementById('found').textContent === '20'")
    for number in range(20):
        page.choose(f"live-{number}")
        page.wait("return document.querySelectorAll('#bars li').length > 0")
