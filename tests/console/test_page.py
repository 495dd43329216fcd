"""The console in a real browser: what is published is seen, by mouse, by keys and on a phone."""

from __future__ import annotations

import re
from collections.abc import Iterator
from pathlib import Path

import pytest
from console.chromium import PHONE, SMALL_PHONE, WIDE, Page
from console.live_city import LiveCity
from selenium.webdriver.common.keys import Keys
from stack.fixtures import Stack

pytestmark = pytest.mark.browser

SAMPLE_ROWS = 60_000  # the last two months: enough for every expert to have learned the week
LIVE_READINGS = 40
SMALLEST_PICTURE, LARGEST_PICTURE = 20_000, 450_000  # bytes
PICTURE = (1200, 1200)
CHARTED = "pedestrian-8-darby-street-ns"


@pytest.fixture(scope="module")
def city(embedded_stack: Stack, tmp_path_factory: pytest.TempPathFactory) -> LiveCity:
    return LiveCity(embedded_stack, "console", tmp_path_factory.mktemp("console"))


@pytest.fixture(scope="module")
def url(city: LiveCity) -> Iterator[str]:
    worker = city.worker("first")
    city.register_sample(SAMPLE_ROWS)
    city.publish_sample(SAMPLE_ROWS)
    for _ in range(LIVE_READINGS):
        city.send("live-1", 50.0)
    city.wait_learned(worker, SAMPLE_ROWS + LIVE_READINGS)
    yield f"http://127.0.0.1:{worker.port}/console/"
    worker.leave()


@pytest.fixture(scope="module")
def whole(page: Page, url: str) -> str:
    """The page's address, once it has been told of every series."""
    page.look_at(url)
    page.wait(
        "return document.getElementById('found').textContent === '56'",
        seconds=60,
    )
    page.wait("return document.getElementById('map-count').textContent === '56 sensors'")
    return url


def test_a_value_is_seen_a_second_after_it_was_published(
    page: Page, whole: str, city: LiveCity
) -> None:
    page.look_at(f"{whole}#live-1")
    page.wait("return document.querySelectorAll('#errors tbody tr').length > 0")
    taken = []
    for value in (51.25, 52.5, 53.75):
        city.send("live-1", value)
        taken.append(
            page.wait(
                "return document.getElementById('now').textContent.startsWith(arguments[0]) && "
                "[...document.querySelectorAll('.row')].some(row => row.textContent.includes("
                "'live-1' + arguments[0]))",
                f"{value:g}",
                seconds=10,
            )
        )
    print("seconds from the broker's answer to the screen:", [round(s, 2) for s in taken])
    assert sorted(taken)[1] < 2.0  # at most one tick, the worker's batch and a busy machine


def test_an_alert_appears_and_resolves(page: Page, whole: str, city: LiveCity) -> None:
    page.look_at(f"{whole}#live-1")
    page.wait("return document.querySelectorAll('#errors tbody tr').length > 0")
    seen = "return document.querySelector(`#all-alerts [data-state=${arguments[0]}]`)?.innerText"
    row = "return document.querySelector(`#all-alerts li`)?.innerText.includes('live-1')"
    for _ in range(2):
        city.send("live-1", 150.0)
    page.wait(row + " && document.querySelector('#all-alerts li').dataset.state === 'open'")
    assert "150, above the declared upper bound 100" in str(page.run(seen, "open"))
    assert "live-1" in str(
        page.run("return document.querySelector('#own-alerts').parentElement.innerText")
    )
    episode = page.run("return document.querySelector('#all-alerts li').dataset.episode")
    for _ in range(20):
        city.send("live-1", 50.0)
    page.wait(
        "return [...document.querySelectorAll('#own-alerts li')].some("
        "one => one.dataset.episode === arguments[0] && one.dataset.state === 'resolved')",
        episode,
    )


def test_a_dead_letter_is_shown_by_reason_with_its_text_as_text(
    page: Page, whole: str, city: LiveCity
) -> None:
    city.publish_rubbish()
    page.wait("return document.getElementById('letters').textContent.includes('<script>')")
    assert page.text("#letters b") == "json × 1"
    assert page.run("return document.querySelectorAll('#letters script').length") == 0


def test_the_keys_are_enough(page: Page, whole: str) -> None:
    page.look_at(whole)
    page.wait("return document.querySelectorAll('.row').length > 5")
    page.press("/")
    assert page.focused() == "filter"
    page.press("darby ns")
    page.wait("return document.getElementById('found').textContent.startsWith('1 of')")
    page.press(Keys.ESCAPE)
    page.press("wind")
    page.press(Keys.ARROW_DOWN)
    assert page.focused() == "list"
    page.press(Keys.ENTER)
    page.wait("return document.getElementById('chosen-title').textContent === 'Wind Farm'")
    page.press("/", Keys.ESCAPE, Keys.ARROW_DOWN)
    page.press(Keys.END, Keys.ARROW_UP, Keys.ARROW_DOWN, Keys.HOME, Keys.ARROW_DOWN)
    page.wait(
        "const list = document.getElementById('list');"
        "return document.getElementById(list.getAttribute('aria-activedescendant'))"
        "?.getAttribute('aria-posinset') === '2'"
    )
    page.press(Keys.TAB)
    outline = page.run("return getComputedStyle(document.activeElement).outlineStyle")
    assert outline != "none", "what has the focus must show it"


