"""Write the rules of ``deploy/prometheus/rules.yml`` as the Prometheus operator wants them.

``python scripts/write_prometheus_rule.py`` writes ``deploy/kubernetes/production``'s
``prometheus-rule.yaml``, ``--check`` only says whether it is as it should be (exit code 1 if not).
"""

from __future__ import annotations

import sys

from generated import ROOT, write_or_check

RULES = ROOT / "deploy" / "prometheus" / "rules.yml"
PATH = ROOT / "deploy" / "kubernetes" / "production" / "prometheus-rule.yaml"

HEAD = """\
# Written by scripts/write_prometheus_rule.py from deploy/prometheus/rules.yml; edit there.
apiVersion: monitoring.coreos.com/v1
kind: PrometheusRule
metadata:
  name: hedgerow
spec:
"""


def prometheus_rule() -> str:
    """Give the whole text: the same YAML, further in."""
    text = RULES.read_text(encoding="utf-8")
    groups = text[text.index("groups:") :]
    return HEAD + "".join(f"  {line}".rstrip() + "\n" for line in groups.splitlines())


if __name__ == "__main__":
    sys.exit(write_or_check(PATH, prometheus_rule()))
