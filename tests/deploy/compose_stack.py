"""Starts docker-compose.yml as a project of its own, beside any the machine already runs."""

from __future__ import annotations

import json
import os
import signal
import subprocess
import time
import urllib.error
import urllib.parse
import urllib.request
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any, TypeVar

import pytest
from docs.shell import ASKS
from docs.typed import unlike

from hedgerow.app.embedded.servers import free_port

ROOT = Path(__file__).resolve().parents[2]
Found = TypeVar("Found")
STARTED_WITHIN_SECONDS = 240
PROJECT = "hedgerow"  # its name in docker-compose.yml
CTRL_C = (0, 130)  # compose leaves with one or the other, by its version
READ_METRICS = (
    "import urllib.request as request;"
    "print(request.urlopen('http://127.0.0.1:8000/metrics', timeout=10).read().decode())"
)


def docker(*arguments: str, env: dict[str, str] | None = None, timeout: float = 600) -> str:
    """Run docker and return what it printed; an error carries the end of its output."""
    done = subprocess.run(
        ["docker", *arguments],
        cwd=ROOT,
        env=env,
        capture_output=True,
        text=True,
        timeout=timeout,
        check=False,
    )
    if done.returncode != 0:
        raise AssertionError(
            f"docker {' '.join(arguments)}:\n{(done.stdout + done.stderr)[-4000:]}"
        )
    return done.stdout


def missing_engine() -> str | None:
    """Name what starting the stack lacks, ``None`` if nothing."""
    for command in (["info"], ["compose", "version"]):
        try:
            docker(*command, timeout=30)
        except (AssertionError, OSError, subprocess.TimeoutExpired):
            return f"a Docker engine that answers `docker {' '.join(command)}`"
    return None


def until(wanted: Callable[[], Found | None], what: str, seconds: float = 60.0) -> Found:
    """Ask again and again until there is an answer."""
    deadline = time.monotonic() + seconds
    while (found := wanted()) is None:
        if time.monotonic() > deadline:
            raise AssertionError(f"not within {seconds:.0f} s: {what}")
        time.sleep(0.5)
    return found


