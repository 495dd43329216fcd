"""The rules of Prometheus: promtool runs their own cases, and every name in them exists."""

from __future__ import annotations

import re
import shutil
import subprocess
from pathlib import Path

import pytest
import yaml
from deploy.promises import FOLDER, alerts, exported, metrics_in, recorded
from stack.parts import require, without

RUNBOOK = "https://github.com/hedgerow/hedgerow/blob/main/docs/runbook.md#"
CASES = ("rules_test.yml", "rules_day_test.yml")
Case = dict[str, str | list[object]]


def promtool(*arguments: str, folder: Path = FOLDER) -> subprocess.CompletedProcess[str]:
    require(without("promtool"))
    return subprocess.run(
        ["promtool", *arguments], cwd=folder, capture_output=True, text=True, check=False
    )


def cases() -> list[Case]:
    files = [yaml.safe_load((FOLDER / name).read_text("utf-8")) for name in CASES]
    return [c for file in files for test in file["tests"] for c in test["promql_expr_test"]]


def test_configuration_and_rules_are_what_prometheus_accepts() -> None:
    done = promtool("check", "config", "prometheus.yml")
    assert done.returncode == 0, done.stdout + done.stderr


def test_every_rule_fires_and_is_silent_when_its_cases_say_so() -> None:
    done = promtool("test", "rules", *CASES)
    assert done.returncode == 0, done.stdout + done.stderr


@pytest.mark.parametrize(
    ("rule", "becomes"),
    [("> 240", "> 2400"), ("WorkerFenced", "Fenced"), ("[15m])) > 0", "[15m])) >= 0")],
)
def test_a_changed_rule_fails_its_cases(tmp_path: Path, rule: str, becomes: str) -> None:
    shutil.copytree(FOLDER, tmp_path, dirs_exist_ok=True)
    rules = tmp_path / "rules.yml"
    text = rules.read_text("utf-8")
    assert rule in text
    rules.write_text(text.replace(rule, becomes), "utf-8")
    assert promtool("test", "rules", "rules_test.yml", folder=tmp_path).returncode != 0


@pytest.mark.parametrize("name", sorted(alerts()))
def test_each_rule_has_a_case_in_which_it_fires_and_one_in_which_it_is_silent(name: str) -> None:
    about = [case for case in cases() if f'alertname="{name}"' in str(case["expr"])]
    assert any(case["exp_samples"] for case in about)
    assert any(not case["exp_samples"] for case in about)


@pytest.mark.parametrize("name", sorted(alerts()))
def test_each_rule_says_how_grave_it_is_and_where_to_read_on(name: str) -> None:
    rule = alerts()[name]
    assert rule["labels"]["severity"] in ("critical", "warning")
    assert set(rule["annotations"]) == {"summary", "description", "runbook_url"}
    assert rule["annotations"]["runbook_url"] == RUNBOOK + name.lower()


def test_rules_use_only_what_workers_export() -> None:
    texts = [rule["expr"] for rule in alerts().values()] + list(recorded().values())
    used = {name for text in texts for name in metrics_in(text)}
    assert len(used) > 10
    assert used <= exported() | set(recorded()) | {"up"}


def test_rules_look_at_every_worker_by_the_name_of_its_job() -> None:
    config = yaml.safe_load((FOLDER / "prometheus.yml").read_text("utf-8"))
    jobs = {job["job_name"] for job in config["scrape_configs"]}
    named = {
        job for rule in alerts().values() for job in re.findall(r'job="([^"]+)"', rule["expr"])
    }
    assert named == {"hedgerow"} <= jobs
