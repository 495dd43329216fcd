"""The map of the sensors in a real browser: there when one has a position, by mouse and keys."""

from __future__ import annotations

import math
from collections.abc import Iterator

import pytest
from console.chromium import PHONE, WIDE, Page
from console.live_city import LIVE_FROM, MINUTE, LiveCity
from selenium.webdriver.common.action_chains import ActionChains
from selenium.webdriver.common.actions.wheel_input import ScrollOrigin
from selenium.webdriver.common.keys import Keys
from stack.fixtures import Stack

from hedgerow.topics import Sensor

pytestmark = pytest.mark.browser

NAMED = (
    Sensor("live-1", name="Harbour bridge", kind="traffic", unit="cars", zone="harbour",
           longitude=12.58, latitude=55.68, bound_upper=80.0),
    Sensor("live-2", name="Old town", kind="people", longitude=12.60, latitude=55.68),
    Sensor("live-3", longitude=12.58, latitude=55.66),
    Sensor("live-4", kind="traffic"),
)  # fmt: skip
MANY = 10_000

PIXELS = """
const canvas = document.getElementById('map-canvas');
const data = canvas.getContext('2d').getImageData(0, 0, canvas.width, canvas.height).data;
const found = {};
for (let i = 0; i < data.length; i += 4) {
  if (data[i + 3] === 255) {
    const colour = [data[i], data[i + 1], data[i + 2]].join(' ');
    found[colour] = (found[colour] ?? 0) + 1;
  }
}
return found;
"""
COLOUR = """
const box = document.createElement('i');
box.className = 'probe';
document.body.append(box);
box.style.color = getComputedStyle(document.body).getPropertyValue('--map-' + arguments[0]);
const [r, g, b] = getComputedStyle(box).color.match(/\\d+/g);
box.remove();
return [r, g, b].join(' ');
"""


@pytest.fixture(scope="module")
def city(embedded_stack: Stack, tmp_path_factory: pytest.TempPathFactory) -> LiveCity:
    return LiveCity(embedded_stack, "mapped", tmp_path_factory.mktemp("mapped"))


@pytest.fixture(scope="module")
def url(city: LiveCity) -> Iterator[str]:
    worker = city.worker("mapped", HEDGEROW_CHECKPOINT__INTERVAL_SECONDS="0.5")
    for minute in range(30):
        at = LIVE_FROM + minute * MINUTE
        city.publish((f"live-{n}", at, 50.0 + 9 * math.sin(minute * n)) for n in range(1, 5))
    city.now = at
    city.wait_learned(worker, 120)
    yield f"http://127.0.0.1:{worker.port}/console/"
    worker.leave()


@pytest.fixture(scope="module")
def whole(page: Page, url: str, city: LiveCity) -> str:
    """The page's address; the registry is told of after it was opened once."""
    page.look_at(url)
    page.wait("return document.getElementById('found').textContent === '4'", seconds=60)
    assert page.run("return document.getElementById('map').hidden"), "nobody has a position"
    city.register(*NAMED)
    page.wait("return !document.getElementById('map').hidden")
    return url


def shown_on(page: Page, url: str, size: tuple[int, int] = WIDE, scheme: str = "light") -> None:
    page.look_at(url, size, scheme=scheme, mobile=size is PHONE)
    page.wait("return document.getElementById('map-count').textContent === '3 sensors'")
    page.wait("return document.getElementById('found').textContent === '4'")


def test_names_kinds_and_units_are_shown_and_found_by_typing(page: Page, whole: str) -> None:
    shown_on(page, whole)
    page.wait(
        "return [...document.querySelectorAll('.row')].some(row => "
        "/Harbour bridge.* cars.*live-1 · traffic · harbour/s.test(row.innerText))"
    )
    page.press("/")
    page.press("harbour tra")
    page.wait("return document.getElementById('found').textContent === '1 of 4'")
    page.press(Keys.ENTER)
    page.wait("return document.getElementById('chosen-title').textContent === 'Harbour bridge'")
    page.wait("return document.getElementById('now').textContent.includes(' cars on')")
    page.wait(
        "return document.getElementById('profile').textContent === "
        "'live-1 · traffic · harbour · profile live'"
    )


