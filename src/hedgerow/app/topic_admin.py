"""Topics on the broker: which are missing, and making them."""

from __future__ import annotations

import logging

from confluent_kafka import KafkaError, KafkaException
from confluent_kafka.admin import AdminClient, NewTopic

from hedgerow.app.errors import BrokerUnavailable, TopicMissing
from hedgerow.app.settings import KafkaSettings, Settings
from hedgerow.topics import Catalogue, TopicNames, TopicSpec, catalogue

logger = logging.getLogger(__name__)

ANSWER_SECONDS = 10.0
CREATE_SECONDS = 30.0


def topic_names(settings: Settings) -> TopicNames:
    """Return how the topics are called here."""
    topics = settings.topics
    return TopicNames(
        readings=topics.readings,
        predictions=topics.predictions,
        alerts=topics.alerts,
        dead_letters=topics.dead_letters,
    )


def topic_catalogue(settings: Settings) -> Catalogue:
    """Return the topics as they should be under these settings."""
    return catalogue(
        topic_names(settings),
        partitions=settings.topics.partitions,
        replication=settings.topics.replication,
    )


def admin_client(kafka: KafkaSettings) -> AdminClient:
    """Return an admin client; keep the reference while its futures run."""
    return AdminClient(
        {
            "bootstrap.servers": kafka.bootstrap_servers,
            "client.id": "hedgerow-admin",
            "log_level": 2,  # what fails is raised; librdkafka need not print it as well
        }
    )


def existing_topics(admin: AdminClient, kafka: KafkaSettings) -> dict[str, int]:
    """Return the number of partitions of every topic.

    Raises
    ------
    BrokerUnavailable
        If no broker answers.
    """
    try:
        metadata = admin.list_topics(timeout=ANSWER_SECONDS)
    except KafkaException as error:
        raise BrokerUnavailable(
            f"no Kafka broker answers at {kafka.bootstrap_servers} ({error.args[0].str()}); "
            "set kafka.bootstrap_servers (HEDGEROW_KAFKA__BOOTSTRAP_SERVERS)"
        ) from None
    return {name: len(topic.partitions) for name, topic in metadata.topics.items()}


def create_topics(admin: AdminClient, specs: list[TopicSpec]) -> None:
    """Create topics; one that exists meanwhile is fine.

    Raises
    ------
    TopicMissing
        If the broker refuses.
    """
    if not specs:
        return
    wanted = [
        NewTopic(
            spec.name,
            num_partitions=spec.partitions,
            replication_factor=spec.replication,
            config=spec.config(),
        )
        for spec in specs
    ]
    for name, future in admin.create_topics(wanted, operation_timeout=CREATE_SECONDS).items():
        try:
            future.result()
        except KafkaException as error:
            if error.args[0].code() != KafkaError.TOPIC_ALREADY_EXISTS:
                raise TopicMissing(
                    f"topic {name} cannot be created: {error.args[0].str()}"
                ) from None
        else:
            logger.info("created topic %s", name)


def ensure_topics(settings: Settings) -> None:
    """Create what is missing, or say what to do where that is switched off.

    Raises
    ------
    BrokerUnavailable
        If no broker answers.
    TopicMissing
        If a topic is missing and may not or cannot be made.
    """
    admin = admin_client(settings.kafka)
    existing = existing_topics(admin, settings.kafka)
    missing = [spec for spec in topic_catalogue(settings) if spec.name not in existing]
    if missing and not settings.topics.create:
        names = ", ".join(spec.name for spec in missing)
        raise TopicMissing(f"missing topics: {names}; run `hedgerow topics create`")
    create_topics(admin, missing)
