"""Ten thousand series in the list, while readings keep coming: it scrolls and filters smoothly."""

from __future__ import annotations

import random
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager

import pytest
from console.chromium import Page
from console.live_city import LIVE_FROM, LiveCity
from stack.fixtures import Stack

pytestmark = pytest.mark.browser

SERIES = 10_000
HOUR = 3_600_000
A_SECOND = 1_000  # readings, while the page is measured

MEASURE = """
const [work, done] = arguments;
const gaps = [], long = [];
const watch = new PerformanceObserver(
  seen => seen.getEntries().forEach(one => long.push(one.duration)));
watch.observe({type: 'longtask'});
const list = document.getElementById('list'), filter = document.getElementById('filter');
const began = performance.now();
let last = began, step = 0;
function frame(now) {
  gaps.push(now - last);
  last = now;
  if (work === 'scroll') list.scrollTop = (list.scrollTop + 700) % (list.scrollHeight - 1000);
  else if (step++ % 6 === 0) {
    filter.value = ['m', 'ma', 'many-1', 'many-12', '77', '9 1', ''][(step / 6 | 0) % 7];
    filter.dispatchEvent(new Event('input'));
  }
  if (now - began < 4000) requestAnimationFrame(frame);
  else setTimeout(() => {
    watch.disconnect();
    filter.value = '';
    filter.dispatchEvent(new Event('input'));
    gaps.sort((a, b) => a - b);
    done({frames: gaps.length, median: gaps[gaps.length >> 1], most: gaps.at(-1),
      p95: gaps[gaps.length * 0.95 | 0], long, lines: document.querySelectorAll('.row').length});
  }, 300);
}
requestAnimationFrame(frame);
"""


@pytest.fixture(scope="module")
def city(embedded_stack: Stack, tmp_path_factory: pytest.TempPathFactory) -> LiveCity:
    return LiveCity(embedded_stack, "many", tmp_path_factory.mktemp("many"))


@pytest.fixture(scope="module")
def url(city: LiveCity) -> Iterator[str]:
    worker = city.worker("many")
    names = [f"many-{number}" for number in range(SERIES)]
    for hour in range(3):
        city.publish((name, LIVE_FROM + hour * HOUR, float(hour)) for name in names)
    city.wait_learned(worker, 3 * SERIES)
    yield f"http://127.0.0.1:{worker.port}/console/"
    worker.leave()


@contextmanager
def readings_coming(city: LiveCity) -> Iterator[None]:
    """Publish readings of random series as long as the block lasts."""
    stop = threading.Event()
    chance = random.Random(5)
    hours = dict.fromkeys(range(SERIES), 3)

    def publish() -> None:
        while not stop.wait(0.1):
            numbers = chance.sample(range(SERIES), A_SECOND // 10)
            city.publish(
                (f"many-{n}", LIVE_FROM + hours[n] * HOUR, chance.random()) for n in numbers
            )
            for number in numbers:
                hours[number] += 1

    thread = threading.Thread(target=publish)
    thread.start()
    try:
        yield
    finally:
        stop.set()
        thread.join()


@pytest.mark.parametrize("work", ["scroll", "filter"])
def test_ten_thousand_series_stay_smooth(page: Page, city: LiveCity, url: str, work: str) -> None:
    page.look_at(url)
    listed = "return document.getElementById('found').textContent === '10,000'"
    shown = page.wait(listed, seconds=90)
    with readings_coming(city):
        time.sleep(2.0)
        measured = page.run_async(MEASURE, work)
    print(f"10,000 series listed after {shown:.1f} s; {work}: {measured}")
    assert measured["lines"] < 60, "only what is on the screen exists"
    assert measured["median"] < 34, "thirty frames a second or more"
    assert measured["p95"] < 100
    assert max(measured["long"], default=0.0) < 200, "no longer pause than a blink"
    assert sum(measured["long"]) < 1_000, "a quarter of the four seconds at most"
