"""Beginning a group of the embedded broker anew that waits for a worker that has left.

Tansu 0.6.0 takes a member that leaves out of its group, but in a group that is about to share out
anew it does not forget that this one was to lead. So where a worker leaves, and the leader does
before its next heartbeat has told it of that, whoever joins then hears of the same generation and
the same leader at each JoinGroup, and gets REBALANCE_IN_PROGRESS from each SyncGroup, for ever. To
wait, to leave, or that others join does not help; once the group is deleted its members join anew
within seconds. Kafka elects another leader instead, and deletes no group that has members.
"""

from __future__ import annotations

from confluent_kafka import KafkaException

from hedgerow.app.broker.topic_admin import ANSWER_SECONDS, admin_client
from hedgerow.app.settings import KafkaSettings

CLUSTER = "tansu_cluster"


def begin_anew(kafka: KafkaSettings, group: str) -> bool:
    """Delete a group of the embedded broker; of any other broker nothing is changed.

    Only the offsets go that lag tools look at: what is learned, and up to where, is in Redis.

    Returns
    -------
    bool
        Whether it was deleted.
    """
    admin = admin_client(kafka)
    try:
        if admin.list_topics(timeout=ANSWER_SECONDS).cluster_id != CLUSTER:
            return False
        found = admin.delete_consumer_groups([group], request_timeout=ANSWER_SECONDS)
        found[group].result(ANSWER_SECONDS)
    except KafkaException:
        return False  # the broker does not answer, which others tell
    return True
