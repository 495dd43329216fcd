"""The table of topics, and the page written from it."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

import pytest

from hedgerow.topics import CatalogueError, TopicNames, catalogue
from hedgerow.topics.messages import REASON_MEANINGS, Reason

ROOT = Path(__file__).parents[2]


def test_defaults():
    topics = catalogue()

    assert [topic.name for topic in topics] == [
        "sensor-data",
        "predictions",
        "alerts",
        "dead-letters",
        "sensor-registry",
    ]
    assert [topic.partitions for topic in topics] == [8, 8, 8, 1, 1]
    assert {topic.replication for topic in topics} == {1}
    assert topics.dead_letters.max_message_bytes == topics.readings.max_message_bytes + 1_048_576


def test_the_topic_of_forecasts_by_others_is_there_where_it_is_used():
    *_, extra = catalogue(expert_forecasts=True)

    assert (extra.name, extra.partitions) == ("expert-forecasts", 8)
    with pytest.raises(CatalogueError, match="two topics are called 'expert-forecasts'"):
        catalogue(TopicNames(readings="expert-forecasts"), expert_forecasts=True)


def test_names_and_sizes_can_be_chosen():
    names = TopicNames("in", "out", "alarm", "dead", sensor_registry="who")

    topics = catalogue(names, partitions=32, replication=3, input_max_message_bytes=5_000_000)

    assert [topic.name for topic in topics] == ["in", "out", "alarm", "dead", "who"]
    assert topics.readings.partitions == 32
    assert topics.dead_letters.max_message_bytes == 6_048_576
    assert topics.alerts.config() == {
        "cleanup.policy": "delete",
        "retention.ms": "2592000000",
        "max.message.bytes": "1048576",
        "min.insync.replicas": "2",
    }


def test_the_registry_keeps_the_last_record_of_each_sensor_for_ever():
    config = catalogue().sensor_registry.config()

    assert (config["cleanup.policy"], config["retention.ms"]) == ("compact", "-1")


@pytest.mark.parametrize("name", ["", ".", "..", "a b", "a/b", "ü", "x" * 250, "a\n"])
def test_illegal_names(name):
    with pytest.raises(CatalogueError, match="not a topic name"):
        catalogue(TopicNames(predictions=name))


def test_a_name_used_twice():
    with pytest.raises(CatalogueError, match="two topics are called 'predictions'"):
        catalogue(TopicNames(readings="predictions"))


def test_every_reason_has_its_sentence():
    assert set(REASON_MEANINGS) == set(Reason)


def test_the_page_is_as_the_types_are():
    script = ROOT / "scripts" / "write_topics_doc.py"

    run = subprocess.run(
        [sys.executable, str(script), "--check"], capture_output=True, text=True, check=False
    )

    assert run.returncode == 0, run.stderr
