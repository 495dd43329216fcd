"""The compose stack, started for real: what is published is learned, forecast and counted."""

from __future__ import annotations

import json
import math
import os
import time
from collections import Counter
from collections.abc import Iterator
from datetime import UTC, datetime, timedelta

import pytest
from confluent_kafka import OFFSET_BEGINNING, Consumer, Producer, TopicPartition
from deploy.compose_stack import ComposeStack, docker, missing_engine, until
from deploy.dashboards import BOARDS, board, queries
from deploy.promises import alerts, recorded

pytestmark = [pytest.mark.docker, pytest.mark.timeout(900)]

START = datetime(2026, 1, 1, tzinfo=UTC)


@pytest.fixture(scope="module")
def stack() -> Iterator[ComposeStack]:
    if missing := missing_engine():
        pytest.skip(f"missing: {missing}")
    stack = ComposeStack(f"hedgerow-test-{os.getpid()}")
    stack.build()
    try:
        stack.up()
        yield stack
    except BaseException:
        print(stack.compose("logs", "--tail", "40"))
        raise
    finally:
        stack.down(lose_data=True)


def publish(stack: ComposeStack, sensors: int, slots: range, prefix: str) -> set[str]:
    """Send hourly readings and return the ids their predictions must have."""
    producer = Producer({"bootstrap.servers": stack.bootstrap, "enable.idempotence": True})
    ids: set[str] = set()
    for slot in slots:
        for number in range(sensors):
            sensor = f"{prefix}-{number}"
            reading = {
                "sensor_id": sensor,
                "timestamp": (START + timedelta(hours=slot)).strftime("%Y-%m-%dT%H:%M:%SZ"),
                "value": 50 + 10 * math.sin(slot * math.tau / 24) + number,
            }

            def sent(error: object, message: object, sensor: str = sensor) -> None:
                assert error is None, error
                place = f"{message.topic()}:{message.partition()}:{message.offset()}"
                ids.add(f"{place}:{sensor}")

            producer.produce("sensor-data", json.dumps(reading), sensor, on_delivery=sent)
        producer.poll(0)
    assert producer.flush(60) == 0
    stack.published += len(ids)
    return ids


def read(stack: ComposeStack, topic: str, wanted: int, prefix: str) -> list[tuple[bytes, bytes]]:
    """Read a topic from its beginning until this many different values of the prefix came."""
    consumer = Consumer({"bootstrap.servers": stack.bootstrap, "group.id": "nobody"})
    partitions = consumer.list_topics(topic, timeout=20).topics[topic].partitions
    consumer.assign([TopicPartition(topic, number, OFFSET_BEGINNING) for number in partitions])
    found: list[tuple[bytes, bytes]] = []
    deadline = time.monotonic() + 120
    while len(set(found)) < wanted and time.monotonic() < deadline:
        message = consumer.poll(1.0)
        if message is not None and message.error() is None:
            key, value = message.key() or b"", message.value() or b""
            if key.startswith(prefix.encode()):
                found.append((key, value))
    consumer.close()
    return found


def test_readings_come_back_as_predictions_and_prometheus_counts_them(
    stack: ComposeStack,
) -> None:
    expected = publish(stack, sensors=20, slots=range(60), prefix="flow")
    bad = Producer({"bootstrap.servers": stack.bootstrap})
    bad.produce("sensor-data", b"{not json", b"flow-bad")
    bad.flush(20)

    predictions = [json.loads(value) for _, value in read(stack, "predictions", 1200, "flow-")]

    assert {prediction["id"] for prediction in predictions} == expected
    assert any(forecast["horizon"] == 1 for forecast in predictions[-1]["forecasts"])
    assert read(stack, "dead-letters", 1, "flow-bad") == [(b"flow-bad", b"{not json")]
    stack.until_accounted("learned", 1200)
    stack.until_accounted("dead-lettered", 1)
    stack.until_prometheus('sum(up{job="hedgerow"})', 2)
    stack.until_prometheus('sum(hedgerow_readings_total{outcome="learned"})', 1200)
    stack.until_prometheus("sum(hedgerow_consumer_lag)", 0)


def test_prometheus_reaches_every_target_and_has_loaded_every_rule(stack: ComposeStack) -> None:
    targets = stack.ask_prometheus("targets", state="active")["activeTargets"]
    groups = stack.ask_prometheus("rules")["groups"]
    loaded = {rule["name"]: rule for group in groups for rule in group["rules"]}

    assert Counter(target["labels"]["job"] for target in targets) == {
        "hedgerow": 2,
        "prometheus": 1,
    }
    assert {target["health"] for target in targets} == {"up"}
    assert set(loaded) == set(alerts()) | set(recorded())
    assert {name for name, rule in loaded.items() if rule["health"] == "err"} == set()


@pytest.mark.parametrize("name", BOARDS)
def test_the_dashboards_queries_are_answered_by_what_workers_tell(
    stack: ComposeStack, name: str
) -> None:
    answers = {
        query: len(stack.ask_prometheus("query", query=query)["result"]) for query in queries(name)
    }

    empty = {query for query, found in answers.items() if not found}
    # What no day has passed for, and alerts where none fires.
    assert [query for query in empty if ":1d" not in query and "ALERTS" not in query] == []


