"""What the rules name and what a worker exports, for the tests that compare them."""

from __future__ import annotations

import re
from functools import cache
from pathlib import Path
from typing import Any

import yaml

from hedgerow.app.service.metric_catalogue import CATALOGUE, PROCESS

ROOT = Path(__file__).resolve().parents[2]
FOLDER = ROOT / "deploy" / "prometheus"

# A metric's name in an expression: what stands before its labels, its range or the end, no
# function and no label. Good for the expressions here, which a test of it keeps honest.
METRIC = re.compile(r"\b(?:[a-z_]+:)?(?:hedgerow|process)_\w+(?::\w+)?\b|\bup\b")

# YAML as it was read: no type says more than Any.
Rule = dict[str, Any]


@cache
def rules() -> list[Rule]:
    """All rules, in their order."""
    groups = yaml.safe_load((FOLDER / "rules.yml").read_text("utf-8"))["groups"]
    return [rule for group in groups for rule in group["rules"]]


def alerts() -> dict[str, Rule]:
    """The rules that alert, by name."""
    return {rule["alert"]: rule for rule in rules() if "alert" in rule}


def recorded() -> dict[str, str]:
    """The expressions that Prometheus records, by the name it gives them."""
    return {rule["record"]: rule["expr"] for rule in rules() if "record" in rule}


def exported() -> set[str]:
    """The names under which a worker's metrics are found."""
    return {name for metric in CATALOGUE for name in metric.exposed} | set(PROCESS)


def metrics_in(expression: str) -> set[str]:
    """The metrics an expression reads."""
    return set(METRIC.findall(expression))
