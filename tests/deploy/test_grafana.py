"""The dashboards: every query can be asked, names what workers export, and stands in its place."""

from __future__ import annotations

import re
import subprocess
from itertools import combinations
from pathlib import Path

import pytest
import yaml
from deploy.dashboards import BOARDS, GRAFANA, board, panels, queries
from deploy.promises import FOLDER, ROOT, alerts, exported, metrics_in, recorded
from stack.parts import require, without

KINDS = {"row", "stat", "timeseries", "bargauge"}


def test_there_is_a_board_for_each_file() -> None:
    assert {path.stem for path in (GRAFANA / "dashboards").iterdir()} == set(BOARDS)


@pytest.mark.parametrize("name", BOARDS)
def test_queries_read_only_what_is_exported_or_recorded(name: str) -> None:
    known = exported() | set(recorded()) | {"up"}
    read = {query: metrics_in(query) for query in queries(name)}

    assert {query: names - known for query, names in read.items() if names - known} == {}
    assert [query for query, names in read.items() if not names and "ALERTS" not in query] == []
    for variable in board(name)["templating"]["list"]:
        assert metrics_in(variable["definition"]) <= known
        assert variable["query"]["query"] == variable["definition"]


@pytest.mark.parametrize("name", BOARDS)
def test_prometheus_understands_every_query(name: str, tmp_path: Path) -> None:
    require(without("promtool"))
    asked = queries(name)
    rules = [{"record": f"query_{i}", "expr": query} for i, query in enumerate(asked)]
    file = tmp_path / "queries.yml"
    file.write_text(yaml.safe_dump({"groups": [{"name": name, "rules": rules}]}), "utf-8")

    done = subprocess.run(
        ["promtool", "check", "rules", str(file)], capture_output=True, text=True, check=False
    )

    assert done.returncode == 0, done.stdout + done.stderr
    assert f"{len(asked)} rules found" in done.stdout
    assert not any("$" in query for query in asked)


@pytest.mark.parametrize("name", BOARDS)
def test_every_panel_asks_the_datasource_that_is_provisioned(name: str) -> None:
    file = yaml.safe_load((GRAFANA / "provisioning/datasources/prometheus.yml").read_text("utf-8"))
    (source,) = file["datasources"]
    wanted = {"type": source["type"], "uid": source["uid"]}

    for panel in panels(name):
        assert panel["datasource"] == wanted
        assert all(target["datasource"] == wanted for target in panel["targets"])
        letters = [target["refId"] for target in panel["targets"]]
        assert sorted(set(letters)) == letters
    assert all(v["datasource"] == wanted for v in board(name)["templating"]["list"])
    assert all(note["datasource"] == wanted for note in board(name)["annotations"]["list"])


@pytest.mark.parametrize("name", BOARDS)
def test_panels_have_numbers_titles_words_and_a_place_of_their_own(name: str) -> None:
    everything = board(name)["panels"]
    numbers = [panel["id"] for panel in everything]
    titles = [panel["title"] for panel in everything]
    cells = {
        panel["id"]: {
            (x, y)
            for x in range(panel["gridPos"]["x"], panel["gridPos"]["x"] + panel["gridPos"]["w"])
            for y in range(panel["gridPos"]["y"], panel["gridPos"]["y"] + panel["gridPos"]["h"])
        }
        for panel in everything
    }

    assert len(set(numbers)) == len(numbers)
    assert len(set(titles)) == len(titles)
    assert {panel["type"] for panel in everything} <= KINDS
    assert all(panel["description"].strip() for panel in panels(name))
    assert max(x for cell in cells.values() for x, _ in cell) == 23
    assert [pair for pair in combinations(numbers, 2) if cells[pair[0]] & cells[pair[1]]] == []


def test_boards_link_to_each_other_and_differ_in_name() -> None:
    uids = {board(name)["uid"] for name in BOARDS}
    linked = {link["url"] for name in BOARDS for link in board(name)["links"]}

    assert len(uids) == len(BOARDS)
    assert linked == {f"/d/{uid}" for uid in uids}


def test_grafana_finds_the_boards_where_compose_puts_them() -> None:
    compose = yaml.safe_load((ROOT / "docker-compose.yml").read_text("utf-8"))
    service = compose["services"]["grafana"]
    mounted = dict(volume.split(":")[:2] for volume in service["volumes"])
    file = yaml.safe_load((GRAFANA / "provisioning/dashboards/hedgerow.yml").read_text("utf-8"))
    (provider,) = file["providers"]

    assert mounted["./deploy/grafana/provisioning"] == "/etc/grafana/provisioning"
    assert mounted["./deploy/grafana/dashboards"] == provider["options"]["path"]
    home = service["environment"]["GF_DASHBOARDS_DEFAULT_HOME_DASHBOARD_PATH"]
    assert home in {f"{provider['options']['path']}/{name}.json" for name in BOARDS}


def test_grafana_lets_everybody_look_and_nobody_in() -> None:
    compose = yaml.safe_load((ROOT / "docker-compose.yml").read_text("utf-8"))
    given = compose["services"]["grafana"]["environment"]

    assert given["GF_AUTH_ANONYMOUS_ORG_ROLE"] == "Viewer"
    assert given["GF_SECURITY_DISABLE_INITIAL_ADMIN_CREATION"] == "true"
    assert given["GF_AUTH_BASIC_ENABLED"] == "false"
    assert not any("PASSWORD" in name for name in given)


def test_alertmanager_takes_its_file_and_tells_whom_it_should() -> None:
    require(without("amtool"))
    file = str(ROOT / "deploy" / "alertmanager" / "alertmanager.yml")

    def amtool(*arguments: str) -> subprocess.CompletedProcess[str]:
        return subprocess.run(["amtool", *arguments], capture_output=True, text=True, check=False)

    checked = amtool("check-config", file)
    assert checked.returncode == 0, checked.stderr
    for severity, receiver in (("critical", "on-call"), ("warning", "office")):
        told = amtool("config", "routes", "test", f"--config.file={file}", f"severity={severity}")
        assert told.stdout.strip() == receiver


def test_what_inhibits_and_is_inhibited_are_rules() -> None:
    file = yaml.safe_load((ROOT / "deploy/alertmanager/alertmanager.yml").read_text("utf-8"))
    named = {
        name
        for rule in file["inhibit_rules"]
        for matcher in rule["source_matchers"] + rule["target_matchers"]
        for name in re.findall(r"[A-Z]\w+", matcher)
    }
    assert named
    assert named <= set(alerts())


def test_prometheus_sends_alerts_where_alertmanager_listens() -> None:
    compose = yaml.safe_load((ROOT / "docker-compose.yml").read_text("utf-8"))
    config = yaml.safe_load((FOLDER / "prometheus.yml").read_text("utf-8"))
    (target,) = config["alerting"]["alertmanagers"]
    (place,) = target["dns_sd_configs"]

    assert place["names"] == ["alertmanager"]
    (port,) = compose["services"]["alertmanager"]["ports"]
    assert port.endswith(f":{place['port']}")
    assert compose["services"]["alertmanager"]["profiles"] == ["alertmanager"]
