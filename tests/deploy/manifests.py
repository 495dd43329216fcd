"""Renders ``deploy/kubernetes`` and holds every object against the schema of its kind."""

from __future__ import annotations

import shutil
import subprocess
import sys
from collections.abc import Iterator
from functools import cache
from pathlib import Path
from typing import Any

import yaml
from deploy.promises import ROOT
from stack.parts import require

KUBERNETES = ROOT / "deploy" / "kubernetes"
CRDS = ROOT / "build" / "crds"
VERSION = "1.34"

# YAML as it was read: no type says more than Any.
Yaml = dict[str, Any]


class NotRendered(Exception):
    """The manifests cannot be put together."""


def kubectl() -> Path:
    """Find the program: the wheel's, else the one on the path."""
    beside = Path(sys.executable).parent / "kubectl"
    found = str(beside) if beside.is_file() else shutil.which("kubectl")
    require(None if found else "kubectl (make test-kubernetes brings it)")
    return Path(str(found))


def render(folder: Path) -> list[Yaml]:
    """Put a kustomization together.

    Raises
    ------
    NotRendered
        If kustomize finds fault with it.
    """
    done = subprocess.run(
        [kubectl(), "kustomize", folder], capture_output=True, text=True, check=False
    )
    if done.returncode != 0:
        raise NotRendered(done.stderr)
    return list(yaml.safe_load_all(done.stdout))


def faults(objects: list[Yaml]) -> Iterator[str]:
    """Name what is wrong with these objects by the schemas of their kinds."""
    import kubernetes_validate

    for item in objects:
        name = f"{item['kind']} {item['metadata']['name']}"
        if "." in item["apiVersion"] and not item["apiVersion"].split("/")[0].endswith("k8s.io"):
            yield from (f"{name}: {fault}" for fault in _custom_faults(item))
            continue
        try:
            kubernetes_validate.validate(item, VERSION, strict=True)
        except kubernetes_validate.ValidationError as error:
            path = ".".join(map(str, error.path))
            yield f"{name}: {path}: {error.message}"
        except kubernetes_validate.SchemaNotFoundError:
            yield f"{name}: Kubernetes {VERSION} knows no such kind"


def _custom_faults(item: Yaml) -> Iterator[str]:
    import jsonschema

    schema = definitions().get((item["apiVersion"], item["kind"]))
    if schema is None:
        yield "no definition of this kind is known"
        return
    for error in jsonschema.Draft202012Validator(schema).iter_errors(item):
        yield f"{'.'.join(map(str, error.path))}: {error.message}"


@cache
def definitions() -> dict[tuple[str, str], Yaml]:
    """The schemas of custom resources, by version and kind; what they do not name is refused."""
    require(None if CRDS.is_dir() else "build/crds (make test-kubernetes brings it)")
    found = {}
    for path in CRDS.iterdir():
        spec = yaml.safe_load(path.read_text("utf-8"))["spec"]
        for version in spec["versions"]:
            schema = version["schema"]["openAPIV3Schema"]
            key = (f"{spec['group']}/{version['name']}", spec["names"]["kind"])
            found[key] = _closed(schema)
            found[key]["properties"]["metadata"] = {"type": "object"}
    return found


def _closed(schema: Yaml) -> Yaml:
    """Let objects have only the properties that are named."""
    closed = dict(schema)
    if "properties" in schema:
        closed["properties"] = {n: _closed(part) for n, part in schema["properties"].items()}
        if not schema.get("x-kubernetes-preserve-unknown-fields"):
            closed.setdefault("additionalProperties", False)
    if isinstance(schema.get("items"), dict):
        closed["items"] = _closed(schema["items"])
    if isinstance(schema.get("additionalProperties"), dict):
        closed["additionalProperties"] = _closed(schema["additionalProperties"])
    return closed
