"""What we must be allowed to do on which topic and group, and whether we are.

The broker itself is asked for the operations it would let us do, so that a missing permission
is named before anything is read or written.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from typing import Any, Literal

from aiokafka.errors import GroupAuthorizationFailedError, TopicAuthorizationFailedError
from confluent_kafka import KafkaException, TopicCollection
from confluent_kafka.admin import AclOperation, AdminClient

from hedgerow.app.access.admission import UNAUTHORISED
from hedgerow.app.access.kafka import principal
from hedgerow.app.errors import AccessRefused
from hedgerow.app.settings import KafkaSettings, Settings

ANSWER_SECONDS = 10.0


@dataclass(frozen=True, slots=True)
class Need:
    """One permission."""

    kind: Literal["topic", "group"]
    name: str
    operation: Literal["Read", "Write"]

    def __str__(self) -> str:
        return f"{self.operation} on {self.kind} {self.name}"

    def command(self, user: str) -> str:
        """Return the line that grants it."""
        return (
            f"kafka-acls --add --allow-principal {user} --operation {self.operation} "
            f"--{self.kind} {self.name}"
        )


def worker_needs(settings: Settings) -> list[Need]:
    """Return what a worker must be allowed to do."""
    topics = settings.topics
    outputs = (topics.predictions, topics.alerts, topics.dead_letters)
    return [
        Need("topic", topics.readings, "Read"),
        Need("topic", topics.sensor_registry, "Read"),
        Need("group", settings.group, "Read"),
        *(Need("topic", name, "Write") for name in outputs),
    ]


def consumer_lacks(settings: Settings, error: BaseException) -> list[Need]:
    """Return the need that Faust's consumer was refused, if that is what ended it."""
    if isinstance(error, TopicAuthorizationFailedError):
        return [Need("topic", settings.topics.readings, "Read")]
    if isinstance(error, GroupAuthorizationFailedError):
        return [Need("group", settings.group, "Read")]
    return []


def missing(admin: AdminClient, needs: Sequence[Need]) -> list[Need]:
    """Return the needs that the broker would refuse; a broker that does not tell refuses none."""
    topics = sorted({need.name for need in needs if need.kind == "topic"})
    groups = sorted({need.name for need in needs if need.kind == "group"})
    answers: dict[tuple[str, str], Any] = {}
    if topics:
        told = admin.describe_topics(
            TopicCollection(topics),
            include_authorized_operations=True,
            request_timeout=ANSWER_SECONDS,
        )
        answers |= {("topic", name): future for name, future in told.items()}
    if groups:
        told = admin.describe_consumer_groups(
            groups, include_authorized_operations=True, request_timeout=ANSWER_SECONDS
        )
        answers |= {("group", name): future for name, future in told.items()}
    allowed = {key: _allowed(future) for key, future in answers.items()}
    return [need for need in needs if _refuses(allowed[need.kind, need.name], need)]


def require(admin: AdminClient, kafka: KafkaSettings, needs: Sequence[Need]) -> None:
    """Stop here if a permission is missing.

    Raises
    ------
    AccessRefused
        With a line for each, and the command that grants it.
    """
    lacking = missing(admin, needs)
    if lacking:
        raise AccessRefused(lacking_sentence(kafka, lacking))


def lacking_sentence(kafka: KafkaSettings, lacking: Iterable[Need]) -> str:
    """Say which permissions are missing and how they are granted."""
    user = principal(kafka)
    lines = [f"  {need}: {need.command(user)}" for need in lacking]
    return "\n".join([f"Kafka lets {user} in, but refuses:", *lines])


def _allowed(future: Any) -> frozenset[AclOperation] | None:
    """Return what the broker lets us do: nothing where it hides all, ``None`` if it is silent."""
    try:
        operations = future.result(ANSWER_SECONDS).authorized_operations
    except KafkaException as error:
        return frozenset() if error.args[0].code() in UNAUTHORISED else None
    except TimeoutError:
        return None
    return frozenset(operations) if operations else None


def _refuses(allowed: frozenset[AclOperation] | None, need: Need) -> bool:
    return allowed is not None and AclOperation[need.operation.upper()] not in allowed
