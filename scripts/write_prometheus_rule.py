"""Write the rules of ``deploy/prometheus/rules.yml`` as the Prometheus operator wants them.

``python scripts/write_prometheus_rule.py`` writes ``deploy/kubernetes/production``'s
``prometheus-rule.yaml``, ``--check`` only says whether it is as it should be (exit code 1 if not).
"""

from __future__ import annotations

import argparse
import sys
from pathlib import Path

ROOT = Path(__file__).parent.parent
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


def main() -> int:
    """Write the file, or compare it with what it should be."""
    parser = argparse.ArgumentParser(description="Write prometheus-rule.yaml.")
    parser.add_argument("--check", action="store_true", help="only compare; exit code 1 if stale")
    if not parser.parse_args().check:
        PATH.write_text(prometheus_rule(), encoding="utf-8")
        return 0
    if PATH.is_file() and PATH.read_text(encoding="utf-8") == prometheus_rule():
        return 0
    print(f"{PATH.name} is stale; run python scripts/write_prometheus_rule.py", file=sys.stderr)
    return 1


if __name__ == "__main__":
    sys.exit(main())
