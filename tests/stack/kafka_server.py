"""A real Apache Kafka in KRaft mode, one node or several, from the jars that Maven brings."""

from __future__ import annotations

import shutil
import subprocess
import time
import uuid
from base64 import urlsafe_b64encode
from collections.abc import Mapping, Sequence
from contextlib import suppress
from pathlib import Path

from confluent_kafka import KafkaException
from confluent_kafka.admin import AdminClient
from stack.parts import without

from hedgerow.app.embedded.child import Child
from hedgerow.app.embedded.servers import free_port

ROOT = Path(__file__).resolve().parents[2]
POM = ROOT / "tests" / "stack" / "kafka" / "pom.xml"
LIBS = ROOT / "build" / "kafka" / "libs"

PROPERTIES = """\
process.roles=broker,controller
node.id={node}
controller.quorum.voters={voters}
controller.listener.names=CONTROLLER
listeners=PLAINTEXT://127.0.0.1:{port},CONTROLLER://127.0.0.1:{controller_port}
advertised.listeners=PLAINTEXT://127.0.0.1:{port}
listener.security.protocol.map=PLAINTEXT:PLAINTEXT,CONTROLLER:PLAINTEXT
inter.broker.listener.name=PLAINTEXT
log.dirs={logs}
auto.create.topics.enable=false
group.initial.rebalance.delay.ms=0
group.min.session.timeout.ms=1000
broker.session.timeout.ms=3000
broker.heartbeat.interval.ms=500
replica.lag.time.max.ms=5000
auto.leader.rebalance.enable=false
offsets.topic.replication.factor={replication}
offsets.topic.num.partitions=4
transaction.state.log.replication.factor=1
transaction.state.log.min.isr=1
transaction.state.log.num.partitions=2
share.coordinator.state.topic.replication.factor=1
share.coordinator.state.topic.min.isr=1
num.partitions=1
"""

LOG4J = """\
Configuration:
  status: ERROR
  Appenders:
    Console:
      name: out
      PatternLayout:
        pattern: "%d %p %c{1} %m%n"
  Loggers:
    Root:
      level: WARN
      AppenderRef:
        ref: out
"""


def missing() -> str | None:
    """Name what a real Kafka lacks on this machine, ``None`` if nothing."""
    absent = without("java") if jars() else without("java", "mvn")
    return f"{absent}, for a real Apache Kafka" if absent else None


def jars() -> list[Path]:
    return sorted(LIBS.glob("*.jar"))


def fetch() -> None:
    """Bring the jars to ``build/kafka/libs``, once; a half-filled folder never counts."""
    if jars():
        return
    partial = LIBS.with_name(f"libs.{uuid.uuid4().hex}")
    subprocess.run(
        [
            *("mvn", "--quiet", "--batch-mode", "--file", str(POM)),
            *("dependency:copy-dependencies", f"-DoutputDirectory={partial}"),
        ],
        check=True,
        timeout=600,
    )
    if jars():  # another run was faster
        shutil.rmtree(partial)
    else:
        partial.rename(LIBS)


class KafkaServer:
    """One broker in a folder of its own; ``bootstrap`` is where it listens.

    Parameters
    ----------
    node : int
        Its id.
    controllers : mapping of int to int, optional
        The controller ports of all nodes of its cluster; alone otherwise.
    cluster : str, optional
        Id of the cluster, the same for all its nodes.
    more : str
        Properties over the usual ones; ``{port}`` and ``{controller_port}`` are filled in.
    loggers : str
        Further loggers, as YAML under ``Loggers``.
    java : sequence of str
        Options of the virtual machine.
    """

    def __init__(
        self,
        folder: Path,
        *,
        node: int = 1,
        controllers: Mapping[int, int] | None = None,
        cluster: str | None = None,
        more: str = "",
        loggers: str = "",
        java: Sequence[str] = (),
    ) -> None:
        fetch()
        folder.mkdir(parents=True, exist_ok=True)
        self.node = node
        self._folder = folder
        self._java_options = tuple(java)
        self._port = free_port()
        self.bootstrap = f"127.0.0.1:{self._port}"
        ports = controllers or {node: free_port()}
        self._properties = folder / "server.properties"
        self._properties.write_text(
            (PROPERTIES + more).format(  # of two lines for one property the later counts
                node=node,
                port=self._port,
                controller_port=ports[node],
                voters=",".join(f"{name}@127.0.0.1:{port}" for name, port in ports.items()),
                replication=min(3, len(ports)),
                logs=folder / "logs",
            ),
            "utf-8",
        )
        (folder / "log4j2.yaml").write_text(LOG4J + loggers, "utf-8")
        subprocess.run(
            [
                *self._java("64m"),
                *("kafka.tools.StorageTool", "format", "-t", cluster or cluster_id()),
                *("-c", str(self._properties)),
            ],
            check=True,
            capture_output=True,
            timeout=60,
        )
        self.start()

    def start(self) -> None:
        """Start it, again after a kill, on the same port with what its log holds."""
        self.child = Child(
            f"Apache Kafka {self.node}",
            [*self._java("768m"), "kafka.Kafka", str(self._properties)],
            self._folder / "kafka.log",
        )

    def _java(self, heap: str) -> list[str]:
        return [
            *("java", f"-Xmx{heap}", "-XX:+UseSerialGC", "-XX:TieredStopAtLevel=1"),
            "-Djava.net.preferIPv4Stack=true",
            *self._java_options,
            f"-Dlog4j2.configurationFile={self._folder / 'log4j2.yaml'}",
            *("-cp", str(LIBS / "*")),
        ]

    def wait_ready(self, seconds: float = 60.0) -> None:
        """Wait until an admin client gets an answer."""
        wait_brokers(self.bootstrap, 1, [self], seconds)

    def kill(self) -> None:
        """``kill -9``; its folder stays."""
        self.child.kill()

    def stop(self) -> None:
        """End it at once: the folder goes with it."""
        self.child.kill()


class KafkaCluster:
    """Several brokers, each a controller too."""

    def __init__(self, folder: Path, nodes: int = 3) -> None:
        controllers = {node: free_port() for node in range(1, nodes + 1)}
        cluster = cluster_id()
        self.servers = {
            node: KafkaServer(
                folder / f"node-{node}", node=node, controllers=controllers, cluster=cluster
            )
            for node in controllers
        }
        self.bootstrap = ",".join(server.bootstrap for server in self.servers.values())

    def wait_ready(self, seconds: float = 90.0) -> None:
        """Wait until all brokers are there."""
        wait_brokers(self.bootstrap, len(self.servers), list(self.servers.values()), seconds)

    def stop(self) -> None:
        for server in self.servers.values():
            server.stop()


def cluster_id() -> str:
    """Return a fresh id; one that begins with a dash is an option to Kafka's tools."""
    return "k" + urlsafe_b64encode(uuid.uuid4().bytes).decode().rstrip("=")[1:]


def wait_brokers(
    bootstrap: str, brokers: int, servers: Sequence[KafkaServer], seconds: float
) -> None:
    """Wait until so many brokers are in the metadata."""
    admin = AdminClient({"bootstrap.servers": bootstrap, "log_level": 0})
    deadline = time.monotonic() + seconds
    while True:
        for server in servers:
            if server.child.exit_code is not None:
                raise AssertionError(f"Kafka ended while starting:\n{server.child.log_tail()}")
        with suppress(KafkaException):
            if len(admin.list_topics(timeout=2).brokers) >= brokers:
                return
        if time.monotonic() > deadline:
            tails = "\n".join(server.child.log_tail() for server in servers)
            raise AssertionError(f"Kafka not ready after {seconds} s:\n{tails}")
