"""How long a worker has waited for its share of the partitions.

Before: the consumer tells when the group begins to share out anew, and when this worker was given
its part. After: one that waits for long says so, in its log and at ``/readyz``.
"""

from __future__ import annotations

from collections.abc import Callable

LONG_SECONDS = 20.0
MOST_SECONDS = 60  # that Kafka waits for a member to join anew: Faust's broker_rebalance_timeout


class Share:
    """Whether the group has given this worker its share, be it an empty one.

    Parameters
    ----------
    group : str
        Its name.
    clock : Callable[[], float]
        Monotonic seconds.

    Examples
    --------
    >>> now = [0.0]
    >>> share = Share("city", lambda: now[0])
    >>> share.awaited()
    >>> share.missing() is None
    True
    >>> now[0] = 21.0
    >>> share.missing()[:57]
    'group city has not shared out its partitions for 21 s: it'
    >>> share.given()
    >>> share.missing() is None
    True
    """

    def __init__(self, group: str, clock: Callable[[], float]) -> None:
        self._group = group
        self._clock = clock
        self._since: float | None = None

    def awaited(self) -> None:
        """Note that the group shares out anew."""
        if self._since is None:
            self._since = self._clock()

    def given(self) -> None:
        """Note that this worker has its share."""
        self._since = None

    def missing(self) -> str | None:
        """Say that the share has not come for long, ``None`` while it has not been long."""
        waited = 0.0 if self._since is None else self._clock() - self._since
        if waited <= LONG_SECONDS:
            return None
        return (
            f"group {self._group} has not shared out its partitions for {waited:.0f} s: it waits "
            f"for another worker, which Kafka does for {MOST_SECONDS} s at most. If it goes on, "
            "see whether a worker of the group hangs, and stop that one"
        )
