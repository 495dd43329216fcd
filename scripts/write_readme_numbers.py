"""Write the numbers of ``README.md`` from the pages that measured them.

``python scripts/write_readme_numbers.py`` writes them, ``--check`` only says whether they are as
they should be (exit code 1 if not).
"""

from __future__ import annotations

import re
import sys
import textwrap
from pathlib import Path

from generated import ROOT, write_or_check

PATH = ROOT / "README.md"
MARKS = re.compile(r"(<!-- numbers: .*? -->\n).*?(<!-- /numbers -->)", re.DOTALL)
NAMES = ("performance", "accuracy", "anomaly")
ENGINES = {
    "hedgerow, lean": "**hedgerow, `lean`**",
    "hedgerow, accurate": "**hedgerow, `accurate`**",
    "Bytewax + River, recovery on": "Bytewax + River, with recovery",
    "plain confluent-kafka loop + River": "a plain loop + River, nothing kept",
    "Quix Streams + River, its state": "Quix Streams + River, with its state",
    "stock Faust + River, a Table": "stock Faust + River, with a Table",
    "raw floor: consume, decode, encode, produce": "consume, decode, encode, produce; no learning",
}
NIGHTLY = "### Beside a model fitted again every night"
PARAGRAPHS = """
*Speed*, on two cores shared with Apache Kafka and Redis. Ours learns three horizons, with
intervals, alerts and checkpoints; the others one horizon, with eight experts of River:

At 10,000 readings a second a forecast is there after {p50} in the median and {p99} at p99; a worker
publishes its first one {start} after its start; an hourly series of `lean` takes {bytes} bytes.
What is reached, what is not, and where each microsecond goes: [performance](docs/performance.md).

*Accuracy*, one configuration on public traffic, pedestrian, power and demand data: the error is
{error} times that of the best naive forecast chosen in hindsight (median over sets and horizons),
and at or below that of the best single other method, LightGBM retrained every few weeks among them,
in {best} cells. Beside LightGBM fitted anew each night it errs no more in {absolute} of {cells} by
absolute and in {squared} by squared error: [accuracy](docs/accuracy.md).

*Anomalies*, on the public files of the Numenta benchmark: {chosen} with thresholds chosen there, as
its protocol has it, and {shipped} with the threshold that is shipped, which is set for few alerts:
[anomalies](docs/anomaly.md).
"""


def numbers(performance: str, accuracy: str, anomaly: str) -> str:
    """Give the text between the marks."""
    costs = _rows(performance, "CPU µs a reading | of it system")
    goals = _rows(performance, "figure (`lean`)")
    state = _rows(performance, "profile | bytes a series")
    aims = _rows(accuracy, "aim | found")
    nightly = _rows(accuracy.partition(NIGHTLY)[2], "LightGBM")["hedgerow errs no more in"]
    caught = _rows(anomaly, "threshold | standard")
    absolute, _, rest = nightly[-1].partition(" / ")
    squared, _, cells = rest.partition(" of ")
    found = {
        "p50": goals["latency at 10,000/s, p50"][1],
        "p99": goals["latency at 10,000/s, p99"][1],
        "start": goals["start to first prediction"][1],
        "bytes": state["lean, hourly"][0],
        "error": aims["MAE: median ratio over all cells at most 0.80"][0],
        "best": aims["MAE: at or below the best single method in all cells"][0],
        "absolute": absolute,
        "squared": squared,
        "cells": cells,
        "chosen": caught["the best for all files"][0],
        "shipped": caught["the default, 0.5"][0],
    }
    table = ["| one worker | CPU µs a reading | readings/s |", "|---|---:|---:|"]
    table += [f"| {name} | {costs[one][0]} | {costs[one][2]} |" for one, name in ENGINES.items()]
    speed, *others = (
        textwrap.fill(text.format_map(found), 100, break_on_hyphens=False)
        for text in PARAGRAPHS.strip().split("\n\n")
    )
    return "\n\n".join([speed, "\n".join(table), *others]) + "\n"


def _rows(page: str, heads: str) -> dict[str, list[str]]:
    """Read a table by a part of its heading: cells by the first one, without emphasis."""
    rows: dict[str, list[str]] = {}
    inside = False
    for line in page.splitlines():
        if inside and not line.startswith("|"):
            break
        inside = inside or (line.startswith("|") and heads in line)
        if inside:
            first, *others = (cell.strip().strip("*") for cell in line.strip("|").split("|"))
            rows[first] = others
    if not rows:
        raise SystemExit(f"no table with the heading {heads!r}; mend scripts/{Path(__file__).name}")
    return rows


def readme() -> str:
    """Give the whole text: what stands there, with these numbers between the marks."""
    pages = ((ROOT / "docs" / f"{name}.md").read_text("utf-8") for name in NAMES)
    text, before = numbers(*pages), PATH.read_text("utf-8")
    if not MARKS.search(before):
        raise SystemExit("README.md has lost the marks between which its numbers stand")
    return MARKS.sub(lambda marks: marks[1] + text + marks[2], before)


if __name__ == "__main__":
    sys.exit(write_or_check(PATH, readme()))
