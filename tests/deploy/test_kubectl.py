"""Every kubectl command that a page shows, typed: as it stands there, in the page's order."""

from __future__ import annotations

import json
import os
import signal
import socket
import subprocess
import time
from collections.abc import Iterator
from pathlib import Path

import pytest
from deploy.cluster import Asked, Cluster, serving
from deploy.manifests import CRDS, kubectl
from deploy.promises import ROOT
from docs.typed import typed_on_pages, unlike
from stack.parts import require

pytestmark = [pytest.mark.kubernetes, pytest.mark.timeout(120)]

FILES = ("ca.pem", "kafka-password", "redis-password", "http-token", "kafka-admin-password")
SECRET = """\
kubectl --namespace hedgerow create secret generic hedgerow-secrets \\
  --from-file=ca.pem=ca.pem \\
  --from-literal=kafka-username=hedgerow \\
  --from-file=kafka-password=kafka-password \\
  --from-file=redis-password=redis-password \\
  --from-file=http-token=http-token"""
TOPICS_SECRET = """\
kubectl --namespace hedgerow create secret generic hedgerow-topics-secrets \\
  --from-file=kafka-password=kafka-admin-password"""
FORWARDED = 8000


class Terminal:
    """A shell whose kubectl speaks to a cluster."""

    def __init__(self, folder: Path, cluster: Cluster, address: str) -> None:
        self.cluster = cluster
        self.typed: set[str] = set()
        self._folder = folder
        self._config = folder / "kubeconfig"
        self._environment = {
            **os.environ,
            "PATH": f"{kubectl().parent}:{os.environ['PATH']}",
            "KUBECONFIG": str(self._config),
            "HOME": str(folder),
        }
        self._address = address
        self.look_at("default")
        (folder / "deploy").symlink_to(ROOT / "deploy")
        for name in FILES:
            (folder / name).write_text(f"what stands in {name}", "utf-8")

    def look_at(self, namespace: str) -> None:
        """Let commands that name no namespace mean this one."""
        context = {"cluster": "one", "user": "me", "namespace": namespace}
        config = {
            "apiVersion": "v1",
            "kind": "Config",
            "current-context": "here",
            "clusters": [{"name": "one", "cluster": {"server": self._address}}],
            "users": [{"name": "me", "user": {}}],
            "contexts": [{"name": "here", "context": context}],
        }
        self._config.write_text(json.dumps(config), "utf-8")

    def type(self, command: str, code: int = 0) -> str:
        """Run a command as a page has it; return what it printed."""
        self.typed.add(command)
        done = subprocess.run(
            ["bash", "-c", command],
            cwd=self._folder,
            env=self._environment,
            stdin=subprocess.DEVNULL,
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            text=True,
            timeout=60,
            check=False,
        )
        assert done.returncode == code, f"`{command}` left with {done.returncode}: {done.stdout}"
        assert unlike(command, done.stdout) == []
        return done.stdout

    def forward(self, command: str) -> str:
        """Run a command that forwards a port, until it does; return what it printed."""
        self.typed.add(command)
        log = self._folder / "forward.log"
        with log.open("w") as output:
            process = subprocess.Popen(
                ["bash", "-c", f"exec {command}"],
                cwd=self._folder,
                env=self._environment,
                stdout=output,
                stderr=subprocess.STDOUT,
            )
        try:
            deadline = time.monotonic() + 30
            while "Forwarding from 127.0.0.1" not in log.read_text():
                assert process.poll() is None, log.read_text()
                assert time.monotonic() < deadline, log.read_text()
                time.sleep(0.1)
            with socket.create_connection(("127.0.0.1", FORWARDED), timeout=5):
                pass
        finally:
            process.send_signal(signal.SIGINT)
            process.wait(30)
        assert unlike(command, log.read_text()) == []
        return log.read_text()

    def object(self, kind: str, name: str, namespace: str = "hedgerow") -> dict[str, object]:
        return self.cluster.objects[kind, namespace, name]


