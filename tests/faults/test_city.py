"""What a log must hold of what was written to it, when its broker was killed meanwhile."""

from __future__ import annotations

from faults.log.city import holds
from faults.log.logs import Entry, numbered

WRITTEN = [Entry(n % 2, 1_000 + n, b"s%d" % n, b"%d" % n) for n in range(6)]


def test_a_log_holds_what_was_written_to_it() -> None:
    assert holds(numbered(WRITTEN), WRITTEN)


def test_a_batch_that_was_taken_twice_is_no_loss() -> None:
    taken_twice = [*WRITTEN[:3], WRITTEN[0], WRITTEN[2], *WRITTEN[3:]]
    assert holds(numbered(taken_twice), WRITTEN)


def test_a_message_that_is_missing_is_noticed() -> None:
    assert not holds(numbered(WRITTEN[:4] + WRITTEN[5:]), WRITTEN)


def test_messages_of_a_partition_in_another_order_are_noticed() -> None:
    swapped = [WRITTEN[2], WRITTEN[1], WRITTEN[0], *WRITTEN[3:]]
    assert not holds(numbered(swapped), WRITTEN)
