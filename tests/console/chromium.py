"""A real Chromium without a screen, and what a test asks of a page in it."""

from __future__ import annotations

import time
from collections.abc import Callable, Iterator
from typing import Any

import pytest
from selenium import webdriver
from selenium.webdriver.chrome.options import Options
from selenium.webdriver.chrome.service import Service
from selenium.webdriver.common.keys import Keys
from stack.parts import require, without

WIDE, PHONE, SMALL_PHONE = (1440, 900), (390, 844), (320, 640)
ARGUMENTS = (
    "--headless=new",
    "--no-sandbox",  # the tests may run as root
    "--disable-gpu",
    "--disable-dev-shm-usage",
    "--hide-scrollbars",
    "--lang=en-GB",
)


class Page:
    """One tab."""

    def __init__(self, driver: webdriver.Chrome) -> None:
        self.driver = driver

    def look_at(
        self, url: str, size: tuple[int, int] = WIDE, *, scheme: str = "light", mobile: bool = False
    ) -> None:
        """Open an address anew, on a screen of this size, in this colour scheme."""
        self.driver.get("about:blank")
        self.driver.execute_cdp_cmd(
            "Emulation.setEmulatedMedia",
            {"features": [{"name": "prefers-color-scheme", "value": scheme}]},
        )
        self.driver.execute_cdp_cmd(
            "Emulation.setDeviceMetricsOverride",
            {"width": size[0], "height": size[1], "deviceScaleFactor": 1, "mobile": mobile},
        )
        self.driver.get(url)

    def run(self, script: str, *arguments: object) -> Any:
        """Run a script in the page and return what it returns: JSON, so anything."""
        return self.driver.execute_script(script, *arguments)

    def run_async(self, script: str, *arguments: object) -> Any:
        """Run a script that calls its last argument when it is done."""
        return self.driver.execute_async_script(script, *arguments)

    def text(self, selector: str) -> str:
        """Return the text of the first element that fits, empty where there is none."""
        return str(
            self.run("return document.querySelector(arguments[0])?.textContent ?? ''", selector)
        )

    def press(self, *keys: str) -> None:
        """Press keys wherever the focus is."""
        self.driver.switch_to.active_element.send_keys(*keys)

    def focused(self) -> str:
        """Return the id of the element that has the focus."""
        return str(self.run("return document.activeElement.id"))

    def wait(self, script: str, *arguments: object, seconds: float = 20.0) -> float:
        """Wait until a script returns something true; return how long it took."""
        return wait_until(lambda: self.run(script, *arguments), script, seconds, self)

    def choose(self, key: str) -> None:
        """Choose a series by typing its name, and wait for its readings."""
        self.run("document.getElementById('filter').focus()")
        self.run("document.getElementById('filter').value = ''")
        self.press(key, Keys.ENTER)
        self.wait(
            "return document.getElementById('chosen-title').textContent === arguments[0] "
            "&& document.querySelectorAll('#errors tbody tr').length > 0",
            key,
        )

    def complaints(self) -> list[str]:
        """Return what the browser's console says is wrong, and forget it."""
        return [
            str(entry["message"])
            for entry in self.driver.get_log("browser")  # type: ignore[no-untyped-call]
            if entry["level"] in {"SEVERE", "WARNING"}
        ]

    def picture(self) -> bytes:
        """Take a picture of what the screen shows."""
        return self.driver.get_screenshot_as_png()


def wait_until(told: Callable[[], object], what: str, seconds: float, page: Page) -> float:
    """Wait until something is told; fail with what the page shows."""
    began = time.monotonic()
    while not told():
        if time.monotonic() - began > seconds:
            shown = page.run("return document.body.innerText")[:1000]
            raise AssertionError(f"after {seconds} s still not: {what}\nthe page: {shown}")
        time.sleep(0.02)
    return time.monotonic() - began


@pytest.fixture(scope="session")
def page() -> Iterator[Page]:
    """A tab of a Chromium that lasts as long as the tests."""
    require(without("chromium", "chromedriver"))
    options = Options()
    options.binary_location = "/usr/bin/chromium"
    for argument in ARGUMENTS:
        options.add_argument(argument)
    options.set_capability("goog:loggingPrefs", {"browser": "ALL"})
    driver = webdriver.Chrome(options=options, service=Service("/usr/bin/chromedriver"))
    driver.set_script_timeout(120)
    yield Page(driver)
    driver.quit()
