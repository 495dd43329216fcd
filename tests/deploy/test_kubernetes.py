"""The Kubernetes manifests: they render, fit their schemas, each other and the settings."""

from __future__ import annotations

import dataclasses
import importlib.util
import re
import shutil
import sys
from pathlib import Path

import pytest
import yaml
from deploy.manifests import KUBERNETES, NotRendered, Yaml, faults, render
from deploy.promises import ROOT
from stack.parts import require, without

from hedgerow.app.service.worker import DRAIN_SECONDS, STOP_SECONDS
from hedgerow.app.settings import Settings, load_settings

pytestmark = pytest.mark.kubernetes

PLACES = ("base", "production")
DELIVER_SECONDS = 5.0  # KafkaEmitter.close
SECRETS = "/run/secrets/hedgerow"


@pytest.fixture(scope="module", params=PLACES)
def place(request: pytest.FixtureRequest) -> str:
    return str(request.param)


@pytest.fixture(scope="module")
def objects(place: str) -> list[Yaml]:
    return render(KUBERNETES / place)


@pytest.fixture(scope="module")
def production() -> list[Yaml]:
    return render(KUBERNETES / "production")


def one(objects: list[Yaml], kind: str) -> Yaml:
    (found,) = [item for item in objects if item["kind"] == kind]
    return found


def pod(item: Yaml) -> Yaml:
    """The specification of the pods that a Deployment or Job makes."""
    spec: Yaml = item["spec"]["template"]["spec"]
    return spec