def test_the_keys_go_from_sensor_to_sensor_and_choose(page: Page, whole: str) -> None:
    shown_on(page, whole)
    words = "return document.getElementById('map-words').textContent.startsWith(arguments[0])"
    page.run("document.getElementById('map-canvas').focus()")
    page.wait(words, "Harbour bridge (live-1, traffic, harbour): ")
    page.press(Keys.ARROW_RIGHT)
    page.wait(words, "Old town (live-2, people): ")
    page.press(Keys.ARROW_LEFT, Keys.ARROW_DOWN)
    page.wait(words, "live-3: ")
    page.press(Keys.ENTER)
    page.wait("return document.getElementById('chosen-title').textContent === 'live-3'")


def test_an_error_is_said_to_be_smaller_or_larger_than_persistence_s(
    page: Page, whole: str
) -> None:
    shown_on(page, whole)
    told = page.run_async(
        "import('./words.js').then(({beside}) => arguments[arguments.length - 1]("
        "[0.754, -0.02, 0.004].map(share => beside(share, 'persistence'))))"
    )
    assert told == [
        "error 75 % smaller than persistence's",
        "error 2 % larger than persistence's",
        "error as large as persistence's",
    ]


@pytest.mark.parametrize("size", [WIDE, PHONE])
def test_a_click_chooses_the_sensor_that_is_meant(
    page: Page, whole: str, size: tuple[int, int]
) -> None:
    shown_on(page, whole, size)
    page.run(
        "const canvas = document.getElementById('map-canvas');"
        "canvas.scrollIntoView({behavior: 'instant', block: 'center'});"
        "canvas.focus({preventScroll: true});"
    )
    # Where the eastern of the two northern ones lies: the picture is as wide as it may be, or high.
    x, y = page.run(
        "const canvas = document.getElementById('map-canvas').getBoundingClientRect();"
        "const ratio = 0.02 * Math.cos(55.6733 * Math.PI / 180) / 0.02;"
        "const room = [canvas.width - 36, canvas.height - 36];"
        "const scale = Math.min(room[0] / ratio, room[1]);"
        "return [canvas.left + 18 + (room[0] + ratio * scale) / 2,"
        " canvas.top + 18 + (room[1] - scale) / 2];"
    )
    for kind in ("pointermove", "click"):
        page.run(
            "document.getElementById('map-canvas').dispatchEvent(new PointerEvent(arguments[0],"
            "{clientX: arguments[1], clientY: arguments[2], bubbles: true}))",
            kind, x + 2, y - 2,
        )  # fmt: skip
    page.wait("return document.getElementById('chosen-title').textContent === 'Old town'")


def test_an_alert_is_seen_above_all_else_in_light_and_dark(
    page: Page, whole: str, city: LiveCity
) -> None:
    shown_on(page, whole)
    alert = page.run(COLOUR, "alert")
    assert alert not in page.run(PIXELS)
    for _ in range(4):  # above the bound that the registry gives, below the profile's
        city.send("live-1", 90.0)
    page.wait(
        "return [...document.querySelectorAll('#all-alerts li')].some(one => "
        "one.dataset.state === 'open' && one.innerText.includes('bound 80'))"
    )
    assert page.text("#all-alerts button") == "Harbour bridge"
    many = PIXELS.replace("return found", "return (found[arguments[0]] ?? 0) > 20")
    page.wait(many, alert)
    shown_on(page, whole, scheme="dark")
    in_dark = page.run(COLOUR, "alert")
    assert in_dark != alert
    page.wait(many, in_dark)
    for _ in range(12):
        city.send("live-1", 50.0)
    page.wait(PIXELS.replace("return found", "return !found[arguments[0]]"), in_dark)


def test_the_legend_names_every_colour_and_nothing_is_complained_of(page: Page, whole: str) -> None:
    page.complaints()  # of the tests' own reading of pixels
    shown_on(page, whole)
    legend = page.run("return document.getElementById('map-legend').innerText")
    for words in ("open alert", "half the error", "worse than persistence", "no reading seen"):
        assert words in legend
    colours = {page.run(COLOUR, name) for name in ("best", "better", "equal", "worse", "alert")}
    assert len(colours) == 5
    assert page.complaints() == []


