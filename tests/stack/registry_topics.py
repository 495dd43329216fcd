"""Topics of a test's own, that of the registry among them."""

from __future__ import annotations

from uuid import uuid4

from stack.fixtures import Stack

from hedgerow.app.broker.topic_admin import ensure_topics
from hedgerow.app.settings import KafkaSettings, Settings, TopicSettings

KINDS = ("readings", "predictions", "alerts", "dead_letters", "sensor_registry")


def made_on(stack: Stack, word: str) -> Settings:
    """Make topics whose names begin with a word, and return the settings that name them."""
    name = f"{word}-{uuid4().hex[:8]}"
    topics = {kind: f"{name}.{kind}" for kind in KINDS}
    settings = Settings(
        kafka=KafkaSettings(bootstrap_servers=stack.bootstrap),
        topics=TopicSettings(**topics, partitions=1),  # type: ignore[arg-type]
    )
    ensure_topics(settings)
    return settings
