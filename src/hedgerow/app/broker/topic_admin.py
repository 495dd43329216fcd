"""Topics on the broker: which are missing, and making them."""

from __future__ import annotations

import logging

from confluent_kafka import KafkaError, KafkaException
from confluent_kafka.admin import AdminClient, NewTopic

from hedgerow.app.access.admission import UNAUTHORISED, Watch, ask_metadata
from hedgerow.app.access.kafka import client_config
from hedgerow.app.access.permissions import require, worker_needs
from hedgerow.app.errors import AccessRefused, TopicMissing
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
        expert_forecasts=topics.expert_forecasts,
        sensor_registry=topics.sensor_registry,
    )


def topic_catalogue(settings: Settings) -> Catalogue:
    """Return the topics as they should be under these settings."""
    return catalogue(
        topic_names(settings),
        partitions=settings.topics.partitions,
        replication=settings.topics.replication,
        expert_forecasts=settings.topics.forward,
    )


class Admin(AdminClient):  # type: ignore[misc]  # confluent-kafka ships no types we follow
    """An admin client that remembers why it was refused."""

    def __init__(self, kafka: KafkaSettings) -> None:
        self.watch = Watch()
        config = client_config(kafka, "hedgerow-admin", on_error=self.watch)
        # What fails is raised; librdkafka need not print it as well.
        super().__init__({**config, "log_level": 2})


def admin_client(kafka: KafkaSettings) -> Admin:
    """Return an admin client; keep the reference while its futures run."""
    return Admin(kafka)


def existing_topics(admin: Admin, kafka: KafkaSettings) -> dict[str, int]:
    """Return the number of partitions of every topic we may see.

    Raises
    ------
    BrokerUnavailable
        If no broker answers.
    AccessRefused
        If one answers, but does not let us in.
    """
    metadata = ask_metadata(admin, admin.watch, kafka, ANSWER_SECONDS)
    return {name: len(topic.partitions) for name, topic in metadata.topics.items()}


def create_topics(admin: AdminClient, specs: list[TopicSpec]) -> None:
    """Create topics; one that exists meanwhile is fine.

    Raises
    ------
    AccessRefused
        If we may not.
    TopicMissing
        If the broker refuses for another reason.
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
            if error.args[0].code() in UNAUTHORISED:
                raise AccessRefused(
                    f"topic {name} is not there, or not for us to see, and we may not create it: "
                    "create it as somebody who may, and allow us what docs/security.md lists"
                ) from None
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
    AccessRefused
        If one does, but we may not do all that a worker must.
    TopicMissing
        If a topic is missing and may not or cannot be made.
    """
    admin = admin_client(settings.kafka)
    existing = existing_topics(admin, settings.kafka)
    require(admin, settings.kafka, worker_needs(settings))
    missing = [spec for spec in topic_catalogue(settings) if spec.name not in existing]
    if missing and not settings.topics.create:
        names = ", ".join(spec.name for spec in missing)
        raise TopicMissing(f"missing topics: {names}; run `hedgerow topics create`")
    create_topics(admin, missing)
