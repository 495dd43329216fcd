"""The figures of the sizing page are still about those of the performance page."""

from __future__ import annotations

import re

import pytest
import yaml
from deploy.promises import ROOT

SIZING = (ROOT / "docs" / "sizing.md").read_text("utf-8")
PERFORMANCE = (ROOT / "docs" / "performance.md").read_text("utf-8")
ABOUT = 0.5  # what a machine's neighbours may make of a figure, and a plan can bear

# A figure on the sizing page, and where it stands on the other; one group each.
FIGURES = {
    "CPU of a reading, lean": (
        r"everything included, `lean` \| ([\d.,]+) µs",
        r"\*\*hedgerow, lean\*\* \| ([\d.,]+) \|",
    ),
    "CPU of a reading, accurate": (
        r"`accurate` \(the default\) \| ([\d.,]+) µs",
        r"\*\*hedgerow, accurate\*\* \| ([\d.,]+) \|",
    ),
    "readings a second, lean": (
        r"full of them, `lean` \| ([\d,]+) \|",
        r"\*\*hedgerow, lean\*\* \|[^|]+\|[^|]+\| ([\d,]+) \|",
    ),
    "readings a second, accurate": (
        r"same, `accurate` \| ([\d,]+) \|",
        r"\*\*hedgerow, accurate\*\* \|[^|]+\|[^|]+\| ([\d,]+) \|",
    ),
    "many series": (
        r"by one among 1,000 \| ([\d.]+) ×",
        r"\| 100,000 \| [\d.]+ \| ([\d.]+) \|",
    ),
    "checkpoints": (
        r"five-minute series, `lean` \| ([\d.]+) %",
        r"\| lean \|[^%]+\| ([\d.]+) % \|",
    ),
    "memory of a series": (
        r"hourly, `lean` \| ([\d,]+) \|",
        r"One more series takes ([\d,]+) bytes",
    ),
    "state, lean, hourly": (r"/ five-minute \| ([\d,]+) /", r"\| lean, hourly \| ([\d,]+) \|"),
    "state, lean, five-minute": (
        r"`lean` hourly / five-minute \| [\d,]+ / ([\d,]+) \|",
        r"\| lean, five-minute \| ([\d,]+) \|",
    ),
    "state, accurate, five-minute": (
        r"`accurate` hourly / five-minute \| [\d,]+ / ([\d,]+) \|",
        r"\| accurate, five-minute \| ([\d,]+) \|",
    ),
    "Redis": (
        r"\*\*([\d.]+) times the state",
        r"in Redis, in the state's own size[^|]+\|[^|]+\| ([\d.]+) ×",
    ),
    "takeover": (r"first after ([\d.]+) s", r"first prediction \*\*([\d.]+) s\*\*"),
    "start": (r"It starts \(([\d.]+) s", r"delay 0: \*\*([\d.]+) s\*\*"),
}


@pytest.mark.parametrize("name", FIGURES)
def test_a_figure_is_about_what_was_measured(name: str) -> None:
    stated, measured = (
        float(found.group(1).replace(",", ""))
        for text, pattern in zip((SIZING, PERFORMANCE), FIGURES[name], strict=True)
        if (found := re.search(pattern, " ".join(text.split()))) is not None
    )
    assert stated == pytest.approx(measured, rel=ABOUT)


def test_what_is_said_of_redis_is_what_compose_sets() -> None:
    compose = yaml.safe_load((ROOT / "docker-compose.yml").read_text("utf-8"))
    command = compose["services"]["redis"]["command"]
    percentage = command[command.index("--auto-aof-rewrite-percentage") + 1]
    assert f"`auto-aof-rewrite-percentage {percentage}`" in SIZING
    assert f"`docker-compose.yml`: {percentage} %, from 1 GB" in SIZING
    assert command[command.index("--auto-aof-rewrite-min-size") + 1] == "1gb"


def test_the_lag_that_keda_allows_is_the_one_explained() -> None:
    manifest = (ROOT / "deploy/kubernetes/production/autoscaling.yaml").read_text("utf-8")
    scaled, _ = yaml.safe_load_all(manifest)
    (trigger,) = scaled["spec"]["triggers"]
    threshold = int(trigger["metadata"]["lagThreshold"])
    explained = re.search(r"\(([\d,]+) a second:\s([\d,]+)\)", SIZING)
    assert explained is not None
    rate, total = (int(text.replace(",", "")) for text in explained.groups())
    assert 4 * rate == total == threshold