@pytest.mark.parametrize("size", [WIDE, PHONE])
def test_no_name_of_the_demo_is_cut_off_in_the_list(
    page: Page, whole: str, size: tuple[int, int]
) -> None:
    page.look_at(whole, size, mobile=size is PHONE)
    page.wait("return document.getElementById('found').textContent === '56'")
    page.press("/")
    page.press("car park")
    page.wait("return document.querySelectorAll('.row .unit').length > 5")
    cut = page.run(
        "return [...document.querySelectorAll('.row:not([hidden]) .name')]"
        ".filter(name => name.scrollWidth > name.clientWidth).map(name => name.textContent)"
    )
    assert cut == []


def test_a_reader_is_told_what_is_what(page: Page, whole: str) -> None:
    page.look_at(f"{whole}#{CHARTED}")
    page.wait("return document.querySelectorAll('#errors tbody tr').length > 0")
    nameless = page.run(
        "return [...document.querySelectorAll('input, button, [role], section, dl')]"
        ".filter(one => !one.hidden && one.offsetParent && one.role !== 'option')"
        ".filter(one => !(one.ariaLabel || one.getAttribute('aria-labelledby')"
        " || one.labels?.length || one.textContent.trim())).map(one => one.outerHTML.slice(0, 80))"
    )
    assert nameless == []
    page.wait("return document.querySelectorAll('[role=option][aria-selected=true]').length === 1")
    label = page.run("return document.getElementById('readings').ariaLabel")
    assert re.match(
        r"168 readings of .+ from .+ to .+, the lowest [\d,.]+, the highest [\d,.]+, the last "
        r"[\d,.]+ people/h, beside what was forecast 1 h ahead; errors are in the table below",
        label,
    ), label


def test_the_chosen_series_shows_all_that_is_known_of_it(page: Page, whole: str) -> None:
    page.look_at(f"{whole}#{CHARTED}")
    page.wait("return document.querySelector('#readings canvas') !== null")
    page.wait("return document.getElementById('errors-about').textContent.includes('168')")
    page.wait("return document.querySelectorAll('#bars li').length > 0")
    assert page.run("return document.querySelectorAll('#horizons button').length") == 3
    rows = page.run(
        "return [...document.querySelectorAll('#errors tbody tr')].map("
        "row => [...row.children].map(cell => cell.textContent))"
    )
    assert len(rows) == 6, "three horizons over what is shown, and since the series began"
    for cells in rows:
        assert all(re.match(r"[+−±]\d+ %$", cell) for cell in cells[3:6]), cells
    assert float(page.run("return document.querySelector('#readings canvas').width")) > 300
    page.run("document.querySelector('#horizons button:last-child').click()")
    page.wait("return document.querySelector('#weights-words').textContent.includes('12 h')")
    page.run("document.querySelector('#spans button').click()")
    page.wait("return document.getElementById('errors-about').textContent.includes('48')")


HOLD_STREAMS = """
const real = window.fetch;
window.held = [];
window.fetch = (path, options) => String(path).startsWith('series?')
  ? Promise.resolve(new Response(new ReadableStream({start: (to) => { window.held.push(to); }})))
  : real(path, options);
"""
SEND = """
const view = {key: arguments[1], sensor_id: arguments[1], quantity: null, model: 'city',
  times: [0, 3600000], observed: [1, arguments[2]], made: [], ahead: [], alerts: [], held: null};
const frame = 'event: series\\ndata: ' + JSON.stringify(view) + '\\n\\n';
window.held[arguments[0]].enqueue(new TextEncoder().encode(frame));
"""


def test_what_was_under_way_of_a_series_is_not_drawn_as_the_next_one(
    page: Page, whole: str
) -> None:
    page.look_at(whole)
    page.wait("return document.querySelectorAll('.row').length > 5")
    page.run(HOLD_STREAMS)
    for chosen in range(2):
        page.run("document.querySelectorAll('.row')[arguments[0]].click()", chosen)
        page.wait("return window.held.length === arguments[0]", chosen + 1)
    page.run(SEND, 0, "the first one", 111)  # it was on its way when the second one was chosen
    page.run(SEND, 1, "the second one", 222)
    page.wait("return document.getElementById('now').textContent.startsWith('222')")
    page.run(SEND, 0, "the first one", 333)
    page.run_async("setTimeout(arguments[0], 300)")
    assert page.text("#now").startswith("222")
    assert page.text("#chosen-title") == "the second one"


