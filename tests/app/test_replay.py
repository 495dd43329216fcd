"""Replaying: order, pace, limits, and what arrives on a broker."""

import uuid
from collections.abc import Iterator

import pytest
from confluent_kafka import Consumer, TopicPartition
from confluent_kafka.admin import AdminClient, NewTopic

from hedgerow.app.embedded.servers import EmbeddedBroker, embedded_broker, free_port
from hedgerow.app.errors import BrokerUnavailable
from hedgerow.app.replay.readings_file import BadRow, Row
from hedgerow.app.replay.send import KafkaSender, Report, replay
from hedgerow.app.settings import KafkaSettings

HOUR_MS = 3_600_000


class FakeSender:
    """Keeps what is sent; its clock moves only while it idles."""

    def __init__(self) -> None:
        self.now = 0.0
        self.sent: list[tuple[float, bytes, bytes]] = []
        self.finished = False

    def send(self, key: bytes, value: bytes) -> None:
        self.sent.append((self.now, key, value))

    def idle(self, seconds: float) -> None:
        self.now += seconds

    def finish(self) -> None:
        self.finished = True


def row(sensor: str, hour: float) -> Row:
    return Row(sensor, int(hour * HOUR_MS), f"{sensor}@{hour}".encode(), 1)


def test_rows_go_out_in_their_order_under_their_sensor() -> None:
    sender = FakeSender()
    report = replay([row("a", 1), row("b", 1), row("a", 2)], sender)
    assert [(key, value) for _, key, value in sender.sent] == [
        (b"a", b"a@1"),
        (b"b", b"b@1"),
        (b"a", b"a@2"),
    ]
    assert sender.finished
    assert report == Report(rows=3, messages=3, readings=3)


def test_bad_rows_are_counted_and_the_first_few_kept() -> None:
    bad = [BadRow(line, "no value") for line in range(9)]
    report = replay([row("a", 1), *bad, row("a", 2)], FakeSender())
    assert (report.rows, report.messages, report.bad_rows) == (11, 2, 9)
    assert report.first_bad == bad[:5]


def test_a_speed_makes_the_readings_own_time_pass_faster() -> None:
    sender = FakeSender()
    rows = [row("a", 0), row("b", 0), row("a", 1), row("a", 3)]
    replay(rows, sender, speed=3600, clock=lambda: sender.now)
    assert [at for at, _, _ in sender.sent] == pytest.approx([0, 0, 1, 3])


def test_a_row_out_of_order_does_not_wait() -> None:
    sender = FakeSender()
    replay([row("a", 5), row("a", 4), row("a", 6)], sender, speed=3600, clock=lambda: sender.now)
    assert [at for at, _, _ in sender.sent] == pytest.approx([0, 0, 1])


def test_a_limit_counts_messages() -> None:
    sender = FakeSender()
    endless = (row("a", hour) for hour in iter(int, 1))
    assert replay(endless, sender, limit=3).messages == 3
    assert len(sender.sent) == 3


def test_progress_is_told_now_and_then_and_at_the_end() -> None:
    told: list[int] = []
    rows = [row("a", hour) for hour in range(1200)]
    replay(rows, FakeSender(), progress=lambda report: told.append(report.rows))
    assert told == [500, 1000, 1200]


@pytest.fixture(scope="module")
def broker() -> Iterator[EmbeddedBroker]:
    with embedded_broker() as running:
        yield running


def test_one_sensor_stays_in_one_partition_and_in_order(broker: EmbeddedBroker) -> None:
    topic = f"readings-{uuid.uuid4().hex[:6]}"
    admin = AdminClient({"bootstrap.servers": broker.address})
    admin.create_topics([NewTopic(topic, 4, 1)])[topic].result(20)
    with KafkaSender(KafkaSettings(bootstrap_servers=broker.address), topic) as sender:
        replay([row(f"s{i % 7}", i) for i in range(700)], sender)

    consumer = Consumer({"bootstrap.servers": broker.address, "group.id": "nobody"})
    try:
        consumer.assign([TopicPartition(topic, number, 0) for number in range(4)])
        seen: dict[bytes, list[tuple[int, int]]] = {}
        while sum(map(len, seen.values())) < 700:
            message = consumer.poll(20)
            assert message is not None
            hour = int(message.value().split(b"@")[1])
            seen.setdefault(message.key(), []).append((message.partition(), hour))
    finally:
        consumer.close()
    assert len(seen) == 7
    for places in seen.values():
        assert len({partition for partition, _ in places}) == 1
        assert [hour for _, hour in places] == sorted(hour for _, hour in places)


def test_a_message_that_is_too_large_ends_the_replay_with_a_sentence(
    broker: EmbeddedBroker,
) -> None:
    kafka = KafkaSettings(bootstrap_servers=broker.address)
    with (
        KafkaSender(kafka, "readings-large") as sender,
        pytest.raises(BrokerUnavailable, match="readings-large: .*[Mm]essage size"),
    ):
        sender.send(b"a", b"x" * 2_000_000)


def test_a_broker_that_is_not_there_ends_the_replay_with_a_sentence(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr("hedgerow.app.replay.send._FLUSH_SECONDS", 0.2)
    kafka = KafkaSettings(bootstrap_servers=f"127.0.0.1:{free_port()}")
    with KafkaSender(kafka, "readings") as sender:
        sender.send(b"a", b"1")
        with pytest.raises(BrokerUnavailable, match="1 messages for readings were not ackn"):
            sender.finish()
