"""Reads predictions, alerts and dead letters in a thread of its own while somebody looks.

Before: the brokers, whatever worker published. After: `board`. It joins no group and commits
nothing. It begins some thousand records before the end, reads at most so many a second, and
where more than that comes it passes over records rather than fall behind: what is shown is of
now, and how many were passed over is counted.
"""

from __future__ import annotations

import threading
import time
from collections import deque
from collections.abc import Iterator

from confluent_kafka import Consumer, KafkaError, KafkaException, Message, TopicPartition

from hedgerow.app.access.admission import Watch, ask_metadata
from hedgerow.app.access.kafka import client_config
from hedgerow.app.access.permissions import Need, lacking_sentence, require
from hedgerow.app.broker.topic_admin import admin_client
from hedgerow.app.console.board import Board
from hedgerow.app.console.lag import GroupLag
from hedgerow.app.errors import AccessRefused, AppError, BrokerUnavailable, TopicMissing
from hedgerow.app.settings import KafkaSettings, Settings
from hedgerow.topics import records

FIRST_RECORDS = 60_000  # of predictions, over all partitions
FIRST_ALERTS = 8_000
FIRST_LETTERS = 2_000
LEAST_FIRST = 200  # of one partition
MOST_A_SECOND = 10_000
MOST_AT_FIRST = 20_000  # a second, until the end is reached, and in a search
MOST_BEHIND = 20_000
LAND_BEHIND = 500  # of one partition, after passing over some
LOOK_BACK = 50_000  # records of a partition searched for a chosen series
LOOK_BACK_STEP = 5_000
SILENT_POLLS = 40
AT_ONCE = 500
POLL_SECONDS = 0.1
ANSWER_SECONDS = 5.0
RETRY_SECONDS = 3.0
STOP_SECONDS = 2.0
RATE_SECONDS = 5.0
LOOK_SECONDS = 0.5
PASSING_SECONDS = 10.0
LAG_SECONDS = 5.0
DONE = object()
Offsets = dict[int, int]


