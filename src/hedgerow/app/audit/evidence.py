"""Reads everything that ``hedgerow verify`` compares: the state, the topics, the dead letters.

The state is read first: what it counts was published before it was saved, so that workers may
go on meanwhile. What is made of it: ``app/audit/verify``.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence

from confluent_kafka.admin import AdminClient

from hedgerow.agents.ports import Partition
from hedgerow.app.audit.verify import Accounted, Finding, Predictions, compare, decode_readings
from hedgerow.app.broker.spans import Span, SpanReader, spans
from hedgerow.app.broker.tail import Tail
from hedgerow.app.broker.topic_admin import admin_client, existing_topics
from hedgerow.app.city import input_limits
from hedgerow.app.letters import Filter, letters
from hedgerow.app.settings import Settings
from hedgerow.app.state.admin import Kept
from hedgerow.topics import ReadingDecoder

SHOWN_EVERY = 5_000  # records

Show = Callable[[str, float, int], None]  # told what is read, the share done and the records


class Verification:
    """One look at what a group has published.

    Parameters
    ----------
    topic : str
        Where the predictions are.
    kept : sequence of Kept
        The state, read before anything else.
    show : Callable[[str, float, int], None]
        Told how far it has come.
    """

    def __init__(self, settings: Settings, topic: str, kept: Sequence[Kept], show: Show) -> None:
        self._settings = settings
        self._topic = topic
        self._source = settings.topics.readings
        self._accounted = {one.partition: _accounted(one) for one in kept}
        self._show = show
        self._admin: AdminClient = admin_client(settings.kafka)
        self.foreign = 0

    def findings(self) -> list[Finding]:
        """Read and compare; ``foreign`` then counts the records that are no predictions of ours.

        Raises
        ------
        BrokerUnavailable
            If the broker does not answer.
        TopicMissing
            If a topic is not there.
        """
        predictions = self._predictions()
        self.foreign = predictions.foreign
        dead = self._dead_letters()
        accounted = {
            Partition(self._source, number): one
            for number, one in self._accounted.items()
            if one is not None
        }
        log = spans(self._settings.kafka, list(accounted))
        begin = {p: max(span.earliest, predictions.first(p.number)) for p, span in log.items()}
        total = sum(max(0, accounted[p].next_offset - begin[p]) for p in log)
        progress = _Counter(self._show, f"reading {self._source}", total)
        decoder = ReadingDecoder(input_limits(self._settings))
        found = []
        for partition, first in begin.items():
            one = accounted[partition]
            span = Span(first, one.next_offset)
            with SpanReader(self._settings.kafka, {partition: span}) as reader:
                readings = decode_readings(first, reader.messages(partition), decoder, progress.add)
            found.append(
                compare(
                    self._source,
                    partition.number,
                    accounted=one,
                    readings=readings,
                    predictions=predictions.of(partition.number),
                    dead=dead.get(partition.number, {}),
                )
            )
        return found

    def _predictions(self) -> Predictions:
        kafka = self._settings.kafka
        with Tail(kafka, self._topic, from_beginning=True, follow=False) as tail:
            count = existing_topics(self._admin, kafka)[self._topic]
            held = spans(self._settings.kafka, [Partition(self._topic, n) for n in range(count)])
            cut = {partition.number: span.earliest > 0 for partition, span in held.items()}
            found = Predictions(self._source, cut)
            total = sum(span.end - span.earliest for span in held.values())
            progress = _Counter(self._show, f"reading {self._topic}", total)
            for message in tail.messages():
                found.add(message.partition(), message.value() or b"")
                progress.add(1)
        return found

    def _dead_letters(self) -> Mapping[int, Mapping[int, str]]:
        """Return the reason of each dead letter, by partition and offset of its message."""
        found: dict[int, dict[int, str]] = {}
        topic = self._settings.topics.dead_letters
        with Tail(self._settings.kafka, topic, from_beginning=True, follow=False) as tail:
            for letter in letters(tail.messages(), Filter()):
                if letter.topic == self._source:
                    found.setdefault(letter.partition, {})[letter.offset] = letter.reason
        return found


class _Counter:
    """Adds up records, and shows them now and then."""

    def __init__(self, show: Show, what: str, total: int) -> None:
        self._show, self._what, self._total = show, what, max(1, total)
        self._done = self._shown = 0

    def add(self, records: int) -> None:
        self._done += records
        if self._done - self._shown >= SHOWN_EVERY or self._done >= self._total:
            self._shown = self._done
            self._show(self._what, min(1.0, self._done / self._total), self._done)


def _accounted(kept: Kept) -> Accounted | None:
    if kept.counts is None or kept.next_offset is None:
        return None
    counts = kept.counts
    return Accounted(
        kept.next_offset, counts.messages, counts.learned, counts.late, counts.duplicate
    )