# ---------------------------------------------------------------- looking closer

LABELS = """
return [...document.querySelectorAll('#map-labels span')].filter(one => !one.hidden).map(one => {
  const {left, top, right, bottom} = one.getBoundingClientRect();
  return {text: one.textContent, left, top, right, bottom};
});
"""
HARBOUR = """
const {width, height} = document.getElementById('map-canvas').getBoundingClientRect();
const ratio = Math.cos(55.6733 * Math.PI / 180);
const scale = Math.min((width - 36) / ratio, height - 36);
return [-ratio * scale / 2, -scale / 2];  // from the middle of the map
"""
CLOSER = "return document.getElementById('map-count').textContent.includes('times larger')"
WHOLE = "return document.getElementById('map-count').textContent === '3 sensors'"
NAMED_NOW = """
const inside = document.getElementById('map-canvas').getBoundingClientRect();
return [...document.querySelectorAll('#map-labels span')].some(one => {
  const {left, top, right, bottom} = one.getBoundingClientRect();
  return !one.hidden && one.textContent === arguments[0] && left >= inside.left
    && right <= inside.right && top >= inside.top && bottom <= inside.bottom;
});
"""


def overlapping(labels: list[dict[str, float]]) -> list[tuple[float, float]]:
    return [
        (one["text"], other["text"])
        for i, one in enumerate(labels)
        for other in labels[:i]
        if one["left"] < other["right"] and other["left"] < one["right"]
        and one["top"] < other["bottom"] - 0.5 and other["top"] < one["bottom"] - 0.5
    ]  # fmt: skip


def test_the_keys_look_closer_and_keep_the_focus(page: Page, whole: str) -> None:
    shown_on(page, whole)
    page.run("document.getElementById('map-canvas').focus()")
    words = "return document.getElementById('map-words').textContent.startsWith(arguments[0])"
    page.wait(words, "Harbour bridge")
    assert page.run(LABELS) == [], "names are for those who look closer"
    page.press("+", "+", "+")
    page.wait(CLOSER)
    page.wait(NAMED_NOW, "Harbour bridge")
    page.press(Keys.ARROW_RIGHT)  # it lies beyond what is seen
    page.wait(words, "Old town")
    page.wait(NAMED_NOW, "Old town")
    before = page.run(LABELS)
    page.press(Keys.SHIFT + Keys.ARROW_LEFT)
    page.wait(
        "return JSON.stringify(arguments[0]) !== JSON.stringify((() => {" + LABELS + "})())", before
    )
    page.press("-")
    page.wait(CLOSER)
    page.press("0")
    page.wait(WHOLE)
    page.wait("return document.querySelectorAll('#map-labels span:not([hidden])').length === 0")
    assert page.focused() == "map-canvas"
    page.wait(words, "Old town")


def test_the_wheel_looks_closer_at_what_is_under_it_and_dragging_moves_the_picture(
    page: Page, whole: str
) -> None:
    shown_on(page, whole)
    canvas = page.driver.find_element("id", "map-canvas")
    chosen = page.text("#chosen-title")
    x, y = page.run(HARBOUR)
    where = ScrollOrigin.from_element(canvas, round(x), round(y))
    ActionChains(page.driver).scroll_from_origin(where, 0, -400).perform()
    page.wait(CLOSER)
    assert page.run("return scrollY") == 0, "the page stays"
    for _ in range(3):
        ActionChains(page.driver).scroll_from_origin(where, 0, -300).perform()
    page.wait(NAMED_NOW, "Harbour bridge")
    (label,) = page.run(LABELS)
    middle = page.run(
        "const {left, top, width, height} = arguments[0].getBoundingClientRect();"
        "return [left + width / 2, top + height / 2];",
        canvas,
    )
    assert 0 < label["left"] - (middle[0] + round(x)) < 20, "it is still under the pointer"
    assert abs((label["top"] + label["bottom"]) / 2 - (middle[1] + round(y))) < 20
    before = page.run(LABELS)
    ActionChains(page.driver).drag_and_drop_by_offset(canvas, 40, 25).perform()
    page.wait(
        "return JSON.stringify(arguments[0]) !== JSON.stringify((() => {" + LABELS + "})())", before
    )
    assert page.text("#chosen-title") == chosen, "a drag is no click"
    for _ in range(9):
        ActionChains(page.driver).scroll_from_origin(where, 0, 400).perform()
    page.wait(WHOLE)


