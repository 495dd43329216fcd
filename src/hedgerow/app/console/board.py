"""What the topics told, kept as bytes until somebody looks at it.

Before: `follower` reads predictions, alerts and dead letters. After: `session` decodes what is on
somebody's screen. Of every series the last few records are kept, of a chosen one its history.

What it costs, measured with records of 700 bytes on one of two cores: 1.4 us to take a record (and
as much again to fetch it), 42 MB for 10,000 series, 83 MB for `MOST_SERIES`, and 0.7 MB for each
chosen one. A worker at full speed learned 255,269 readings in 3.8 and 4.1 s of CPU with nobody
looking, in 3.4 and 4.6 s with a viewer of the list and of a series that changed all the time.
"""

from __future__ import annotations

import threading
from collections import deque
from collections.abc import Collection, Sequence
from contextlib import suppress
from dataclasses import dataclass, field
from typing import NamedTuple

import msgspec

from hedgerow.app.console.carriers import Carried
from hedgerow.topics import Alert, TopicError, decode_alert, parse_time

MOST_SERIES = 20_000
FEW = 4  # records of every series: the last reading, and what had been forecast for it
LONG = 1_000  # records of a chosen series
MOST_EPISODES = 2_000
LONGEST_EXAMPLE = 160  # bytes of a dead letter's value


class _Head(msgspec.Struct, frozen=True, gc=False):
    """The fields of a prediction that say whose it is and whether it came before."""

    series: str
    source_offset: int
    issued_at: str


_head = msgspec.json.Decoder(_Head).decode


@dataclass(slots=True)
class Trace:
    """The last records of one series.

    Attributes
    ----------
    number : int
        Its place on the board, for good.
    partition : int
        Where on ``predictions`` its records are.
    offset, issued_at
        ``source_offset`` and time of the newest record.
    records : deque of bytes
        The newest records, oldest first, without a hole between them.
    hole : int
        How often records of its partition had been passed over when the newest one came.
    """

    number: int
    key: str
    partition: int
    offset: int
    issued_at: str
    records: deque[bytes]
    hole: int


@dataclass(slots=True)
class Watched:
    """A series that somebody has chosen.

    Attributes
    ----------
    history : dict of int to bytes
        Its records by the time of their readings, in epoch milliseconds, without a hole.
    before_hole : dict of int to bytes
        What it was until records were passed over, shown until there is something newer.
    whole : bool
        Whether the log has been searched for what was before.
    viewers : int
        How many look at it.
    changes : int
        Counts its news.
    """

    history: dict[int, bytes] = field(default_factory=dict)
    before_hole: dict[int, bytes] = field(default_factory=dict)
    whole: bool = False
    viewers: int = 0
    changes: int = 0

    def remember(self, issued_at: str, value: bytes, *, newest: bool = True) -> None:
        """Add a record, and let go of the oldest where there have become too many.

        Of two about one time the one that came last on the topic counts. Not by offset: these
        begin anew where a topic was made anew or a series moved.
        """
        try:
            at = parse_time(issued_at)
        except TopicError:  # by somebody else
            return
        if newest or at not in self.history:
            self.history[at] = value
        self.changes += 1
        if len(self.history) > LONG:
            del self.history[min(self.history)]

    def begin_anew(self) -> None:
        """Take it that records were passed over: what comes now does not follow on what is here."""
        self.before_hole = self.history or self.before_hole
        self.history = {}
        self.whole = False


@dataclass(slots=True)
class Letters:
    """Dead letters of one reason: how many were seen, and the newest as an example."""

    count: int
    error: str
    place: str
    example: str


class Told(NamedTuple):
    """What is known of an episode: its newest record, how it opened, what carried the forecast."""

    newest: Alert
    opening: str | None
    carried: Carried | None = None


@dataclass(slots=True)
class Tally:
    """What became of the records that were read."""

    records: int = 0
    repeats: int = 0
    unreadable: int = 0
    beyond: int = 0


