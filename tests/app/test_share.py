"""A worker that waits for its share of the partitions says so once it has waited for long."""

from __future__ import annotations

from hedgerow.app.service.share import LONG_SECONDS, Share


class Waiting:
    def __init__(self) -> None:
        self.now = 100.0
        self.share = Share("city", lambda: self.now)


def test_who_has_not_begun_to_join_does_not_wait() -> None:
    one = Waiting()
    one.now += 10 * LONG_SECONDS
    assert one.share.missing() is None


def test_a_usual_wait_is_not_told_and_a_long_one_is_with_its_length() -> None:
    one = Waiting()
    one.share.awaited()
    one.now += LONG_SECONDS
    assert one.share.missing() is None
    one.now += 5
    missing = one.share.missing()
    assert missing is not None
    assert missing.startswith("group city has not shared out its partitions for 25 s")


def test_a_wait_counts_from_when_it_began_however_often_the_group_tries_again() -> None:
    one = Waiting()
    for _ in range(5):
        one.share.awaited()
        one.now += LONG_SECONDS / 4
    assert one.share.missing() is not None
    one.share.given()
    assert one.share.missing() is None
    one.share.awaited()
    assert one.share.missing() is None