def test_two_fingers_and_buttons_look_closer(page: Page, whole: str) -> None:
    shown_on(page, whole, PHONE)
    page.run(
        "const canvas = document.getElementById('map-canvas');"
        "const {left, top} = canvas.getBoundingClientRect();"
        "const finger = (kind, id, x) => canvas.dispatchEvent(new PointerEvent(kind,"
        " {pointerId: id, pointerType: 'touch', clientX: left + x, clientY: top + 90}));"
        "finger('pointerdown', 7, 140); finger('pointerdown', 8, 180);"
        "for (let x = 180; x <= 260; x += 20) finger('pointermove', 8, x);"
        "finger('pointerup', 7, 140); finger('pointerup', 8, 260);"
    )
    page.wait(
        "return document.getElementById('map-count').textContent === '3 sensors, 3.0 times larger'"
    )
    page.run("document.getElementById('map-all').click()")
    page.wait(WHOLE)
    assert page.run("return document.getElementById('map-out').disabled")
    page.run("document.getElementById('map-in').click()")
    page.wait(CLOSER)


def test_names_are_given_room_such_that_none_lies_upon_another(page: Page, whole: str) -> None:
    names = page.run_async(
        """
        const done = arguments[0];
        import(new URL('labels.js', location.href)).then(({placed}) => {
          const points = [];
          for (let n = 0; n < 300; n++) {
            const x = 20 + ((n * 7919) % 600), y = 20 + ((n * 104729) % 320);
            points.push({x, y, radius: 4, text: `sensor ${n}`});
          }
          done(placed(points, text => 7 * text.length, 640, 360).map(({x, y, width, point}) =>
            ({text: point.text, left: x, top: y, right: x + width, bottom: y + 16})));
        });
        """
    )
    assert 40 < len(names) <= 100
    assert names[0]["text"] == "sensor 0", "what matters most comes first"
    assert overlapping(names) == []
    assert all(one["left"] >= 0 and one["right"] <= 640 for one in names)
    assert all(one["top"] >= 0 and one["bottom"] <= 360 for one in names)


def test_ten_thousand_sensors_stay_smooth(page: Page, whole: str, city: LiveCity) -> None:
    city.register(
        *(
            Sensor(f"far-{n}", longitude=12.4 + n % 100 / 300, latitude=55.6 + n // 100 / 500)
            for n in range(MANY)
        )
    )
    page.look_at(whole)
    page.wait(
        "return document.getElementById('map-count').textContent === '10,003 sensors'", seconds=60
    )
    measured = page.run_async(
        """
        const done = arguments[0], gaps = [], began = performance.now();
        const canvas = document.getElementById('map-canvas');
        const {left, top, width, height} = canvas.getBoundingClientRect();
        let last = began;
        function frame(now) {
          gaps.push(now - last);
          last = now;
          const share = (now - began) / 3000;
          canvas.dispatchEvent(new PointerEvent('pointermove',
            {clientX: left + share * width, clientY: top + share * height}));
          if (share < 1) requestAnimationFrame(frame);
          else done([...gaps].sort((a, b) => a - b));
        }
        requestAnimationFrame(frame);
        """
    )
    median, most = measured[len(measured) // 2], measured[-1]
    print(f"10,003 sensors: a frame every {median:.0f} ms, {most:.0f} at most")
    assert median < 50
    assert page.text("#map-words").startswith(("far-", "live-", "Harbour", "Old", "Point"))
    page.run("document.getElementById('map-canvas').focus()")
    page.press(*"++++++")
    page.wait("return document.querySelectorAll('#map-labels span:not([hidden])').length > 20")
    assert overlapping(page.run(LABELS)) == []
