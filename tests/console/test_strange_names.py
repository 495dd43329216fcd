"""Names that nobody would choose: shown as text, they break neither the page nor its list."""

from __future__ import annotations

from collections.abc import Iterator
from urllib.parse import quote

import pytest
from console.chromium import PHONE, WIDE, Page
from console.live_city import LIVE_FROM, LiveCity
from stack.fixtures import Stack

from hedgerow.topics import Sensor

pytestmark = pytest.mark.browser

STRANGE = (
    "Brücke Süd 7", "a/b/c", '"quoted"', "it's", "<script>alert(1)</script>", "x" * 200,
    "🚦 Kreuzung 1", "comma,semi;colon", "back\\slash", "100%", "per%cent #hash?&", "[bold]red[/]",
)  # fmt: skip
TURNED = "turned \u202earound"
HOURS = 24


@pytest.fixture(scope="module")
def url(embedded_stack: Stack, tmp_path_factory: pytest.TempPathFactory) -> Iterator[str]:
    city = LiveCity(embedded_stack, "strange", tmp_path_factory.mktemp("strange"))
    worker = city.worker("first")
    every = (*STRANGE, TURNED)
    city.register(
        *(
            Sensor(name, name=called(name), kind="<i>", unit="<u>", x=float(at), y=0.0)
            for at, name in enumerate(every)
        )
    )
    city.publish(
        (name, LIVE_FROM + hour * 3_600_000, float(hour % 5))
        for hour in range(HOURS)
        for name in every
    )
    city.wait_learned(worker, HOURS * len(every))
    yield f"http://127.0.0.1:{worker.port}/console/"
    worker.leave()


def called(key: str) -> str:
    """Return what the registry calls a sensor; a name there may not be as long as a key."""
    return f"Name <b>{key[:60]}</b>"


def whole(page: Page, address: str, size: tuple[int, int] = WIDE) -> None:
    page.look_at(address, size, mobile=size is PHONE)
    page.wait("return document.getElementById('found').textContent === arguments[0]", "13")
    page.wait("return document.getElementById('map-count').textContent === '13 sensors'")


@pytest.mark.parametrize("name", STRANGE)
def test_a_strange_name_is_text_everywhere_and_can_be_linked_to(
    page: Page, url: str, name: str
) -> None:
    page.complaints()
    whole(page, f"{url}#{quote(name, safe='')}")
    page.wait("return document.querySelectorAll('#errors tbody tr').length > 0")
    assert page.text("#chosen-title") == called(name)
    assert page.text(".row[aria-selected=true] .name") == called(name)
    assert page.text("#map-words b") == called(name)
    assert (
        page.run("return document.querySelectorAll('main script, .row b, h2 b, i, u').length") == 0
    )
    assert page.complaints() == []


@pytest.mark.parametrize("size", [WIDE, PHONE])
def test_a_long_name_keeps_to_its_place(page: Page, url: str, size: tuple[int, int]) -> None:
    whole(page, f"{url}#{'x' * 200}", size)
    page.wait("return document.querySelectorAll('#errors tbody tr').length > 0")
    assert page.run("return [document.documentElement.scrollWidth, innerWidth]") == [size[0]] * 2
    beyond = page.run(
        "const room = document.getElementById('chosen').getBoundingClientRect().right;"
        "return [...document.querySelectorAll('#chosen .bar *')]"
        ".filter(one => one.getBoundingClientRect().right > room).map(one => one.id)"
    )
    assert beyond == []


def test_a_link_that_is_not_well_written_is_taken_as_it_stands(page: Page, url: str) -> None:
    page.complaints()
    whole(page, f"{url}#100%")
    page.wait("return document.getElementById('chosen-title').textContent.includes('100%')")
    assert page.complaints() == []


def test_a_name_turns_nothing_around(page: Page, url: str) -> None:
    whole(page, url)
    page.press("/")
    page.press("turned")
    page.wait("return document.getElementById('found').textContent === '1 of 13'")
    assert "\u202e" not in page.text(".row:not([hidden])")


def test_an_empty_list_says_why(page: Page, url: str) -> None:
    whole(page, url)
    page.press("/")
    page.press("nothing like it")
    page.wait("return document.getElementById('nothing').textContent === 'No series matches.'")
    page.wait("return document.getElementById('found').textContent === '0 of 13'")


def test_the_alerts_say_how_many_they_are_and_how_many_are_listed(page: Page, url: str) -> None:
    whole(page, url)
    told = page.run_async(
        "const done = arguments[arguments.length - 1];"
        "const some = (open, resolved) => [...Array(open).fill({open: true}),"
        " ...Array(resolved).fill({open: false})];"
        "import('./panels.js').then(({countAlerts}) => done([[0, 0, 0], [2, 5, 2], [2, 198, 2],"
        " [200, 0, 802]].map(([open, resolved, all]) => { countAlerts(some(open, resolved), all);"
        " return document.getElementById('open').textContent; })))"
    )
    assert told == [
        "",
        "2 open, 5 resolved",
        "2 open, the last 198 resolved",
        "802 open, the newest 200 are listed",
    ]
