"""A real Apache Kafka, one node in KRaft mode, from the jars that Maven brings."""

from __future__ import annotations

import shutil
import subprocess
import time
import uuid
from base64 import urlsafe_b64encode
from collections.abc import Sequence
from pathlib import Path

from confluent_kafka import KafkaException
from confluent_kafka.admin import AdminClient
from stack.parts import without

from hedgerow.app.child import Child
from hedgerow.app.embedded import free_port

ROOT = Path(__file__).resolve().parents[2]
POM = ROOT / "tests" / "stack" / "kafka" / "pom.xml"
LIBS = ROOT / "build" / "kafka" / "libs"

PROPERTIES = """\
process.roles=broker,controller
node.id=1
controller.quorum.voters=1@127.0.0.1:{controller_port}
controller.listener.names=CONTROLLER
listeners=PLAINTEXT://127.0.0.1:{port},CONTROLLER://127.0.0.1:{controller_port}
advertised.listeners=PLAINTEXT://127.0.0.1:{port}
listener.security.protocol.map=PLAINTEXT:PLAINTEXT,CONTROLLER:PLAINTEXT
inter.broker.listener.name=PLAINTEXT
log.dirs={logs}
auto.create.topics.enable=false
group.initial.rebalance.delay.ms=0
group.min.session.timeout.ms=1000
offsets.topic.replication.factor=1
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
    more : str
        Properties over the usual ones; ``{port}`` and ``{controller_port}`` are filled in.
    loggers : str
        Further loggers, as YAML under ``Loggers``.
    java : sequence of str
        Options of the virtual machine.
    """

    def __init__(
        self, folder: Path, *, more: str = "", loggers: str = "", java: Sequence[str] = ()
    ) -> None:
        fetch()
        self._folder = folder
        self._java_options = tuple(java)
        self._port = free_port()
        self.bootstrap = f"127.0.0.1:{self._port}"
        properties = folder / "server.properties"
        properties.write_text(
            (PROPERTIES + more).format(  # of two lines for one property the later counts
                port=self._port, controller_port=free_port(), logs=folder / "logs"
            ),
            "utf-8",
        )
        (folder / "log4j2.yaml").write_text(LOG4J + loggers, "utf-8")
        cluster = urlsafe_b64encode(uuid.uuid4().bytes).decode().rstrip("=")
        subprocess.run(
            [
                *self._java("64m"),
                *("kafka.tools.StorageTool", "format", "-t", cluster, "-c", str(properties)),
            ],
            check=True,
            capture_output=True,
            timeout=60,
        )
        self._properties = properties
        self.start()

    def start(self) -> None:
        """Start it, or start it again after `stop`: it finds what it had."""
        self.child = Child(
            "Apache Kafka",
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
        admin = AdminClient({"bootstrap.servers": self.bootstrap, "log_level": 0})
        deadline = time.monotonic() + seconds
        while True:
            if self.child.exit_code is not None:
                raise AssertionError(f"Kafka ended while starting:\n{self.child.log_tail()}")
            try:
                if admin.list_topics(timeout=2).brokers:
                    return
            except KafkaException:
                if time.monotonic() > deadline:
                    raise AssertionError(
                        f"Kafka not ready after {seconds} s:\n{self.child.log_tail()}"
                    ) from None

    def stop(self) -> None:
        """End it at once: the folder goes with it."""
        self.child.kill()
