"""The fault matrix: collects what became of every test marked ``faults`` and writes it down.

``@pytest.mark.faults(row=1, case="killed at {point}", injections="...", outcome="...")``; the
parameters of a test are filled into the three texts. ``--fault-matrix FILE`` runs every case,
the slow ones at full length, shows how far it has come, and writes the page. Results are kept
in ``build/faults``, so that one case can be run again without all others.
"""

from __future__ import annotations

import json
import os
import platform
import subprocess
import time
from collections.abc import Iterator
from contextlib import suppress
from dataclasses import asdict, dataclass, field
from datetime import UTC, datetime
from pathlib import Path
from typing import Any, Protocol

import pytest
from stack.kafka_server import jars

ROWS = {
    1: "A worker killed",
    2: "Back in service",
    3: "Redis",
    4: "Kafka",
    5: "Poison",
    6: "Upgrade",
    7: "The harness itself: planted bugs, each caught",
}
KEPT = Path("build/faults/results.json")  # under the root of the project
CASE, FIGURE = "faults.case", "faults.figure"


class Measured(Protocol):
    """Adds a figure to the case's line."""

    def __call__(self, text: str, *figures: float) -> None: ...


@dataclass(frozen=True, slots=True)
class Result:
    """One case, run."""

    row: int
    case: str
    injections: str
    outcome: str
    verdict: str
    seconds: float
    figures: list[str] = field(default_factory=list)
    date: str = ""


def add_option(parser: pytest.Parser) -> None:
    parser.addoption(
        "--fault-matrix",
        metavar="FILE",
        type=Path,
        help="run fault cases at full length and write the matrix to this file",
    )


def page_asked_for(config: pytest.Config) -> Path | None:
    page: Path | None = config.getoption("--fault-matrix", None)
    return page


def at_full_length(config: pytest.Config) -> bool:
    """Tell whether the whole matrix is run, not the short pass."""
    return page_asked_for(config) is not None


@pytest.fixture
def measured(request: pytest.FixtureRequest) -> Measured:
    """Add a figure to the case's line: ``measured("back in {:.1f} s", 6.2)``."""

    def note(text: str, *figures: float) -> None:
        request.node.user_properties.append((FIGURE, text.format(*figures)))

    return note


class Matrix:
    """The plugin; `tests/conftest.py` registers it."""

    def __init__(self, config: pytest.Config) -> None:
        self._config = config
        self._page = page_asked_for(config)
        self._results: list[Result] = []
        self._cases = 0
        self._began = time.monotonic()

    @pytest.hookimpl(trylast=True)
    def pytest_collection_finish(self, session: pytest.Session) -> None:
        for item in session.items:
            mark = item.get_closest_marker("faults")
            if mark is None:
                continue
            self._cases += 1
            item.user_properties.append((CASE, _described(item, mark)))

    def pytest_runtest_logreport(self, report: pytest.TestReport) -> None:
        told = dict(report.user_properties)
        if CASE not in told or (report.when != "call" and report.passed):
            return
        if report.when == "teardown":
            self._results = [r for r in self._results if r.case != told[CASE]["case"]]
        result = Result(
            **told[CASE],
            verdict={"passed": "passed", "failed": "FAILED"}.get(report.outcome, "not run"),
            seconds=report.duration,
            figures=[text for name, text in report.user_properties if name == FIGURE],
            date=datetime.now(UTC).date().isoformat(),
        )
        self._results.append(result)
        self._show(result)

    def _show(self, result: Result) -> None:
        terminal = self._config.pluginmanager.get_plugin("terminalreporter")
        if self._page is None or terminal is None:
            return
        of = f"/{self._cases}" if self._cases else ""
        minutes, seconds = divmod(int(time.monotonic() - self._began), 60)
        figures = f" ({'; '.join(result.figures)})" if result.figures else ""
        terminal.ensure_newline()
        terminal.write_line(
            f"[{len(self._results):2d}{of}] {minutes:3d}:{seconds:02d}  row {result.row}: "
            f"{result.case} ... {result.verdict} in {result.seconds:.0f} s{figures}",
            green=result.verdict == "passed",
            red=result.verdict == "FAILED",
        )

    def pytest_sessionfinish(self) -> None:
        if self._page is None or not self._results or "PYTEST_XDIST_WORKER" in os.environ:
            return
        merged = _merged(self._config.rootpath / KEPT, self._results)
        self._page.write_text(page(merged), "utf-8")


def _described(item: pytest.Item, mark: pytest.Mark) -> dict[str, Any]:
    call = getattr(item, "callspec", None)
    words = dict(call.params) if call is not None else {}
    texts = {name: mark.kwargs[name].format(**words) for name in ("case", "injections", "outcome")}
    return {"row": mark.kwargs["row"], **texts}


def _merged(file: Path, fresh: list[Result]) -> list[Result]:
    """Keep the results of cases that were not run this time, and store all."""
    file.parent.mkdir(parents=True, exist_ok=True)
    kept = [Result(**line) for line in json.loads(file.read_text())] if file.exists() else []
    by_case = {(result.row, result.case): result for result in [*kept, *fresh]}
    results = sorted(by_case.values(), key=lambda result: result.row)
    file.write_text(json.dumps([asdict(result) for result in results], indent=1))
    return results


def page(results: list[Result]) -> str:
    """Write the page."""
    return "\n".join(_lines(results)) + "\n"


def _lines(results: list[Result]) -> Iterator[str]:
    passed = sum(result.verdict == "passed" for result in results)
    yield from [
        "# Fault matrix",
        "",
        "Written by `make faults` from its own results; run it, and see the same. Every case runs",
        "real processes against a real Apache Kafka and a real redis-server. *Same bytes, same",
        "state* is the judgement of a verifier that shares no code with the worker",
        "(`tests/faults/judge`): every message is answered exactly",
        "once; predictions, alerts and dead letters have the ids and the bytes of an undisturbed",
        "run's; the final state equals its state bit for bit; and Redis's own log of writes shows",
        "no snapshot that a fenced worker put in place.",
        "",
        f"{passed} of {len(results)} cases passed; {_versions()}.",
    ]
    for row, title in ROWS.items():
        mine = [result for result in results if result.row == row]
        if not mine:
            continue
        yield from ["", f"## {row}. {title}", ""]
        yield "| case | injections | outcome | measured | seconds | result |"
        yield "|---|---|---|---|---:|---|"
        for result in mine:
            figures = "; ".join(result.figures)
            yield (
                f"| {result.case} | {result.injections} | {result.outcome} | {figures} "
                f"| {result.seconds:.0f} | {result.verdict}, {result.date} |"
            )


def _versions() -> str:
    kafka = [jar.stem.rpartition("-")[2] for jar in jars() if jar.name.startswith("kafka_2")]
    redis = "no redis-server"
    with suppress(OSError):
        told = subprocess.run(["redis-server", "--version"], capture_output=True, check=False)
        redis = f"Redis {told.stdout.decode().partition('v=')[2].partition(' ')[0]}"
    return (
        f"Apache Kafka {', '.join(kafka) or 'missing'}, {redis}, Python "
        f"{platform.python_version()}, all on {os.cpu_count()} cores"
    )