def test_the_group_commits_what_was_learned_so_that_others_see_its_lag(
    stack: ComposeStack,
) -> None:
    # A partition that has just moved is committed with the next readings that come to it.
    publish(stack, sensors=40, slots=range(2), prefix="lag")
    stack.until_accounted("learned", stack.published)
    group = Consumer({"bootstrap.servers": stack.bootstrap, "group.id": "hedgerow"})

    def lag() -> int:
        """What KEDA would see."""
        places = [TopicPartition("sensor-data", number) for number in range(8)]
        ends = [group.get_watermark_offsets(place, timeout=20)[1] for place in places]
        committed = [max(place.offset, 0) for place in group.committed(places, timeout=20)]
        return sum(ends) - sum(committed)

    try:
        until(lambda: True if lag() == 0 else None, "no lag by the group's own offsets", 30)
    finally:
        group.close()


def test_grafana_shows_the_dashboards_to_whoever_looks(stack: ComposeStack) -> None:
    health = stack.ask_grafana("health")
    assert health["database"] == "ok"
    if health["version"].startswith("0.0.0"):
        pytest.skip("missing: the real image of Grafana; this one only checks the files")
    for name in BOARDS:
        uid = board(name)["uid"]
        assert stack.ask_grafana(f"dashboards/uid/{uid}")["dashboard"]["uid"] == uid


def test_a_killed_worker_hands_its_partitions_over_and_nothing_is_lost(
    stack: ComposeStack,
) -> None:
    first, second = stack.containers("worker")
    expected = publish(stack, sensors=16, slots=range(40), prefix="kill")

    docker("kill", "--signal", "KILL", first)
    expected |= publish(stack, sensors=16, slots=range(40, 60), prefix="kill")

    stack.until_accounted("learned", stack.published)
    values = {value for _, value in read(stack, "predictions", 960, "kill-")}
    times_seen = Counter(json.loads(value)["id"] for value in values)
    assert set(times_seen) == expected
    assert set(times_seen.values()) == {1}, "a repeat must have the same bytes"
    assert stack.containers("worker") == [second]
    docker("start", first)


def test_taken_down_and_started_again_the_stack_has_lost_nothing(stack: ComposeStack) -> None:
    publish(stack, sensors=10, slots=range(30), prefix="keep")
    stack.until_accounted("learned", stack.published)

    stack.down()
    stack.up()
    expected = publish(stack, sensors=10, slots=range(30, 40), prefix="keep")

    stack.until_accounted("learned", stack.published)
    predictions = [json.loads(value) for _, value in read(stack, "predictions", 400, "keep-")]
    assert expected <= {prediction["id"] for prediction in predictions}
    # Learning went on where it had stopped: a series begun anew would have no forecast yet.
    newest = [p for p in predictions if p["id"] in expected]
    assert all(prediction["forecasts"] for prediction in newest)


def test_a_worker_is_nobody_special_and_compiles_nothing(stack: ComposeStack) -> None:
    worker = stack.containers("worker")[0]
    compiled = "find {} -name '*.nbc' | wc -l"
    baked = docker("exec", worker, "sh", "-c", compiled.format("$NUMBA_CACHE_DIR"))
    copied = docker("exec", worker, "sh", "-c", compiled.format("/tmp"))

    assert docker("exec", worker, "id", "-u").strip() == "10001"
    assert int(baked) > 0
    assert copied == baked


def test_a_worker_can_write_nothing_but_its_temporary_folder(stack: ComposeStack) -> None:
    worker = stack.containers("worker")[0]
    written = "touch {0}/x 2>/dev/null && echo yes || echo no"
    places = ("/", "/etc", "/opt/hedgerow", "$NUMBA_CACHE_DIR", "/var/lib/hedgerow", "/tmp")
    answers = [docker("exec", worker, "sh", "-c", written.format(place)) for place in places]

    assert [answer.strip() for answer in answers] == ["no", "no", "no", "no", "no", "yes"]


def sharing(partitions: int) -> str:
    """Ask how many workers hold so many; Prometheus shows those that are gone for five minutes."""
    asked_lately = "count_over_time(hedgerow_partitions[15s])"
    return f"count(hedgerow_partitions == {partitions} and {asked_lately})"


def test_four_workers_share_the_partitions_and_two_take_them_back(stack: ComposeStack) -> None:
    publish(stack, sensors=40, slots=range(20), prefix="many")
    stack.scale(4)
    stack.until_prometheus(sharing(2), 4, 120)
    assert len(stack.containers("worker")) == 4
    publish(stack, sensors=40, slots=range(20, 40), prefix="many")
    stack.until_accounted("learned", stack.published)

    stack.scale(2)
    publish(stack, sensors=40, slots=range(40, 50), prefix="many")

    stack.until_accounted("learned", stack.published)
    stack.until_prometheus(sharing(4), 2, 120)
    stack.until_prometheus('sum(increase(hedgerow_checkpoints_total{outcome="fenced"}[10m]))', 0)
    predictions = [json.loads(value) for _, value in read(stack, "predictions", 2000, "many-")]
    assert len({prediction["id"] for prediction in predictions}) == 2000


def test_alertmanager_is_there_for_whoever_asks_for_it(stack: ComposeStack) -> None:
    assert "alertmanager" not in stack.compose("config", "--services").split()
    asked = stack.compose("--profile", "alertmanager", "config", "--services").split()
    assert "alertmanager" in asked
