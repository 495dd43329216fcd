"""Dead letters read back, chosen and replayed."""

from __future__ import annotations

from dataclasses import dataclass, field, replace
from types import SimpleNamespace
from typing import cast

import pytest
from confluent_kafka import Message

from hedgerow.app.letters import Filter, Letter, letters, read_letter, replay
from hedgerow.topics import Failure, Reason, dead_letter


def record(offset: int, reason: Reason = Reason.JSON, **parts: object) -> Message:
    """Make what a consumer of the dead letters gets for a message that a worker refused."""
    original = SimpleNamespace(
        offset=offset,
        timestamp=parts.get("timestamp", 1000 * offset),
        key=parts.get("key", b"k"),
        value=parts.get("value", b"{"),
        headers=parts.get("headers", ()),
    )
    letter = dead_letter(
        original, Failure(0, reason, "why"), "sensor-data", 3,
        max_bytes=cast(int, parts.get("max_bytes", 2**21)),
    )  # fmt: skip
    answers = {
        "key": letter.key,
        "value": letter.value,
        "headers": list(letter.headers),
        "timestamp": (1, 777),
        "partition": 0,
    }
    return cast(
        Message,
        SimpleNamespace(**{k: (lambda v=v: v) for k, v in answers.items()}),  # type: ignore[misc]
    )


def test_what_a_worker_wrote_is_read_back() -> None:
    letter = read_letter(record(41, Reason.TIME, value=b"\xff\x00"))
    assert letter == Letter(
        b"k", b"\xff\x00", "time", "why", "sensor-data", 3, 41, time_ms=41_000, timestamp_ms=41_000
    )
    assert letter.id == "sensor-data:3:41"


def test_without_a_time_of_its_own_it_has_the_dead_letters() -> None:
    letter = read_letter(record(41, timestamp=-1))
    assert letter is not None
    assert (letter.time_ms, letter.timestamp_ms) == (777, -1)


def test_a_foreign_record_is_passed_over() -> None:
    foreign = SimpleNamespace(
        key=lambda: None, value=lambda: b"x", headers=lambda: None, partition=lambda: 0,
        timestamp=lambda: (0, -1),
    )  # fmt: skip
    assert list(letters([cast(Message, foreign), record(1)], Filter())) == [read_letter(record(1))]


def test_a_repeat_is_given_once() -> None:
    log = [record(1), record(2), record(1), record(2), record(3)]
    assert [one.offset for one in letters(log, Filter())] == [1, 2, 3]


@pytest.mark.parametrize(
    ("wanted", "offsets"),
    [
        (Filter(), [1, 2, 3]),
        (Filter(reasons=frozenset({"time"})), [2]),
        (Filter(since_ms=2000), [2, 3]),
        (Filter(until_ms=2000), [1]),
        (Filter(ids=frozenset({"sensor-data:3:3"})), [3]),
        (Filter(reasons=frozenset({"json"}), since_ms=2000), [3]),
    ],
)
def test_only_what_is_wanted_is_given(wanted: Filter, offsets: list[int]) -> None:
    log = [record(1), record(2, Reason.TIME), record(3)]
    assert [one.offset for one in letters(log, wanted)] == offsets


@dataclass
class Publisher:
    sent: list[tuple[Letter, dict[str, bytes]]] = field(default_factory=list)
    finished: bool = False

    def send(self, letter: Letter, headers: list[tuple[str, bytes]]) -> None:
        self.sent.append((letter, dict(headers)))

    def finish(self) -> None:
        self.finished = True


def letter(offset: int = 1, **parts: object) -> Letter:
    found = read_letter(record(offset))
    assert found is not None
    return replace(found, **parts)  # type: ignore[arg-type]


def test_a_replay_says_that_it_is_one() -> None:
    publisher = Publisher()
    done = replay([letter(7, replays=1)], publisher, max_replays=3)
    assert (done.sent, done.left_out, publisher.finished) == (1, {}, True)
    ((_, headers),) = publisher.sent
    assert headers == {
        "dlq.replays": b"2", "dlq.source": b"sensor-data:3:7", "dlq.reason": b"json"
    }  # fmt: skip


def test_refused_again_it_remembers_how_often() -> None:
    again = read_letter(record(9, headers=(("dlq.replays", b"2"), ("other", b"x"))))
    assert again is not None
    assert again.replays == 2
    strange = read_letter(record(9, headers=(("dlq.replays", b"-1e9"),)))
    assert strange is not None
    assert strange.replays == 0


@pytest.mark.parametrize(
    ("parts", "why"),
    [
        ({"full_size": 9_000_000}, "truncated"),
        ({"replays": 3}, "replayed 3 times already"),
        ({"value": b"12.5"}, "a bare number"),
    ],
)
def test_what_must_not_be_replayed_is_left_out_and_said(parts: dict[str, object], why: str) -> None:
    publisher = Publisher()
    done = replay([letter(**parts)], publisher, max_replays=3, keeps_time=lambda _: False)
    assert publisher.sent == []
    assert [text.startswith(why) for text in done.left_out] == [True]


def test_a_bare_number_goes_where_times_are_kept() -> None:
    publisher = Publisher()
    replay([letter(value=b"12.5")], publisher, max_replays=3)
    assert len(publisher.sent) == 1


def test_a_limit_ends_it() -> None:
    publisher = Publisher()
    assert replay([letter(n) for n in range(9)], publisher, max_replays=3, limit=4).sent == 4
