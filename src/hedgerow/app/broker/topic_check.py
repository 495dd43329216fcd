"""Compares a topic on the broker with what the catalogue says it should be."""

from __future__ import annotations

from dataclasses import dataclass

from confluent_kafka import KafkaException
from confluent_kafka.admin import AdminClient, ConfigResource, ResourceType

from hedgerow.topics import TopicSpec

ANSWER_SECONDS = 10.0
COMPARED = ("retention.ms", "max.message.bytes", "cleanup.policy")


@dataclass(frozen=True, slots=True)
class FoundTopic:
    """A topic as it is.

    Attributes
    ----------
    partitions : int
        How many; 0 if there is no such topic.
    config : dict[str, str]
        The settings that are compared, as far as the broker tells them.
    differences : tuple[str, ...]
        What is not as the catalogue has it, in words.
    """

    partitions: int
    config: dict[str, str]
    differences: tuple[str, ...]

    def __str__(self) -> str:
        plural = "" if self.partitions == 1 else "s"
        config = [f"{key} {value}" for key, value in self.config.items()]
        return ", ".join([f"{self.partitions} partition{plural}", *config])


def find_topic(admin: AdminClient, spec: TopicSpec, existing: dict[str, int]) -> FoundTopic:
    """Look at one topic.

    Parameters
    ----------
    existing : dict[str, int]
        All topics of the broker and their partitions.
    """
    partitions = existing.get(spec.name, 0)
    if not partitions:
        return FoundTopic(0, {}, ())
    differences = []
    if partitions != spec.partitions:
        differences.append(f"{spec.partitions} partitions are configured (topics.partitions)")
    told = _config(admin, spec.name)
    wanted = spec.config()
    config = {key: told[key] for key in COMPARED if key in told}
    differences += [
        f"{key} should be {wanted[key]}" for key, value in config.items() if value != wanted[key]
    ]
    return FoundTopic(partitions, config, tuple(differences))


def _config(admin: AdminClient, name: str) -> dict[str, str]:
    """Read a topic's settings; nothing where the broker may not or does not tell them."""
    resource = ConfigResource(ResourceType.TOPIC, name)
    try:
        answers = admin.describe_configs([resource], request_timeout=ANSWER_SECONDS)
        entries = answers[resource].result(ANSWER_SECONDS)
    except (KafkaException, TimeoutError):
        return {}
    return {key: str(entry.value) for key, entry in entries.items() if entry.value is not None}
