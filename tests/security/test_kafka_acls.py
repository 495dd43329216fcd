"""The permissions of ``docs/security.md``, typed as an administrator would, by Kafka's own tool."""

from __future__ import annotations

import os
import subprocess
from collections.abc import Mapping

import pytest
from confluent_kafka.admin import AclBindingFilter, AclOperation, AclPermissionType
from confluent_kafka.admin import ResourcePatternType as Pattern
from confluent_kafka.admin import ResourceType as Kind
from docs.blocks import blocks_of, commands_of
from docs.outputs import differences
from docs.typed import typed_on_pages
from security.documentation import kafka_rights
from security.secure_kafka import SecureKafka
from stack.kafka_server import LIBS
from stack.parts import require

pytestmark = [pytest.mark.kafka, pytest.mark.timeout(180)]

PAGE = "docs/security.md"
TOOL = "kafka-tools-*.jar"
ROLES = ("hedgerow", "sensors", "registrar", "control-room")
SCRIPT = """\
#!/bin/sh
exec java -Xmx128m -XX:+UseSerialGC -XX:TieredStopAtLevel=1 \\
  -Dlog4j2.configurationFile={log} -cp '{libs}/*' org.apache.kafka.tools.AclCommand "$@"
"""
LOG = """\
Configuration:
  status: ERROR
  Loggers:
    Root:
      level: "OFF"
"""


@pytest.fixture(scope="module")
def terminal(tmp_path_factory: pytest.TempPathFactory) -> Mapping[str, str]:
    """What the administrator's commands run with: the tool, and its own settings."""
    require(None if [*LIBS.glob(TOOL)] else f"{TOOL}, which `make kafka-jars` brings")
    folder = tmp_path_factory.mktemp("administrator")
    (folder / "log4j2.yaml").write_text(LOG, "utf-8")
    tool = folder / "kafka-acls"
    tool.write_text(SCRIPT.format(log=folder / "log4j2.yaml", libs=LIBS), "utf-8")
    tool.chmod(0o755)
    (folder / "admin.properties").write_text("security.protocol=PLAINTEXT\n", "utf-8")
    return {**os.environ, "PATH": f"{folder}:{os.environ['PATH']}", "PWD": str(folder)}


def test_every_line_gives_the_permission_that_the_tests_let_a_worker_in_by(
    secure_kafka: SecureKafka, terminal: Mapping[str, str]
) -> None:
    typed: set[str] = set()
    wrong: list[str] = []
    printed = ""
    blocks = blocks_of(PAGE)
    shown = {block.output_of for block in blocks}
    for block in blocks:
        if block.language == "sh":
            commands = list(commands_of(block.text))
            printed = "".join(kafka_acls(one, secure_kafka, terminal) for one in commands)
            typed |= set(commands)
            wrong += [] if block.line in shown else [f"{block.place} shows nothing of it", printed]
        elif block.output_of is not None:
            wrong += differences(block.text, printed, varies="varies" in block.info)

    assert wrong == []
    assert typed == typed_on_pages("kafka-acls")
    for role in ROLES:
        assert given(secure_kafka, role) == set(kafka_rights(role, {}, role=role))


def kafka_acls(command: str, kafka: SecureKafka, terminal: Mapping[str, str]) -> str:
    """Type one line; return what it printed."""
    done = subprocess.run(
        ["bash", "-c", command.replace("kafka-1:9092", kafka.server.bootstrap)],
        cwd=terminal["PWD"],
        env=dict(terminal),
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        text=True,
        timeout=60,
        check=False,
    )
    assert done.returncode == 0, f"`{command}` left with {done.returncode}:\n{done.stdout}"
    return done.stdout


def given(kafka: SecureKafka, user: str) -> set[object]:
    """Ask the broker what a user may."""
    chosen = AclBindingFilter(
        Kind.ANY, None, Pattern.ANY, f"User:{user}", None, AclOperation.ANY, AclPermissionType.ANY
    )
    return set(kafka.admin.describe_acls(chosen).result(20))
