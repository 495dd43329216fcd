"""What can be said of the deployment's files without starting anything."""

from __future__ import annotations

import re
from pathlib import Path
from typing import Any

import pytest
import yaml

ROOT = Path(__file__).resolve().parents[2]
PINNED = re.compile(r"^[a-z0-9./_-]+:v?[0-9]+(\.[0-9]+)*(-[a-z0-9]+)*$")

# YAML as it was read: no type says more than Any.
Yaml = dict[str, Any]


@pytest.fixture(scope="module")
def compose() -> Yaml:
    loaded: Yaml = yaml.safe_load((ROOT / "docker-compose.yml").read_text("utf-8"))
    return loaded


@pytest.fixture(scope="module")
def dockerfile() -> str:
    return (ROOT / "deploy" / "Dockerfile").read_text("utf-8")


def test_every_image_is_pinned_to_a_version(compose: Yaml, dockerfile: str) -> None:
    images = [service["image"] for service in compose["services"].values()]
    images += re.findall(r"^FROM (\S+)", dockerfile, re.MULTILINE)

    loose = [image for image in images if not PINNED.match(image)]

    assert len(images) > len(compose["services"])
    assert loose == []


def test_nothing_is_published_beyond_loopback(compose: Yaml) -> None:
    ports = [port for service in compose["services"].values() for port in service.get("ports", ())]

    assert all(port.startswith("127.0.0.1:") for port in ports)


def test_workers_have_no_fixed_port_so_that_there_may_be_many(compose: Yaml) -> None:
    worker = compose["services"]["worker"]

    assert worker["ports"] == ["127.0.0.1::8000"]  # the engine picks one for each
    assert "container_name" not in worker
    assert worker["deploy"]["replicas"] == 2


def test_what_holds_data_holds_it_in_a_volume(compose: Yaml) -> None:
    kept = {
        service: [volume.split(":")[0] for volume in compose["services"][service]["volumes"]]
        for service in ("kafka", "redis", "prometheus", "alertmanager")
    }

    assert set(compose["volumes"]) == {f"{service}-data" for service in kept}
    for service, volumes in kept.items():
        assert f"{service}-data" in volumes
    assert "--appendonly" in compose["services"]["redis"]["command"]


def test_everything_comes_back_by_itself_and_in_order(compose: Yaml) -> None:
    services = compose["services"]

    assert all("restart" in service for service in services.values())
    assert services["worker"]["depends_on"] == {
        "kafka": {"condition": "service_healthy"},
        "redis": {"condition": "service_healthy"},
        "topics": {"condition": "service_completed_successfully"},
    }


def test_health_checks_run_on_old_engines_and_slow_machines(compose: Yaml) -> None:
    checks = {name: service.get("healthcheck", {}) for name, service in compose["services"].items()}

    assert all("start_interval" not in check for check in checks.values())  # needs Engine 25
    assert int(checks["kafka"]["timeout"].removesuffix("s")) >= 10  # Kafka's tools are slow


def test_prometheus_finds_every_worker_where_they_listen(compose: Yaml, dockerfile: str) -> None:
    config = yaml.safe_load((ROOT / "deploy/prometheus/prometheus.yml").read_text("utf-8"))

    jobs = {job["job_name"]: job for job in config["scrape_configs"]}
    discovery = jobs["hedgerow"]["dns_sd_configs"][0]

    assert set(discovery["names"]) <= set(compose["services"])
    assert discovery["type"] == "A"
    assert f"HEDGEROW_HTTP__PORT={discovery['port']}" in dockerfile
    assert "HEDGEROW_HTTP__HOST=0.0.0.0" in dockerfile  # loopback is the default


def test_prometheus_is_given_its_rules(compose: Yaml) -> None:
    folder = ROOT / "deploy" / "prometheus"
    config = yaml.safe_load((folder / "prometheus.yml").read_text("utf-8"))

    assert "./deploy/prometheus:/etc/prometheus:ro" in compose["services"]["prometheus"]["volumes"]
    assert all((folder / name).is_file() for name in config["rule_files"])


def test_the_image_runs_as_an_ordinary_user_from_hashed_requirements(dockerfile: str) -> None:
    last_stage = dockerfile[dockerfile.rindex("\nFROM ") :]
    users = re.findall(r"^USER (\S+)", last_stage, re.MULTILINE)

    assert users
    assert users[-1] not in ("root", "0")
    assert "HEALTHCHECK" in last_stage
    assert all(
        "--require-hashes" in line or "--no-deps" in line or "uninstall" in line
        for line in dockerfile.splitlines()
        if re.search(r"\bpip (install|wheel|uninstall)\b", line)
    )


def test_our_containers_can_write_nothing_but_a_temporary_folder(
    compose: Yaml, dockerfile: str
) -> None:
    ours = [service for service in compose["services"].values() if "hedgerow" in service["image"]]
    last_stage = dockerfile[dockerfile.rindex("\nFROM ") :]
    own = last_stage[: last_stage.index("USER ")]

    assert len(ours) == 2
    for service in ours:
        assert service["read_only"] is True
        assert [mount.split(":")[0] for mount in service["tmpfs"]] == ["/tmp"]
        assert service["cap_drop"] == ["ALL"]
        assert "no-new-privileges:true" in service["security_opt"]
        assert "privileged" not in service
        assert "volumes" not in service
    assert "warm_up(explain=True)" in own  # as root: the kernels cannot be changed by a worker
    assert "NUMBA_CACHE_DIR=/opt/hedgerow/" in own
    assert "NUMBA_CACHE_LOCATOR_CLASSES=hedgerow.app.service.kernel_cache.BakedCache" in own
    for name in ("NUMBA_CPU_NAME=generic", "NUMBA_CPU_FEATURES="):
        assert own.index(name) < own.index("warm_up(explain")  # the same at build and at run


def test_no_secret_is_baked_in(compose: Yaml, dockerfile: str) -> None:
    given = "\n".join(str(service.get("environment")) for service in compose["services"].values())

    for name in ("PASSWORD", "SECRET", "TOKEN", "PLUGIN_KEY"):
        assert f"__{name}" not in given
        assert name not in dockerfile


def test_the_dockerfile_needs_no_frontend_to_be_pulled(dockerfile: str) -> None:
    assert not re.match(r"(?i)\s*#\s*syntax\s*=", dockerfile)


def test_what_the_dockerfile_copies_reaches_the_build(dockerfile: str) -> None:
    ignore = (ROOT / ".dockerignore").read_text("utf-8").splitlines()
    copied = {
        source.split("/")[0]
        for line in re.findall(r"^COPY (?!--from)(.+) \S+$", dockerfile, re.MULTILINE)
        for source in line.split()
    }

    assert "*" in ignore
    assert {f"!{source}" for source in copied} <= set(ignore)