class Follower:
    """Follows the topics from `start` until `stop`; what it cannot do is in `trouble`.

    Attributes
    ----------
    trouble : str or None
        Why it does not read just now, in a sentence.
    lag : int or None
        Messages that the group has not learned yet, a few seconds old.
    ends : dict of int to int
        Where the readings' topic ended then, by partition.
    older_letters : int
        Dead letters that lie before those that it reads.
    passed_over : int
        Records it let go because too many came.
    caught_up : bool
        Whether it has reached the end since it began.
    """

    def __init__(self, settings: Settings, board: Board) -> None:
        self._kafka = settings.kafka
        self._topics = settings.topics
        self._group = settings.group
        self._board = board
        self._stop = threading.Event()
        self._wanted: deque[str] = deque()
        self._thread = threading.Thread(target=self._run, name="console", daemon=True)
        self.trouble: str | None = "the topics are being opened"
        self.lag: int | None = None
        self.ends: Offsets = {}
        self.older_letters = 0
        self.passed_over = 0
        self._passed_at = float("-inf")
        self._ends: deque[tuple[float, int]] = deque()
        self._goal: Offsets = {}
        self.caught_up = False

    def start(self) -> None:
        """Begin to read."""
        self._thread.start()

    def stop(self) -> None:
        """Stop reading; wait for the thread, but not for a broker that does not answer."""
        self._stop.set()
        self._thread.join(STOP_SECONDS)

    def look_back(self, key: str) -> None:
        """Search the log for older records of a series that was chosen."""
        self._wanted.append(key)

    @property
    def rate(self) -> float:
        """Records published to ``predictions`` a second, over the last few."""
        ends = list(self._ends)
        if len(ends) < 2 or ends[-1][0] == ends[0][0]:
            return 0.0
        return (ends[-1][1] - ends[0][1]) / (ends[-1][0] - ends[0][0])

    @property
    def passing(self) -> bool:
        """Whether records were let go a moment ago."""
        return time.monotonic() - self._passed_at < PASSING_SECONDS

    # ---------------------------------------------------------------- the thread

    def _run(self) -> None:
        try:
            self._follow_on()
        finally:
            if not self._stop.is_set():  # a fault of ours: its traceback goes to the log
                self.trouble = "the console's reader ended by a fault; see the worker's log"

    def _follow_on(self) -> None:
        while not self._stop.is_set():
            try:
                self._follow()
            except AppError as error:
                self.trouble = str(error)
            except KafkaException as error:
                self.trouble = f"Kafka: {error.args[0].str()}"
            self._ends.clear()
            self.caught_up = False
            self._stop.wait(RETRY_SECONDS)

    def _follow(self) -> None:
        consumer, watch = _client(self._kafka)
        try:
            reached = self._assign(consumer, watch)
            self.trouble = None
            group_lag = GroupLag(self._kafka, self._group, self._topics.readings)
            measured_at = float("-inf")
            search: Iterator[None] = iter(())
            searching = False
            looked_at = 0.0
            while not self._stop.is_set():
                began = time.monotonic()
                messages = consumer.consume(AT_ONCE, 0.0 if searching else POLL_SECONDS)
                self._fold(messages, reached)
                if began - looked_at > LOOK_SECONDS:
                    looked_at = began
                    self._keep_up(consumer, reached)
                if began - measured_at > LAG_SECONDS:
                    measured_at = began
                    self.lag = group_lag.measure()
                    self.ends = group_lag.ends
                searching = next(search, DONE) is not DONE
                # Before the end was reached a series that is asked for may not be known yet.
                if not searching and self._wanted and self.caught_up:
                    search, searching = self._searched(self._wanted.popleft(), reached), True
                at_least = len(messages) / (MOST_A_SECOND if self.caught_up else MOST_AT_FIRST)
                at_least += AT_ONCE / MOST_AT_FIRST if searching else 0.0
                spare = at_least - (time.monotonic() - began)
                if spare > 0:
                    self._stop.wait(spare)
        finally:
            consumer.close()

    def _searched(self, key: str, reached: Offsets) -> Iterator[None]:
        consumer, _ = _client(self._kafka)
        try:
            yield from look_back(consumer, self._topics.predictions, key, self._board, reached)
        finally:
            consumer.close()
        if key not in self._wanted:  # nothing was passed over meanwhile
            self._board.searched(key)

    def _assign(self, consumer: Consumer, watch: Watch) -> Offsets:
        """Begin so far before the end of each topic; return where, on ``predictions``."""
        topics = self._topics
        start: list[TopicPartition] = []
        self._goal, older_letters = {}, 0
        first = {
            topics.predictions: FIRST_RECORDS,
            topics.alerts: FIRST_ALERTS,
            topics.dead_letters: FIRST_LETTERS,
        }
        needs = [Need("topic", topic, "Read") for topic in first]
        require(admin_client(self._kafka), self._kafka, needs)
        for topic, budget in first.items():
            metadata = ask_metadata(consumer, watch, self._kafka, ANSWER_SECONDS, topic)
            found = metadata.topics[topic]
            if found.error is not None or not found.partitions:
                raise TopicMissing.named(topic)
            share = max(LEAST_FIRST, budget // len(found.partitions))
            for number in found.partitions:
                if self._stop.is_set():
                    break
                low, high = consumer.get_watermark_offsets(
                    TopicPartition(topic, number), ANSWER_SECONDS
                )
                start.append(TopicPartition(topic, number, max(low, high - share)))
                if topic == topics.predictions:
                    self._goal[number] = high
                elif topic == topics.dead_letters:
                    older_letters += max(0, high - share - low)
        self.older_letters = older_letters
        consumer.assign(start)
        return {tp.partition: tp.offset for tp in start if tp.topic == topics.predictions}

    def _fold(self, messages: list[Message], reached: Offsets) -> None:
        topics, board = self._topics, self._board
        with board.lock:
            for message in messages:
                error = message.error()
                if error is not None:
                    self._mind(message, error)
                    continue
                topic, value = message.topic(), message.value()
                if topic == topics.predictions:
                    reached[message.partition()] = message.offset() + 1
                    board.prediction(value or b"", message.partition())
                elif topic == topics.alerts:
                    board.alert(value or b"")
                else:
                    board.dead_letter(*_letter(message))

    def _mind(self, message: Message, error: KafkaError) -> None:
        if error.code() == KafkaError.TOPIC_AUTHORIZATION_FAILED:
            need = Need("topic", str(message.topic()), "Read")
            raise AccessRefused(lacking_sentence(self._kafka, [need]))
        if error.code() == KafkaError.UNKNOWN_TOPIC_OR_PART:
            raise TopicMissing.named(str(message.topic()))
        if error.fatal():
            raise BrokerUnavailable(f"the console's consumer ended: {error.str()}")

    def _keep_up(self, consumer: Consumer, reached: Offsets) -> None:
        """Note how far the topic has grown; where that is too far ahead, go there."""
        topic = self._topics.predictions
        ends: Offsets = {}
        for number, position in reached.items():
            _, high = consumer.get_watermark_offsets(TopicPartition(topic, number), cached=True)
            ends[number] = max(position, high, self._goal[number])
        now = time.monotonic()
        if self.caught_up:
            self._ends.append((now, sum(ends.values())))
            while now - self._ends[0][0] > RATE_SECONDS:
                self._ends.popleft()
        behind = sum(ends.values()) - sum(reached.values())
        self.caught_up = self.caught_up or behind < LAND_BEHIND * len(ends)
        if behind <= (MOST_BEHIND if self.caught_up else 2 * FIRST_RECORDS):
            return
        self._passed_at = now
        passed = {n: end - LAND_BEHIND for n, end in ends.items() if end - LAND_BEHIND > reached[n]}
        again = self._board.pass_over(passed)
        self._wanted.extend(key for key in again if key not in self._wanted)
        for number, to in passed.items():
            self.passed_over += to - reached[number]
            reached[number] = to
            consumer.seek(TopicPartition(topic, number, to))


def look_back(
    consumer: Consumer, topic: str, key: str, board: Board, reached: Offsets
) -> Iterator[None]:
    """Search a partition backwards for the records of a series, some at each `next`.

    It ends when the series' history is full, nobody watches it any more, or so many records
    have been searched; and where records were passed over meanwhile, so that there would be a hole
    between what it finds and what came since.
    """
    number = board.partition_of(key)
    if number is None:
        return
    holes = board.holes(number)
    low, _ = consumer.get_watermark_offsets(TopicPartition(topic, number), ANSWER_SECONDS)
    end = reached[number]
    least, wanted = max(low, end - LOOK_BACK), key.encode()
    while end > least:
        position = start = max(least, end - LOOK_BACK_STEP)
        consumer.assign([TopicPartition(topic, number, start)])
        silent, found = 0, list[bytes]()
        while position < end and silent < SILENT_POLLS:
            read = [m for m in consumer.consume(AT_ONCE, POLL_SECONDS / 2) if m.error() is None]
            silent = 0 if read else silent + 1
            (reached_now,) = consumer.position([TopicPartition(topic, number)])
            position = max(position, reached_now.offset)  # also past what is no record
            found += [m.value() or b"" for m in read if m.key() == wanted and m.offset() < end]
            yield
        if position < end or board.holes(number) != holes:
            return
        if not board.earlier(key, found):  # a whole stretch at once: no holes on the screen
            return
        end = start


def _client(kafka: KafkaSettings) -> tuple[Consumer, Watch]:
    watch = Watch()
    consumer = Consumer(
        {
            **client_config(kafka, "hedgerow-console", on_error=watch),
            "group.id": "hedgerow-console",  # the client wants one; it is never joined
            "enable.auto.commit": False,
            "auto.offset.reset": "earliest",
            "queued.max.messages.kbytes": 8_192,
            "queued.min.messages": 1_000,
            "log_level": 2,
        }
    )
    return consumer, watch


def _letter(message: Message) -> tuple[str, str, str, bytes | None]:
    headers = {
        name: (value if isinstance(value, bytes) else str(value).encode())
        for name, value in message.headers() or ()
    }

    def text(name: str) -> str:
        return headers.get(name, b"").decode("utf-8", "backslashreplace")

    place = ":".join(map(text, (records.DLQ_TOPIC, records.DLQ_PARTITION, records.DLQ_OFFSET)))
    return text(records.DLQ_REASON), text(records.DLQ_ERROR), place, message.value()
