"""A dead letter holds the message as it came, and says where from and why."""

from __future__ import annotations

from types import SimpleNamespace

from hypothesis import given, settings
from hypothesis import strategies as st

from hedgerow.topics import Failure, Reason, catalogue, dead_letter
from hedgerow.topics.dead_letters import DEAD_LETTER_MAX_BYTES, DeadLetter, fit_dead_letter
from hedgerow.topics.records import DEAD_LETTER_HEADERS

FAILURE = Failure(0, Reason.ENCODING, "the value is not UTF-8 at byte 0")


def size(letter):
    """Count what Kafka at least stores of a record."""
    parts = [letter.key or b"", letter.value or b"", *(text for _, text in letter.headers)]
    return sum(map(len, parts)) + sum(len(name) for name, _ in letter.headers)


def test_key_and_value_are_untouched_and_headers_complete(record):
    message = record(b"\xff\x00", key=b"\xfe", timestamp=12, offset=99)

    letter = dead_letter(message, FAILURE, "sensor-data", 3)

    assert (letter.key, letter.value) == (b"\xfe", b"\xff\x00")
    assert letter.headers == (
        ("dlq.reason", b"encoding"),
        ("dlq.error", b"the value is not UTF-8 at byte 0"),
        ("dlq.topic", b"sensor-data"),
        ("dlq.partition", b"3"),
        ("dlq.offset", b"99"),
        ("dlq.timestamp", b"12"),
    )


def test_tombstones_stay_tombstones(record):
    letter = dead_letter(record(None, key=None), FAILURE, "sensor-data", 3)

    assert letter.key is None
    assert letter.value is None


def test_an_error_sentence_is_bounded_and_never_fails_to_encode(record):
    failure = Failure(0, Reason.KEY, "\ud800" + "x" * 10_000)

    letter = dead_letter(record(b""), failure, "sensor-data", 3)

    error = dict(letter.headers)["dlq.error"]
    assert error.startswith(b"\\ud800xxx")
    assert len(error) < 1100


def test_the_longest_input_fits_whole(record):
    longest = record(b"x" * 1_048_576, key=b"k" * 1000)

    letter = dead_letter(longest, FAILURE, "sensor-data", 3)

    assert letter.value == longest.value
    assert catalogue().dead_letters.max_message_bytes == DEAD_LETTER_MAX_BYTES


def test_what_does_not_fit_is_truncated_and_says_so(record):
    letter = dead_letter(record(b"x" * 5000, key=b"key"), FAILURE, "sensor-data", 3, max_bytes=1000)

    assert letter.key == b"key"
    assert 0 < len(letter.value) < 1000
    assert set(letter.value) == {ord("x")}
    assert dict(letter.headers)["dlq.truncated"] == b"5000"


@settings(deadline=None)
@given(
    st.one_of(st.none(), st.binary(max_size=600)),
    st.one_of(st.none(), st.binary(max_size=600)),
    st.integers(160, 1500),
)
def test_a_fitted_letter_is_never_too_long(key, value, max_bytes):
    letter = fit_dead_letter(DeadLetter(key, value, ()), max_bytes)

    assert size(letter) <= max_bytes
    assert (key or b"").startswith(letter.key or b"")
    assert (value or b"").startswith(letter.value or b"")
    assert (letter.key is None, letter.value is None) == (key is None, value is None)
    whole = (letter.key, letter.value) == (key, value)
    assert whole == ("dlq.truncated" not in dict(letter.headers))


def test_every_header_is_documented():
    replayed = SimpleNamespace(
        offset=9, timestamp=-1, key=None, value=b"x" * 5000, headers=(("dlq.replays", b"2"),)
    )
    letter = dead_letter(replayed, FAILURE, "sensor-data", 3, max_bytes=1000)
    assert dict(letter.headers)["dlq.replays"] == b"2"

    assert [name for name, _ in letter.headers] == [name for name, _ in DEAD_LETTER_HEADERS]