class Board:
    """Everything that is remembered for the page; the follower writes, the page's views read.

    Both hold `lock` while they do, for a millisecond or so.

    Parameters
    ----------
    most_series : int
        Records of further series are counted and let go.

    Examples
    --------
    >>> board = Board()
    >>> board.prediction(b'{"series": "a", "source_offset": 7, "issued_at": "2026-01-01"}', 0)
    >>> board.prediction(b'{"series": "a", "source_offset": 7, "issued_at": "2026-01-01"}', 0)
    >>> len(board.traces), board.tally.repeats
    (1, 1)
    """

    def __init__(self, *, most_series: int = MOST_SERIES) -> None:
        self.lock = threading.Lock()
        self.traces: dict[str, Trace] = {}
        self.watched: dict[str, Watched] = {}
        self.episodes: dict[str, Alert] = {}
        self.openings: dict[str, str] = {}
        self._carried: dict[str, Carried] = {}
        self.letters: dict[str, Letters] = {}
        self.tally = Tally()
        self.alert_changes = 0
        self._most_series = most_series
        self._changed: dict[str, None] = {}
        self._holes: dict[int, int] = {}

    # ---------------------------------------------------------------- what is told

    def prediction(self, value: bytes, partition: int) -> None:
        """Take a record of ``predictions``; one that came before is counted and let go."""
        try:
            head = _head(value)
        except msgspec.DecodeError:  # not JSON, or not a prediction
            self.tally.unreadable += 1
            return
        self.tally.records += 1
        trace = self.traces.get(head.series)
        if trace is None:
            if len(self.traces) >= self._most_series:
                self.tally.beyond += 1
                return
            hole = self._holes.get(partition, 0)
            trace = Trace(len(self.traces), head.series, partition, -1, "", deque(maxlen=FEW), hole)
            self.traces[head.series] = trace
        elif head.source_offset <= trace.offset and head.issued_at <= trace.issued_at:
            # Both: offsets begin anew where a topic was made anew or a series moved.
            self.tally.repeats += 1
            return
        hole = self._holes.get(partition, 0)
        if trace.hole != hole:  # what is between was not read
            trace.hole = hole
            trace.records.clear()
        trace.partition, trace.offset = partition, head.source_offset
        trace.issued_at = head.issued_at
        trace.records.append(value)
        self._changed[head.series] = None
        watched = self.watched.get(head.series)
        if watched is not None:
            watched.remember(head.issued_at, value)

    def pass_over(self, partitions: Collection[int]) -> list[str]:
        """Note that records were passed over; return the chosen series to search for again."""
        with self.lock:
            for number in partitions:
                self._holes[number] = self._holes.get(number, 0) + 1
            again = []
            for key, watched in self.watched.items():
                trace = self.traces.get(key)
                if trace is not None and trace.partition in partitions:
                    watched.begin_anew()
                    again.append(key)
            return again

    def holes(self, partition: int) -> int:
        """Tell how often records of a partition of ``predictions`` were passed over."""
        with self.lock:
            return self._holes.get(partition, 0)

    def searched(self, key: str) -> None:
        """Note that nothing earlier will be found of a chosen series."""
        with self.lock:
            watched = self.watched.get(key)
            if watched is not None:
                watched.whole = True
                watched.changes += 1

    def earlier(self, key: str, values: Sequence[bytes]) -> bool:
        """Take older records of a chosen series; tell whether more are wanted."""
        with self.lock:
            watched = self.watched.get(key)
            if watched is None:
                return False
            for value in values:
                with suppress(msgspec.DecodeError):  # not a prediction; counted when it came
                    watched.remember(_head(value).issued_at, value, newest=False)
            return len(watched.history) < LONG

    def alert(self, value: bytes) -> None:
        """Take a record of ``alerts``: of two about an episode the later one counts."""
        try:
            alert = decode_alert(value)
            parse_time(alert.opened_at), parse_time(alert.at)
        except TopicError:  # not an alert, or one with times that are none
            self.tally.unreadable += 1
            return
        if alert.state == "open":
            self.openings[alert.episode] = alert.message
        known = self.episodes.get(alert.episode)
        if known is not None and _standing(alert) <= _standing(known):
            return
        self.episodes[alert.episode] = alert
        self.alert_changes += 1
        if alert.series in self.traces:
            self._changed[alert.series] = None
        if alert.series in self.watched:
            self.watched[alert.series].changes += 1
        if len(self.episodes) > MOST_EPISODES:
            resolved = (name for name, a in self.episodes.items() if a.state == "resolved")
            oldest = next(resolved, next(iter(self.episodes)))
            del self.episodes[oldest]
            self.openings.pop(oldest, None)
            self._carried.pop(oldest, None)

    def carry(self, episode: str, carried: Carried) -> None:
        """Take what carried the forecast that an episode is about."""
        with self.lock:
            alert = self.episodes.get(episode)
            if alert is None:
                return
            self._carried[episode] = carried
            self.alert_changes += 1
        self.touch(alert.series)

    def touch(self, key: str) -> None:
        """Note that something else than a record is new of a series."""
        with self.lock:
            watched = self.watched.get(key)
            if watched is not None:
                watched.changes += 1

    def dead_letter(self, reason: str, error: str, place: str, value: bytes | None) -> None:
        """Count a dead letter, and keep it as the example of its reason."""
        known = self.letters.get(reason)
        example = (value or b"")[:LONGEST_EXAMPLE].decode("utf-8", "backslashreplace")
        self.letters[reason] = Letters(known.count + 1 if known else 1, error, place, example)

    # ---------------------------------------------------------------- what is looked at

    def take_changed(self, limit: int) -> list[tuple[Trace, list[bytes]]]:
        """Return series with news, longest waiting first, and forget that they had some."""
        with self.lock:
            keys = list(self._changed)[:limit]
            for key in keys:
                del self._changed[key]
            return [(trace, list(trace.records)) for trace in map(self.traces.__getitem__, keys)]

    def take_all(self, first: int, limit: int) -> list[tuple[Trace, list[bytes]]]:
        """Return so many series from the one of this number on."""
        with self.lock:
            traces = list(self.traces.values())[first : first + limit]
            return [(trace, list(trace.records)) for trace in traces]

    def watch(self, key: str) -> Watched:
        """Keep the history of a series from now on, until everybody has left it."""
        with self.lock:
            watched = self.watched.setdefault(key, Watched())
            watched.viewers += 1
            trace = self.traces.get(key)
            if trace is not None and trace.hole == self._holes.get(trace.partition, 0):
                for value in trace.records:
                    watched.remember(_head(value).issued_at, value)
            return watched

    def leave(self, key: str) -> None:
        """Stop watching a series."""
        with self.lock:
            watched = self.watched[key]
            watched.viewers -= 1
            if watched.viewers == 0:
                del self.watched[key]

    def records_of(self, key: str) -> list[bytes]:
        """Return the records of a chosen series, oldest first."""
        with self.lock:
            watched = self.watched.get(key)
            if watched is None:
                return []
            history = watched.history or watched.before_hole
            return [history[at] for at in sorted(history)]

    def alerts(self) -> list[Told]:
        """Return every episode."""
        with self.lock:
            return [
                Told(alert, self.openings.get(name), self._carried.get(name))
                for name, alert in self.episodes.items()
            ]

    def partition_of(self, key: str) -> int | None:
        """Return the partition of ``predictions`` that a series is on, if it is known."""
        with self.lock:
            trace = self.traces.get(key)
            return None if trace is None else trace.partition


def _standing(alert: Alert) -> tuple[int, bool]:
    """Order the records of an episode; one reading may open and resolve it."""
    return alert.source_offset, alert.state == "resolved"