class ComposeStack:
    """The service as `docker compose up` starts it, with ports of its own."""

    def __init__(self, project: str) -> None:
        self._project = project
        self._kafka_port, self._prometheus_port = free_port(), free_port()
        self._grafana_port, self._alertmanager_port = free_port(), free_port()
        self._environment = {
            **os.environ,
            "COMPOSE_PROJECT_NAME": project,
            "COMPOSE_BAKE": "false",
            "KAFKA_PORT": str(self._kafka_port),
            "PROMETHEUS_PORT": str(self._prometheus_port),
            "GRAFANA_PORT": str(self._grafana_port),
            "ALERTMANAGER_PORT": str(self._alertmanager_port),
        }
        self.bootstrap = f"127.0.0.1:{self._kafka_port}"
        self.published = 0
        self.typed: set[str] = set()

    def compose(self, *arguments: str) -> str:
        """Run docker compose on this project."""
        return docker("compose", *arguments, env=self._environment)

    def type(self, command: str, answer: str = "", *, again: bool = False) -> str:
        """Run a command as the pages have it, give its answer, and return what it printed.

        ``again`` where it meets something else than the page tells of, and prints something else.
        """
        self.typed.add(command)
        done = subprocess.run(
            ["bash", "-c", command],
            cwd=ROOT,
            env=self._environment,
            input=answer,
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            text=True,
            timeout=600,
            check=False,
        )
        assert done.returncode == 0, f"`{command}` left with {done.returncode}:\n{done.stdout}"
        # As a terminal shows it; and containers are called after the project, one of our own here.
        seen = done.stdout.replace(ASKS, f"{ASKS}{answer}").replace(self._project, PROJECT)
        wrong = [] if again else unlike(command, seen)
        assert wrong == [], "\n".join(wrong)
        return done.stdout

    @contextmanager
    def attended(self, command: str, log: Path) -> Iterator[None]:
        """Run a command that keeps its terminal, until all is healthy; press Ctrl-C at the end."""
        self.typed.add(command)
        with log.open("w") as output:
            process = subprocess.Popen(
                ["bash", "-c", f"exec {command}"],
                cwd=ROOT,
                env=self._environment,
                stdin=subprocess.DEVNULL,
                stdout=output,
                stderr=subprocess.STDOUT,
                start_new_session=True,
            )
        try:
            self.until_healthy()
            yield
            # Without a terminal docker tells compose itself; a second signal would be "force".
            process.send_signal(signal.SIGINT)
            code = process.wait(STARTED_WITHIN_SECONDS)
            assert code in CTRL_C, f"`{command}` left with {code}:\n{log.read_text()[-4000:]}"
        finally:
            process.kill()
            process.wait()

    def bring_images(self, *options: str) -> None:
        """Bring the public images of the services; skip where they cannot be had."""
        config = json.loads(self.compose(*options, "config", "--format", "json"))
        services = config["services"].values()
        built = {service["image"] for service in services if "build" in service}
        for image in sorted({service["image"] for service in services} - built):
            try:
                docker("image", "inspect", image)
            except AssertionError:
                try:
                    docker("pull", image)
                except AssertionError:
                    pytest.skip(f"missing: the image {image}, and it cannot be pulled")

    def until_healthy(self) -> None:
        """Wait until every container is healthy, or has done its work."""
        until(self._all_healthy, "every container healthy", STARTED_WITHIN_SECONDS)

    def _all_healthy(self) -> bool | None:
        lines = self.compose("ps", "--all", "--format", "json").splitlines()
        states = [json.loads(line) for line in lines]
        healthy = {
            state["Name"]
            for state in states
            if state["Health"] == "healthy" or (state["State"], state["ExitCode"]) == ("exited", 0)
        }
        return True if states and len(healthy) == len(states) else None

    def containers(self, service: str) -> list[str]:
        """Ids of a service's running containers."""
        return self.compose("ps", "--quiet", service).split()

    def ask_prometheus(self, path: str, **parameters: str) -> Any:
        """Ask Prometheus's API, and return the data of its answer."""
        return self._get(
            f"http://127.0.0.1:{self._prometheus_port}/api/v1/{path}?"
            + urllib.parse.urlencode(parameters)
        )["data"]

    def ask_grafana(self, path: str) -> Any:
        """Ask Grafana's API as somebody who has not logged in."""
        return self._get(f"http://127.0.0.1:{self._grafana_port}/api/{path}")

    def alertmanager(self) -> Any:
        """Ask Alertmanager how it is; ``None`` before it answers."""
        try:
            return self._get(f"http://127.0.0.1:{self._alertmanager_port}/api/v2/status")
        except OSError:
            return None

    def console(self) -> str:
        """Tell where a worker's console is, as the README has one find it."""
        return f"http://{self.type('docker compose port worker 8000').strip()}/console/"

    def _get(self, address: str) -> Any:
        with urllib.request.urlopen(address, timeout=10) as answer:
            return json.load(answer)

    def prometheus(self, query: str) -> float | None:
        """Evaluate a query that has one number as its answer; ``None`` before there is one."""
        try:
            result = self.ask_prometheus("query", query=query)["result"]
        except (urllib.error.URLError, OSError):
            return None
        return float(result[0]["value"][1]) if result else None

    def until_prometheus(self, query: str, value: float, seconds: float = 60.0) -> None:
        """Wait until a query has this value; what it had instead is told."""
        seen: list[float | None] = [None]

        def reached() -> bool | None:
            seen[0] = self.prometheus(query)
            return True if seen[0] == value else None

        try:
            until(reached, f"{query} = {value}", seconds)
        except AssertionError as error:
            raise AssertionError(f"{error}, but {seen[0]}; {self.held()}") from None

    def held(self) -> dict[str, str]:
        """Partitions in each worker's hands, as Prometheus knows it."""
        found = self.ask_prometheus("query", query="hedgerow_partitions")["result"]
        return {one["metric"]["instance"]: one["value"][1] for one in found}

    def accounted(self, outcome: str) -> int | None:
        """Readings or messages with this outcome, as the workers' own state counts them.

        ``None`` while a worker does not answer.
        """
        total = 0
        for worker in self.containers("worker"):
            try:
                page = docker("exec", worker, "python", "-c", READ_METRICS)
            except AssertionError:
                return None
            for line in page.splitlines():
                if line.startswith("hedgerow_accounted{") and f'outcome="{outcome}"' in line:
                    total += int(float(line.rsplit(" ", 1)[1]))
        return total

    def until_accounted(self, outcome: str, wanted: int, seconds: float = 90.0) -> None:
        """Wait until this many had this outcome."""
        seen: list[int | None] = [None]

        def reached() -> bool | None:
            seen[0] = self.accounted(outcome)
            return True if seen[0] == wanted else None

        try:
            until(reached, f"{wanted} {outcome}", seconds)
        except AssertionError as error:
            raise AssertionError(f"{error}, but {seen[0]}") from None

    def exit_codes(self, service: str) -> set[int]:
        """What a service's containers have ended with."""
        lines = self.compose("ps", "--all", "--format", "json", service).splitlines()
        states = [json.loads(line) for line in lines]
        assert all(state["State"] == "exited" for state in states), states
        return {state["ExitCode"] for state in states}


@contextmanager
def put_aside(image: str) -> Iterator[None]:
    """Take the name off an image that may be there, so that it must be built; from its layers."""
    aside = f"{image}-aside"
    try:
        docker("tag", image, aside)
    except AssertionError:
        yield
        return
    docker("rmi", image)
    try:
        yield
    finally:
        docker("rmi", aside)