def settings(place: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Settings:
    """The settings of a place, its secrets being files here."""
    text = (KUBERNETES / place / "city.toml").read_text("utf-8").replace(SECRETS, str(tmp_path))
    for name in set(re.findall(rf'"{re.escape(str(tmp_path))}/([^"]+)"', text)):
        (tmp_path / name).write_text("sixteen letters and more", "utf-8")
    file = tmp_path / "city.toml"
    file.write_text(text, "utf-8")
    monkeypatch.setenv("HEDGEROW_CONFIG", str(file))
    return load_settings()


# ------------------------------------------------------------------ schemas


def test_every_object_fits_the_schema_of_its_kind(objects: list[Yaml]) -> None:
    assert len(objects) >= 5
    assert list(faults(objects)) == []


@pytest.mark.parametrize(
    ("file", "text", "becomes", "told"),
    [
        ("base/deployment.yaml", "readinessProbe", "readynessProbe", "readynessProbe"),
        ("base/deployment.yaml", "containerPort: 8000", "containerPort: http", "'http'"),
        ("base/service.yaml", "port: 8000", "port: [8000]", "[8000]"),
        ("base/disruption-budget.yaml", "policy/v1", "policy/v1beta9", "no such kind"),
        ("production/autoscaling.yaml", "maxReplicaCount", "maxReplicas", "maxReplicas"),
        ("production/autoscaling.yaml", "- type: kafka", "- kind: kafka", "type"),
        ("production/monitoring.yaml", "interval: 15s", "interval: 15", "15"),
        ("production/monitoring.yaml", "monitoring.coreos.com/v1", "monitoring.coreos.com/v9",
         "no definition"),
    ],
)  # fmt: skip
def test_a_broken_manifest_is_found_out(
    tmp_path: Path, file: str, text: str, becomes: str, told: str
) -> None:
    shutil.copytree(KUBERNETES, tmp_path, dirs_exist_ok=True)
    manifest = tmp_path / file
    assert text in manifest.read_text("utf-8")
    manifest.write_text(manifest.read_text("utf-8").replace(text, becomes), "utf-8")

    found = list(faults(render(tmp_path / "production")))

    assert found
    assert any(told in fault for fault in found)


def test_a_missing_file_is_found_out(tmp_path: Path) -> None:
    shutil.copytree(KUBERNETES, tmp_path, dirs_exist_ok=True)
    (tmp_path / "base" / "service.yaml").unlink()
    with pytest.raises(NotRendered, match=r"service\.yaml"):
        render(tmp_path / "production")


def test_a_definition_that_is_not_the_reviewed_one_is_refused() -> None:
    require(without("go"))
    path = ROOT / "scripts" / "fetch_crds.py"
    spec = importlib.util.spec_from_file_location("fetch_crds", path)
    assert spec is not None
    assert spec.loader is not None
    script = importlib.util.module_from_spec(spec)
    sys.modules["fetch_crds"] = script
    spec.loader.exec_module(script)
    (_, operator) = script.MODULES

    assert set(script.fetch(operator)) == set(operator.files)
    with pytest.raises(ValueError, match="expected h1:another"):
        script.fetch(dataclasses.replace(operator, sum="h1:another"))


# ------------------------------------------------------------------ the objects fit each other


def test_whatever_selects_workers_selects_them(objects: list[Yaml]) -> None:
    worker = one(objects, "Deployment")
    labels = worker["spec"]["template"]["metadata"]["labels"]
    service = one(objects, "Service")
    selectors = [
        worker["spec"]["selector"]["matchLabels"],
        service["spec"]["selector"],
        one(objects, "PodDisruptionBudget")["spec"]["selector"]["matchLabels"],
        one(objects, "NetworkPolicy")["spec"]["podSelector"]["matchLabels"],
    ]

    assert all(selector.items() <= labels.items() for selector in selectors)
    (port,) = pod(worker)["containers"][0]["ports"]
    assert service["spec"]["ports"][0]["targetPort"] == port["name"]


def test_nothing_selects_the_job_that_should_select_workers_alone(production: list[Yaml]) -> None:
    labels = one(production, "Job")["spec"]["template"]["metadata"]["labels"]
    for selector in (
        one(production, "Service")["spec"]["selector"],
        one(production, "PodDisruptionBudget")["spec"]["selector"]["matchLabels"],
        one(production, "Deployment")["spec"]["selector"]["matchLabels"],
    ):
        assert not selector.items() <= labels.items()
    policy = one(production, "NetworkPolicy")["spec"]["podSelector"]["matchLabels"]
    assert policy.items() <= labels.items()  # it too needs Kafka


def test_pods_read_the_settings_that_are_rendered(objects: list[Yaml]) -> None:
    name = one(objects, "ConfigMap")["metadata"]["name"]
    assert re.fullmatch(r"hedgerow-settings-[a-z0-9]+", name)
    for item in objects:
        if item["kind"] in ("Deployment", "Job"):
            volumes = {v["name"]: v for v in pod(item)["volumes"]}
            assert volumes["settings"]["configMap"]["name"] == name
            (container,) = pod(item)["containers"]
            assert {m["name"] for m in container["volumeMounts"]} == set(volumes)
            given = {e["name"]: e["value"] for e in container["env"]}
            assert given["HEDGEROW_CONFIG"] == "/etc/hedgerow/city.toml"


def test_pods_can_do_nothing_but_their_work(objects: list[Yaml]) -> None:
    dockerfile = (ROOT / "deploy" / "Dockerfile").read_text("utf-8")
    for item in objects:
        if item["kind"] not in ("Deployment", "Job"):
            continue
        spec = pod(item)
        (container,) = spec["containers"]
        assert spec["securityContext"]["runAsNonRoot"] is True
        assert f"--uid {spec['securityContext']['runAsUser']} " in dockerfile
        assert spec["securityContext"]["seccompProfile"] == {"type": "RuntimeDefault"}
        assert spec["automountServiceAccountToken"] is False
        assert spec["enableServiceLinks"] is False
        assert container["securityContext"] == {
            "allowPrivilegeEscalation": False,
            "readOnlyRootFilesystem": True,
            "capabilities": {"drop": ["ALL"]},
        }
        assert container["resources"]["requests"]
        assert container["resources"]["limits"]["memory"]
        writable = [m["mountPath"] for m in container["volumeMounts"] if not m.get("readOnly")]
        assert writable == ["/tmp"]


def test_probes_ask_what_a_worker_answers(objects: list[Yaml]) -> None:
    (container,) = pod(one(objects, "Deployment"))["containers"]
    asked = {
        kind: container[f"{kind}Probe"]["httpGet"]["path"]
        for kind in ("startup", "readiness", "liveness")
    }
    assert asked == {"startup": "/healthz", "readiness": "/readyz", "liveness": "/healthz"}


def test_a_worker_that_is_told_to_end_has_the_time_to(objects: list[Yaml]) -> None:
    at_the_worst = 2 * DRAIN_SECONDS + STOP_SECONDS + DELIVER_SECONDS
    assert pod(one(objects, "Deployment"))["terminationGracePeriodSeconds"] > at_the_worst


# ------------------------------------------------------------------ the objects fit the settings


def test_the_settings_are_good(place: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    found = settings(place, tmp_path, monkeypatch)
    assert found.http.console
    assert (found.http.token is not None) == (place == "production")


def test_variables_are_settings(production: list[Yaml]) -> None:
    for item in (one(production, "Deployment"), one(production, "Job")):
        for given in pod(item)["containers"][0]["env"]:
            path = given["name"].removeprefix("HEDGEROW_").lower().split("__")
            if path == ["config"]:
                continue
            section = Settings
            for step in path[:-1]:
                section = section.model_fields[step].annotation  # type: ignore[assignment]
            assert path[-1] in section.model_fields


def test_secrets_are_files_of_secrets_that_are_mounted(production: list[Yaml]) -> None:
    text = (KUBERNETES / "production" / "city.toml").read_text("utf-8")
    files = re.findall(r'_file = "([^"]+)"', text)
    assert files
    assert not re.search(r"(password|token|secret|key) =", text)
    mounts = {
        mount["mountPath"]
        for item in (one(production, "Deployment"), one(production, "Job"))
        for mount in pod(item)["containers"][0]["volumeMounts"]
    }
    assert {str(Path(file).parent) for file in files} <= mounts
    job = one(production, "Job")
    given = {e["name"]: e["value"] for e in pod(job)["containers"][0]["env"]}
    assert str(Path(given["HEDGEROW_KAFKA__SASL__PASSWORD_FILE"]).parent) in mounts


def test_the_page_makes_every_secret_that_is_asked_for(production: list[Yaml]) -> None:
    page = (ROOT / "docs" / "kubernetes.md").read_text("utf-8")
    (trigger,) = [item for item in production if item["kind"] == "TriggerAuthentication"]
    keys = {(s["name"], s["key"]) for s in trigger["spec"]["secretTargetRef"]}
    text = (KUBERNETES / "production" / "city.toml").read_text("utf-8")
    keys |= {("hedgerow-secrets", Path(f).name) for f in re.findall(r'_file = "([^"]+)"', text)}
    keys |= {("hedgerow-topics-secrets", "kafka-password")}

    for secret, key in keys:
        after = page.partition(f"create secret generic {secret} ")[2]
        command = after.partition("\nkubectl")[0].partition("\n```")[0]
        assert re.search(rf"--from-(file|literal)={re.escape(key)}=", command), (secret, key)


def test_network_policies_open_the_ports_of_the_settings(
    place: str, objects: list[Yaml], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    found = settings(place, tmp_path, monkeypatch)
    kafka = int(found.kafka.bootstrap_servers.rsplit(":", 1)[1])
    redis = int(re.findall(r":(\d+)/", found.redis.url.get_secret_value())[0])
    policy = one(objects, "NetworkPolicy")["spec"]
    opened = {port["port"] for rule in policy["egress"] for port in rule["ports"]}

    assert opened == {53, kafka, redis}
    assert policy["policyTypes"] == ["Ingress", "Egress"]


def test_keda_asks_for_the_lag_of_the_group_on_the_topic(
    production: list[Yaml], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    found = settings("production", tmp_path, monkeypatch)
    scaled = one(production, "ScaledObject")["spec"]
    (trigger,) = scaled["triggers"]
    asked = trigger["metadata"]

    assert scaled["scaleTargetRef"]["name"] == one(production, "Deployment")["metadata"]["name"]
    assert asked["bootstrapServers"] == found.kafka.bootstrap_servers
    assert asked["consumerGroup"] == found.group
    assert asked["topic"] == found.topics.readings
    assert scaled["minReplicaCount"] <= scaled["fallback"]["replicas"] <= scaled["maxReplicaCount"]
    assert scaled["maxReplicaCount"] <= found.topics.partitions
    auth = one(production, "TriggerAuthentication")["metadata"]["name"]
    assert trigger["authenticationRef"]["name"] == auth


def test_the_number_of_workers_is_kedas_alone(production: list[Yaml]) -> None:
    assert "replicas" not in one(production, "Deployment")["spec"]


def test_prometheus_finds_workers_and_has_the_rules(production: list[Yaml]) -> None:
    monitor = one(production, "ServiceMonitor")["spec"]
    service = one(production, "Service")
    rules = yaml.safe_load((ROOT / "deploy/prometheus/rules.yml").read_text("utf-8"))

    assert monitor["selector"]["matchLabels"].items() <= service["metadata"]["labels"].items()
    assert {e["port"] for e in monitor["endpoints"]} <= {
        p["name"] for p in service["spec"]["ports"]
    }
    assert service["metadata"]["name"] == "hedgerow"  # becomes the job that the rules look for
    assert one(production, "PrometheusRule")["spec"]["groups"] == rules["groups"]
