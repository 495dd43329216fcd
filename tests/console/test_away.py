"""What the page says while something behind it is away, and that it goes on afterwards."""

from __future__ import annotations

import signal
import time
import urllib.request
from collections.abc import Iterator
from pathlib import Path

import pytest
from console.chromium import Page
from console.live_city import LIVE_FROM, LiveCity
from faults.run.workers import WORKER
from stack.fixtures import Stack

from hedgerow.app.embedded.child import Child
from hedgerow.app.embedded.servers import EmbeddedRedis, free_port

pytestmark = pytest.mark.browser

MINUTE = 60_000
NAMES = ("live-a", "live-b", "live-c")
SAYS = "return document.getElementById(arguments[0]).textContent.includes(arguments[1])"
QUIET = "return document.getElementById('trouble').hidden"


class Served:
    """A city whose worker comes back at the address that it had, with a Redis of its own."""

    def __init__(self, stack: Stack, folder: Path) -> None:
        self.redis = EmbeddedRedis(folder)
        self.city = LiveCity(stack, "away", folder)
        self.minute = 0
        self._port = free_port()
        self._environment = {
            **self.city.environment,
            "HEDGEROW_REDIS__URL": self.redis.url,
            "HEDGEROW_HTTP__HOST": "127.0.0.1",
            "HEDGEROW_HTTP__PORT": str(self._port),
        }
        self._folder = folder
        self.url = f"http://127.0.0.1:{self._port}/console/"
        self.start()

    def start(self) -> None:
        """Start the worker, and wait until it has its partitions."""
        self.worker = Child("worker", WORKER, self._folder / "worker.log", self._environment)
        deadline = time.monotonic() + 200  # the kernels may have to be compiled
        while time.monotonic() < deadline:
            try:
                urllib.request.urlopen(f"http://127.0.0.1:{self._port}/readyz", timeout=2).close()
            except OSError:
                time.sleep(0.1)
            else:
                return
        raise AssertionError((self._folder / "worker.log").read_text()[-2000:])

    def publish(self, names: tuple[str, ...] = NAMES) -> dict[str, str]:
        """Publish the next minute's readings; return what the list should show of them."""
        self.minute += 1
        at = LIVE_FROM + self.minute * MINUTE
        values = {name: 10.0 * self.minute + place for place, name in enumerate(names)}
        self.city.publish((name, at, value) for name, value in values.items())
        return {name: f"{value:g}" for name, value in values.items()}

    def end(self) -> None:
        self.worker.kill()
        self.redis.stop()


@pytest.fixture(scope="module")
def served(embedded_stack: Stack, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Served]:
    served = Served(embedded_stack, tmp_path_factory.mktemp("away"))
    yield served
    served.end()


def wait_listed(page: Page, values: dict[str, str]) -> None:
    """Wait until the list shows these values, each beside its own name."""
    page.wait(
        "const shown = Object.fromEntries([...document.querySelectorAll('.row:not([hidden])')].map("
        "row => [row.querySelector('.name').textContent,"
        " row.querySelector('.value').firstChild.textContent]));"
        "return Object.entries(arguments[0]).every(([name, value]) => shown[name] === value)",
        values,
        seconds=60,
    )


def test_before_the_first_reading_it_says_what_to_do_and_then_no_more(
    page: Page, served: Served
) -> None:
    page.look_at(served.url)
    page.wait(SAYS, "nothing", "No reading has been learned yet. Send some")
    wait_listed(page, served.publish())
    assert page.run("return document.getElementById('nothing').hidden")


def test_while_its_worker_is_away_it_says_so_and_goes_on_when_it_is_back(
    page: Page, served: Served
) -> None:
    page.look_at(f"{served.url}#live-b")
    wait_listed(page, served.publish())
    served.worker.kill()
    page.wait(SAYS, "trouble", "The worker does not answer; trying again.", seconds=60)
    shown = served.publish(NAMES[::-1])  # the other way round, as the new worker will number them
    served.start()
    page.wait(QUIET, seconds=60)
    wait_listed(page, shown)
    page.wait(SAYS, "now", shown["live-b"])


def test_series_that_are_numbered_anew_keep_their_values(page: Page, served: Served) -> None:
    page.look_at(served.url)
    told = page.run_async(
        "const done = arguments[arguments.length - 1];"
        "import('./list.js').then(({SeriesList}) => {"
        " const list = new SeriesList(() => {}, new Map(), () => {});"
        " const row = (at, key, value) => [at, key, value, 0, null, null, 0, null];"
        " list.update([row(0, 'a', 1), row(1, 'b', 2), row(2, 'gone', 3)]);"
        " list.begin();"
        " list.update([row(0, 'b', 20), row(1, 'a', 10)]);"
        " done(list.shown.map(at => [list.all[at].key, list.all[at].observed])); })"
    )
    assert told == [["a", 10], ["b", 20]]


def test_while_redis_is_away_it_says_what_that_means_and_goes_on_when_it_is_back(
    page: Page, served: Served
) -> None:
    page.look_at(served.url)
    wait_listed(page, served.publish())
    page.wait(SAYS, "health", "oldest checkpoint", seconds=60)
    served.redis.child.signal(signal.SIGSTOP)
    try:
        shown = served.publish()
        page.wait(SAYS, "trouble", "paused: Redis cannot be written", seconds=90)
        page.wait(SAYS, "trouble", "Redis does not answer", seconds=90)
        page.wait(
            "return !document.getElementById('health').textContent.includes('oldest checkpoint')"
            " && document.getElementById('workers').hidden"
        )
    finally:
        served.redis.child.signal(signal.SIGCONT)
    page.wait(QUIET, seconds=90)
    wait_listed(page, shown)
    page.wait(SAYS, "health", "oldest checkpoint", seconds=60)
