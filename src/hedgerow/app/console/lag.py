"""How far the whole group is behind with the readings, as the brokers tell it.

Before: what the workers commit for lag tools, every few seconds. After: the health strip.
"""

from __future__ import annotations

from confluent_kafka import ConsumerGroupTopicPartitions, KafkaException, TopicPartition
from confluent_kafka.admin import AdminClient, OffsetSpec

from hedgerow.app.access.kafka import client_config
from hedgerow.app.settings import KafkaSettings

ANSWER_SECONDS = 2.0


class GroupLag:
    """Asks for the offsets that a group has committed, and where the topic ends.

    Attributes
    ----------
    ends : dict of int to int
        Where each partition ended when it was measured last.

    Raises
    ------
    AppError
        If the settings of Kafka cannot be used.
    """

    def __init__(self, kafka: KafkaSettings, group: str, topic: str) -> None:
        self._admin = AdminClient(client_config(kafka, "hedgerow-console"))
        self._group = group
        self._topic = topic
        self.ends: dict[int, int] = {}

    def measure(self) -> int | None:
        """Return the messages not learned yet, ``None`` where the brokers do not tell."""
        try:
            metadata = self._admin.list_topics(self._topic, timeout=ANSWER_SECONDS)
            numbers = metadata.topics[self._topic].partitions
            places = [TopicPartition(self._topic, number) for number in numbers]
            if not places:  # there is no such topic, or it is not for us to see
                return None
            asked = ConsumerGroupTopicPartitions(self._group, places)
            committed = self._admin.list_consumer_group_offsets(
                [asked], request_timeout=ANSWER_SECONDS
            )[self._group].result(ANSWER_SECONDS)
            latest = self._admin.list_offsets(
                {place: OffsetSpec.latest() for place in places}, request_timeout=ANSWER_SECONDS
            )
            ends = {
                place.partition: told.result(ANSWER_SECONDS).offset
                for place, told in latest.items()
            }
        except (KafkaException, TimeoutError):
            return None
        self.ends = ends
        known = [place for place in committed.topic_partitions if place.offset >= 0]
        # The embedded broker's ends stop short of its last batch.
        behind = (max(0, ends[place.partition] - place.offset) for place in known)
        return sum(behind) if known else None
