"""The dashboards as they stand in deploy/grafana, and what they ask Prometheus."""

from __future__ import annotations

import json
from typing import Any

from deploy.promises import ROOT

GRAFANA = ROOT / "deploy" / "grafana"
BOARDS = ("city", "service")

# JSON and YAML as they were read: no type says more than Any.
Board = dict[str, Any]


def board(name: str) -> Board:
    """One dashboard."""
    loaded: Board = json.loads((GRAFANA / "dashboards" / f"{name}.json").read_text("utf-8"))
    return loaded


def panels(name: str) -> list[Board]:
    """Its panels that show something."""
    return [panel for panel in board(name)["panels"] if panel["type"] != "row"]


def queries(name: str) -> list[str]:
    """Every query of a dashboard, as Grafana asks it: with something for its variables."""
    asked = [target["expr"] for panel in panels(name) for target in panel["targets"]]
    asked += [note["expr"] for note in board(name)["annotations"]["list"]]
    for variable in board(name)["templating"]["list"]:
        asked = [query.replace(f"${variable['name']}", ".*") for query in asked]
    return [query.replace("$__rate_interval", "1m") for query in asked]
