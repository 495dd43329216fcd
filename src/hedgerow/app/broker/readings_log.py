"""The readings' topic as a log: which one it is, how many partitions, what it still holds.

Before: the settings name a topic. After: the worker stops, with a sentence that says what to
run, when the topic is not the one its state belongs to, when its partitions are counted
differently, or when the next message is gone and the policy does not allow to go on.
"""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Callable
from dataclasses import dataclass

from confluent_kafka import KafkaError, KafkaException, TopicCollection
from confluent_kafka.admin import AdminClient

from hedgerow.agents.errors import LogChanged, LogGap
from hedgerow.agents.ports import Partition
from hedgerow.app.access.admission import UNAUTHORISED
from hedgerow.app.errors import AccessRefused, BrokerUnavailable, TopicMissing
from hedgerow.app.settings import Gap

logger = logging.getLogger(__name__)

ANSWER_SECONDS = 10.0
WATCH_SECONDS = 5.0
MISSING_IN_A_ROW = 3  # a broker that has just started may not know its topics yet


@dataclass(frozen=True, slots=True)
class LogFacts:
    """What a broker says of the readings' topic.

    Attributes
    ----------
    log_id : str
        Differs from that of every other topic, also of one of the same name before it; empty
        where the broker has none.
    partitions : int
        How many there are.
    """

    topic: str
    log_id: str
    partitions: int


def describe_log(admin: AdminClient, topic: str) -> LogFacts:
    """Ask the broker.

    Raises
    ------
    TopicMissing
        If there is no such topic.
    AccessRefused
        If the broker does not let us see it.
    BrokerUnavailable
        If no broker answers, or it does not tell.
    """
    try:
        answers = admin.describe_topics(TopicCollection([topic]), request_timeout=ANSWER_SECONDS)
        found = answers[topic].result(ANSWER_SECONDS)
    except KafkaException as error:
        reason = error.args[0]
        if reason.code() == KafkaError.UNKNOWN_TOPIC_OR_PART:
            raise TopicMissing.named(topic) from None
        if reason.code() in UNAUTHORISED:
            raise AccessRefused(
                f"the broker does not let us see {topic}; allow this user READ and DESCRIBE on it"
            ) from None
        raise BrokerUnavailable(f"the broker does not describe {topic}: {reason.str()}") from None
    except TimeoutError:
        raise BrokerUnavailable(f"the broker does not describe {topic} in time") from None
    log_id = str(found.topic_id)
    return LogFacts(topic, "" if not log_id.strip("A=") else log_id, len(found.partitions))


def partitions_changed(topic: str, learned: int, found: int) -> LogChanged:
    """Say that the state was learned with another number of partitions, and what to do."""
    if found > learned:
        return LogChanged(
            f"{topic} has {found} partitions, and what is stored was learned with {learned}: a "
            "series may be in another partition than before. Stop all workers, then run "
            "`hedgerow state repartition`, which learns the old partitions to their ends and "
            "moves each series to where its readings now arrive"
        )
    return LogChanged(
        f"{topic} has {found} partitions, and what is stored was learned with {learned}: it was "
        "deleted and made anew. Stop all workers, then run `hedgerow state adopt` to go on with "
        "what was learned at the start of the new log, or `hedgerow state forget` to begin anew"
    )


async def watch(
    admin: AdminClient,
    first: LogFacts,
    on_failure: Callable[[Exception], None],
    *,
    every_seconds: float = WATCH_SECONDS,
) -> None:
    """Look again and again, until the topic is not what it was."""
    missing = 0
    while True:
        await asyncio.sleep(every_seconds)
        try:
            now = await asyncio.to_thread(describe_log, admin, first.topic)
        except (BrokerUnavailable, AccessRefused) as error:
            logger.debug("%s", error)
            continue
        except TopicMissing:
            missing += 1
            if missing >= MISSING_IN_A_ROW:
                on_failure(TopicMissing(f"{first.topic} was deleted; what is learned is saved"))
                return
            continue
        missing = 0
        if now.log_id != first.log_id:
            on_failure(
                LogChanged(
                    f"{first.topic} was deleted and made anew while it was read (id "
                    f"{first.log_id}, now {now.log_id}). Stop all workers, then run `hedgerow "
                    "state adopt` to go on with what was learned at the start of the new log"
                )
            )
            return
        if now.partitions != first.partitions:
            on_failure(partitions_changed(first.topic, first.partitions, now.partitions))
            return


def go_on_at(policy: Gap, partition: Partition, due: int, earliest: int, end: int) -> int:
    """Decide where to go on when the message due next cannot be read.

    Parameters
    ----------
    due, earliest, end : int
        The offset due next; the first that Kafka holds; one past the last.

    Raises
    ------
    LogGap
        If the policy is to stop.
    LogChanged
        If the log ends before the state does.

    Examples
    --------
    >>> go_on_at(Gap.EARLIEST, Partition("sensor-data", 0), 5, 40, 90)
    40
    """
    if due > end:
        raise LogChanged(
            f"{partition} ends at offset {end}, and its state stands at {due}: the topic was "
            "made anew, or lost its end. Stop all workers, then run `hedgerow state adopt` to go "
            "on with what was learned at the start of the log, or `hedgerow state forget`"
        )
    if policy is Gap.ERROR:
        raise LogGap(
            f"{partition}: offset {due} is due next, and Kafka holds nothing before {earliest}: "
            f'{earliest - due} messages are gone. To go on without them set on_gap to "earliest" '
            '(or to "latest", to leave out what is held too); they are counted as skipped'
        )
    to = earliest if policy is Gap.EARLIEST else end
    logger.error(
        "%s: Kafka holds nothing before offset %d; goes on at %d, %d messages are skipped",
        partition, earliest, to, to - due,
    )  # fmt: skip
    return to