def luminance(colour: str) -> float:
    parts = [float(part) / 255 for part in re.findall(r"[\d.]+", colour)[:3]]
    red, green, blue = (p / 12.92 if p <= 0.04045 else ((p + 0.055) / 1.055) ** 2.4 for p in parts)
    return 0.2126 * red + 0.7152 * green + 0.0722 * blue


def contrast(page: Page, selector: str) -> float:
    """Return how far the text of an element stands out, as WCAG 2 counts."""
    ink, paper = page.run(
        "let at = document.querySelector(arguments[0]); const ink = getComputedStyle(at).color;"
        "const paper = () => getComputedStyle(at).backgroundColor;"
        "while (/, 0\\)|transparent/.test(paper())) at = at.parentElement;"
        "return [ink, paper()]",
        selector,
    )
    light, dark = sorted((luminance(ink), luminance(paper)), reverse=True)
    return (light + 0.05) / (dark + 0.05)


@pytest.mark.parametrize("scheme", ["light", "dark"])
def test_light_and_dark_are_both_easy_to_read(page: Page, whole: str, scheme: str) -> None:
    page.look_at(f"{whole}#{CHARTED}", scheme=scheme)
    page.wait("return document.querySelectorAll('#bars li').length > 0")
    page.wait("return document.querySelectorAll('#all-alerts li .head').length > 0")
    paper = page.run("return getComputedStyle(document.body).backgroundColor")
    assert (luminance(paper) > 0.5) == (scheme == "light")
    faint = {
        selector: round(contrast(page, selector), 1)
        for selector in (
            "h1", "#health dt", "#health dd", ".row .name", ".row small", "#now", "#errors th",
            "#errors td", ".better", "#horizons button", "#horizons [aria-checked=true]",
            "#all-alerts button", "#all-alerts .head span", ".legend span", "#weights-words",
        )
        if contrast(page, selector) < 4.5
    }  # fmt: skip
    assert faint == {}


@pytest.mark.parametrize("size", [PHONE, SMALL_PHONE, (768, 1024), WIDE])
def test_nothing_scrolls_sideways(page: Page, whole: str, size: tuple[int, int]) -> None:
    page.look_at(f"{whole}#{CHARTED}", size, mobile=size[0] < 500)
    page.wait("return document.querySelectorAll('#bars li').length > 0")
    width, room = page.run("return [document.documentElement.scrollWidth, innerWidth]")
    assert room == size[0]
    assert width <= room
    small = page.run(
        "return [...document.querySelectorAll('button, .row, input[type=search]')]"
        ".filter(one => one.offsetParent && one.offsetHeight < 24).map(one => one.outerHTML)"
    )
    assert small == [], "fingers need some room"
    broken = page.run(
        "return [...document.querySelectorAll('.row .value')]"
        ".filter(one => one.offsetHeight > 30).map(one => one.textContent)"
    )
    assert broken == [], "a value and its unit stand in one line"


def test_nothing_comes_from_outside_and_nothing_is_complained_of(page: Page, whole: str) -> None:
    page.complaints()
    page.look_at(f"{whole}#{CHARTED}")
    page.wait("return document.querySelectorAll('#bars li').length > 0")
    origins = page.run(
        "return [...new Set(performance.getEntriesByType('resource')"
        ".map(one => new URL(one.name).origin))]"
    )
    assert origins == [whole.removesuffix("/console/")]
    assert page.complaints() == []
    ran = page.run(
        "const script = document.createElement('script'); script.textContent = 'window.ran = 1';"
        "document.head.append(script); return window.ran ?? 0"
    )
    assert ran == 0, "the policy keeps scripts from being planted"
    page.complaints()


@pytest.mark.parametrize(
    ("name", "size", "scheme"),
    [
        ("console", PICTURE, "light"),
        ("console-dark", PICTURE, "dark"),
        ("console-phone", PHONE, "light"),
    ],
)
def test_pictures(
    page: Page,
    whole: str,
    name: str,
    size: tuple[int, int],
    scheme: str,
    request: pytest.FixtureRequest,
) -> None:
    page.look_at(f"{whole}#{CHARTED}", size, scheme=scheme, mobile=size is PHONE)
    page.wait("return document.querySelector('#readings canvas') !== null")
    page.wait("return document.querySelectorAll('#bars li').length > 0")
    page.wait("return document.getElementById('errors-about').textContent.includes('168')")
    page.wait("return document.getElementById('trouble').hidden")
    page.wait("return !document.getElementById('map').hidden")
    page.wait("return /\\blag\\s0\\b/.test(document.getElementById('health').innerText)")
    if size is PHONE:
        page.run("document.getElementById('chosen').scrollIntoView({behavior: 'instant'})")
    picture = page.picture()
    assert SMALLEST_PICTURE < len(picture) < LARGEST_PICTURE
    folder: Path | None = request.config.getoption("--pictures")
    if folder is not None:
        folder.mkdir(parents=True, exist_ok=True)
        (folder / f"{name}.png").write_bytes(picture)
