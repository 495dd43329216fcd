"""Write ``docs/metrics.md`` from the catalogue of metrics.

``python scripts/write_metrics_doc.py`` writes it, ``--check`` only says whether it is as it
should be (exit code 1 if not).
"""

from __future__ import annotations

import sys

from generated import ROOT, write_or_check

from hedgerow.app.service.metric_catalogue import (
    CATALOGUE,
    PROCESS,
    Counted,
    Described,
    Spread,
)

PATH = ROOT / "docs" / "metrics.md"

INTRODUCTION = """\
<!-- Written by scripts/write_metrics_doc.py from src/hedgerow/app/service/metric_catalogue.py. -->
# Metrics

What a worker tells at `/metrics`. No label carries a sensor id. Of a partition only the worker
that holds it tells: add over all workers, or take the largest by `topic` and `partition`. *Kept
with the state* means that a number moves with its partition to another worker, where a counter
begins again. What to do about them is in the [runbook](runbook.md); the dashboards of
`deploy/grafana` and the rules of `deploy/prometheus` use no others.

"""


def metrics_doc() -> str:
    """Give the whole text."""
    lines = ["| Metric | Kind | Labels | Meaning |", "| --- | --- | --- | --- |"]
    lines += [
        f"| `{_name(m)}` | {_kind(m)} | {_labels(m)} | {m.meaning} |"
        for m in sorted(CATALOGUE, key=lambda m: m.name)
    ]
    lines += ["", "On Linux also, from the client library:", "", "| Metric | Meaning |"]
    lines += ["| --- | --- |", *(f"| `{name}` | {text} |" for name, text in PROCESS.items()), ""]
    return INTRODUCTION + "\n".join(lines)


def _name(metric: Described) -> str:
    return metric.name if isinstance(metric, Spread) else metric.exposed[0]


def _kind(metric: Described) -> str:
    if isinstance(metric, Spread):
        return "histogram"
    return "counter" if isinstance(metric, Counted) else "gauge"


def _labels(metric: Described) -> str:
    return ", ".join(f"`{label}`" for label in metric.labels)


if __name__ == "__main__":
    sys.exit(write_or_check(PATH, metrics_doc()))
