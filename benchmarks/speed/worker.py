"""The product's worker, started by its own command as anybody would start it."""

from __future__ import annotations

import os
import sys
import time
import urllib.request
import uuid
from collections.abc import Mapping, Sequence
from contextlib import AbstractContextManager
from pathlib import Path
from types import TracebackType
from typing import Self

from prometheus_client.parser import text_string_to_metric_families
from prometheus_client.samples import Sample

from benchmarks.speed.servers import Servers
from hedgerow.app.embedded.child import Child
from hedgerow.app.embedded.servers import free_port

COMMAND = (sys.executable, "-m", "hedgerow", "worker")
READY_SECONDS = 120.0
SAVED = 'hedgerow_checkpoints_total{outcome="saved"}'  # as `Worker.metrics` names it


class Worker(AbstractContextManager["Worker"]):
    """One worker process, ended with the block.

    Parameters
    ----------
    servers : Servers
        Where broker and Redis are.
    readings : str
        The topic it reads.
    folder : Path
        Where its log goes.
    name : str, optional
        Makes its group and output topics; the same name shares them with another worker.
    settings : mapping
        Environment variables over the usual ones.
    command : sequence of str
        How it is started: the command line's own way unless a part needs to look inside.
    """

    def __init__(
        self,
        servers: Servers,
        readings: str,
        folder: Path,
        *,
        name: str = "",
        settings: Mapping[str, str] | None = None,
        command: Sequence[str] = COMMAND,
    ) -> None:
        self.name = name or uuid.uuid4().hex[:8]
        self.predictions = f"predictions-{self.name}"
        self.outputs = (self.predictions, f"alerts-{self.name}", f"dead-letters-{self.name}")
        self._port = free_port()
        self.child = Child(
            "the worker",
            command,
            folder / f"worker-{uuid.uuid4().hex[:8]}.log",
            {
                "HEDGEROW_KAFKA__BOOTSTRAP_SERVERS": servers.bootstrap,
                "HEDGEROW_REDIS__URL": servers.redis_url,
                "HEDGEROW_REDIS__PREFIX": self.name,
                "HEDGEROW_GROUP": f"bench-{self.name}",
                "HEDGEROW_TOPICS__READINGS": readings,
                "HEDGEROW_TOPICS__PREDICTIONS": self.outputs[0],
                "HEDGEROW_TOPICS__ALERTS": self.outputs[1],
                "HEDGEROW_TOPICS__DEAD_LETTERS": self.outputs[2],
                "HEDGEROW_HTTP__PORT": str(self._port),
                "HEDGEROW_LOG_LEVEL": "info",
                **(settings or {}),
            },
        )

    @property
    def pid(self) -> int:
        """Id of its process."""
        return self.child.pid

    def metrics(self) -> dict[str, float]:
        """Return what it says of itself, by name with labels: ``hedgerow_readings_total{...}``."""
        url = f"http://127.0.0.1:{self._port}/metrics"
        with urllib.request.urlopen(url, timeout=30) as answer:
            return parse_metrics(answer.read().decode())

    def is_ready(self) -> bool:
        """Tell whether it says that it is."""
        try:
            with urllib.request.urlopen(f"http://127.0.0.1:{self._port}/readyz", timeout=10):
                return True
        except OSError:  # not listening yet, or 503
            return False

    def wait_ready(self) -> None:
        """Wait until it holds its partitions."""
        deadline = time.monotonic() + READY_SECONDS
        while not self.is_ready():
            self.check(deadline)
            time.sleep(0.05)

    def check(self, deadline: float) -> None:
        """Raise with the end of its log if it has ended, or if it is too late."""
        if self.child.exit_code is not None or time.monotonic() > deadline:
            raise RuntimeError(f"the worker does not go on:\n{self.child.log_tail(30)}")

    def log(self) -> str:
        """Return all it has written."""
        return self.child.log.read_text("utf-8", errors="replace")

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        self.child.stop(30.0)


def parse_metrics(text: str) -> dict[str, float]:
    """Read Prometheus's text format: each sample by its name and labels.

    Examples
    --------
    >>> parse_metrics('# HELP a b\\nhedgerow_readings_total{outcome="late"} 3.0\\n')
    {'hedgerow_readings_total{outcome="late"}': 3.0}
    """
    return {
        _named(sample): sample.value
        for family in text_string_to_metric_families(text)
        for sample in family.samples
    }


def _named(sample: Sample) -> str:
    labels = ",".join(f'{label}="{value}"' for label, value in sample.labels.items())
    return f"{sample.name}{{{labels}}}" if labels else sample.name


def path_of_modules() -> dict[str, str]:
    """Return the variable that lets a script import what this process can."""
    return {"PYTHONPATH": os.pathsep.join(entry for entry in sys.path if entry)}