@pytest.fixture(scope="module")
def terminal(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Terminal]:
    require(None if CRDS.is_dir() else "build/crds (make test-kubernetes brings it)")
    cluster = Cluster()
    with serving(cluster) as address:
        yield Terminal(tmp_path_factory.mktemp("kubectl"), cluster, address)


def test_the_base_is_applied_and_rolled_out(terminal: Terminal) -> None:
    made = terminal.type("kubectl apply --kustomize deploy/kubernetes/base")
    assert "deployment.apps/hedgerow created" in made
    told = terminal.type("kubectl rollout status deployment/hedgerow")
    assert "successfully rolled out" in told
    told = terminal.forward("kubectl port-forward service/hedgerow 8000")
    assert "-> 8000" in told  # the port of the container that the Service names
    assert terminal.cluster.asked[-1][:2] == ("portforward", "hedgerow-0")


def test_production_wants_its_namespace_and_its_secrets_first(terminal: Terminal) -> None:
    terminal.type("kubectl apply --filename deploy/kubernetes/production/namespace.yaml")
    terminal.type(SECRET)
    terminal.type(TOPICS_SECRET)
    made = terminal.type("kubectl apply --kustomize deploy/kubernetes/production")
    assert "job.batch/hedgerow-topics created" in made
    told = terminal.type("kubectl --namespace hedgerow rollout status deployment/hedgerow")
    assert "successfully rolled out" in told
    terminal.forward("kubectl --namespace hedgerow port-forward service/hedgerow 8000")


def test_what_was_applied_can_be_looked_at_and_does_not_differ(terminal: Terminal) -> None:
    assert "kind: ScaledObject" in terminal.type("kubectl kustomize deploy/kubernetes/production")
    assert terminal.type("kubectl diff --kustomize deploy/kubernetes/production") == ""


def test_a_worker_on_the_cluster_is_asked_as_the_runbook_has_it(terminal: Terminal) -> None:
    terminal.look_at("hedgerow")
    assert "hedgerow-0" in terminal.type("kubectl get pods")
    assert "deployment.apps/hedgerow" in terminal.type("kubectl get deployment,pods")
    assert "learns" in terminal.type("kubectl logs deployment/hedgerow")
    told = terminal.type("kubectl exec deployment/hedgerow -- hedgerow doctor")
    assert told.endswith("everything is as it should be\n")
    assert terminal.cluster.asked[-1] == Asked(
        "exec", "hedgerow-0", "worker", ("hedgerow", "doctor")
    )


def test_workers_are_sent_away_and_started_again(terminal: Terminal) -> None:
    terminal.look_at("hedgerow")
    terminal.type("kubectl annotate scaledobject hedgerow autoscaling.keda.sh/paused-replicas=0")
    meta = terminal.object("ScaledObject", "hedgerow")["metadata"]
    assert meta["annotations"]["autoscaling.keda.sh/paused-replicas"] == "0"
    terminal.type("kubectl rollout restart deployment/hedgerow")
    template = terminal.object("Deployment", "hedgerow")["spec"]["template"]
    assert "kubectl.kubernetes.io/restartedAt" in template["metadata"]["annotations"]
    terminal.type("kubectl scale deployment/hedgerow --replicas=0")
    assert terminal.object("Deployment", "hedgerow")["spec"]["replicas"] == 0
    terminal.type("kubectl delete job hedgerow-topics")
    assert ("Job", "hedgerow", "hedgerow-topics") not in terminal.cluster.objects


def test_what_is_wrong_is_refused(terminal: Terminal, tmp_path: Path) -> None:
    broken = tmp_path / "service.yaml"
    text = (ROOT / "deploy/kubernetes/base/service.yaml").read_text("utf-8")
    broken.write_text(text.replace("port: 8000", "port: eight"), "utf-8")
    assert "eight" in terminal.type(f"kubectl create --filename {broken}", code=1)
    assert "not found" in terminal.type("kubectl rollout status deployment/nobody", code=1)
    assert "doesn't have a resource type" in terminal.type("kubectl get hedgehogs", code=1)


def test_every_command_of_the_pages_was_typed(terminal: Terminal) -> None:
    assert typed_on_pages("kubectl") - terminal.typed == set()
