"""One stretch of looking: from the first viewer until a while after the last.

Before: `follower` fills a board. After: `routes` sends the frames made here to every browser.
Twice a second a tick is made, the same for all viewers: the lines of the list that changed, the
health strip and the alerts. A chosen series' view is made for those who look at it. Decoding
happens beside the event loop, in slices.
"""

from __future__ import annotations

import asyncio
import itertools
import threading
from collections.abc import AsyncGenerator, Callable, Iterable, Mapping
from dataclasses import dataclass
from typing import Protocol

import msgspec

from hedgerow.app.console import views
from hedgerow.app.console.board import MOST_SERIES, Board, Told, Trace
from hedgerow.app.console.closer import Closer
from hedgerow.app.console.follower import Follower
from hedgerow.app.console.group import Group
from hedgerow.app.console.insight import Here, Insight
from hedgerow.app.console.records import decoded
from hedgerow.app.console.series import row, series_view
from hedgerow.app.console.skills import Skills
from hedgerow.app.console.weighings import Weighings
from hedgerow.app.settings import Settings
from hedgerow.topics import Sensor

TICK_SECONDS = 0.5
MOST_ROWS = 500  # lines of the list in one tick; those that wait longest go first
MOST_ALERTS = 200  # episodes in the list
MOST_SENSORS = 2_000  # of the registry in one event
PATIENCE_SECONDS = 2.0  # of a new viewer, rather than seeing the chart of a series grow
MOST_OF_SERIES = 20  # episodes of a chosen series

_encode = msgspec.json.Encoder().encode


class Known(Here, Protocol):
    """What the serving worker knows of itself and of the series it learns."""

    def facts(self) -> views.Worker:
        """Say how it is."""


@dataclass(frozen=True, slots=True)
class Tick:
    """What all viewers are told at one moment, as server-sent events."""

    number: int
    rows: bytes
    health: bytes
    alerts: bytes
    alert_changes: int


class Session:
    """A board that is filled while somebody looks.

    Parameters
    ----------
    known : Known
        The serving worker.
    sensors : Callable
        Gives the sensors of the registry; another mapping whenever they have changed.
    insight : Insight, optional
        Looks at series beyond their records.
    weighings : Weighings, optional
        What was noted in sessions before.
    group : Group, optional
        Knows the other workers.
    """

    def __init__(
        self,
        settings: Settings,
        known: Known,
        sensors: Callable[[], Mapping[str, Sensor]] = dict,
        *,
        insight: Insight | None = None,
        weighings: Weighings | None = None,
        group: Group | None = None,
    ) -> None:
        self.board = Board()
        self._sensors = sensors
        self._skills = Skills()
        self._judging = threading.Lock()
        self._known = known
        self._timezone = settings.timezone
        self._weighings = Weighings() if weighings is None else weighings
        self._group = group
        self._closer = Closer(self.board, insight or Insight(known), self._weighings)
        self._follower = Follower(settings, self.board)
        self._ticked = asyncio.Condition()
        self._tick: Tick | None = None
        self._ended = False
        self._ticking: asyncio.Task[None] | None = None

    def start(self) -> None:
        """Begin to follow the topics."""
        self._follower.start()
        self._ticking = asyncio.create_task(self._run())

    @property
    def ended(self) -> bool:
        """Whether nobody can be told anything any more."""
        return self._ended

    async def end(self) -> None:
        """Stop following, and send everybody home."""
        if self._ticking is not None:
            self._ticking.cancel()
        await self._send_home()
        await asyncio.to_thread(self._follower.stop)

    # ---------------------------------------------------------------- for viewers

    async def city(self) -> AsyncGenerator[bytes, None]:
        """Give the list, the health strip and the alerts, then what changes, until the end."""
        sent, alerts = -1, -1
        sensors: Mapping[str, Sensor] = {}
        while (tick := await self._next(sent)) is not None:
            if (now := self._sensors()) is not sensors and (now or sensors):
                sensors = now
                for part in await asyncio.to_thread(_sensor_frames, sensors):
                    yield part
            if sent >= 0 and tick.number == sent + 1:
                yield tick.rows
            else:  # new here, or too slow for every tick
                for first in itertools.count(0, MOST_ROWS):
                    frame = await asyncio.to_thread(self._slice, first)
                    if frame is None:
                        break
                    yield frame
            yield tick.health
            if tick.alert_changes != alerts:
                yield tick.alerts
            sent, alerts = tick.number, tick.alert_changes

    async def series(self, key: str, most_shown: int) -> AsyncGenerator[bytes, None]:
        """Give the view of one series, anew whenever it changes, until the end."""
        watched = self.board.watch(key)
        self._follower.look_back(key)
        try:
            sent, seen = -1, -1
            patient_until = asyncio.get_running_loop().time() + PATIENCE_SECONDS
            while (tick := await self._next(sent)) is not None:
                sent = tick.number
                if (
                    watched.history
                    and not watched.whole
                    and len(watched.history) < most_shown
                    and asyncio.get_running_loop().time() < patient_until
                ):
                    yield b": what was before is searched for\n\n"
                elif watched.changes != seen:
                    seen = watched.changes
                    yield await asyncio.to_thread(self._series_frame, key, most_shown)
                else:
                    yield b": nothing new\n\n"  # finds out that the browser is gone
        finally:
            self.board.leave(key)

    async def _next(self, after: int) -> Tick | None:
        async with self._ticked:
            while not self._ended and (self._tick is None or self._tick.number <= after):
                await self._ticked.wait()
            return None if self._ended else self._tick

    async def _send_home(self) -> None:
        async with self._ticked:
            self._ended = True
            self._ticked.notify_all()

    # ---------------------------------------------------------------- ticks

    async def _run(self) -> None:
        try:
            async with asyncio.TaskGroup() as together:
                together.create_task(self._go_on_ticking())
                together.create_task(self._look_closer())
        finally:  # by a fault too: the browsers come again, and get a new session
            await self._send_home()

    async def _go_on_ticking(self) -> None:
        for number in itertools.count():
            began = asyncio.get_running_loop().time()
            tick = await asyncio.to_thread(self._make, number, self._known.facts())
            async with self._ticked:
                self._tick = tick
                self._ticked.notify_all()
            taken = asyncio.get_running_loop().time() - began
            await asyncio.sleep(max(TICK_SECONDS / 10, TICK_SECONDS - taken))

    async def _look_closer(self) -> None:
        while True:
            await self._closer.go_on()
            if self._group is not None:
                await self._group.ask(self._follower.ends)
            await asyncio.sleep(TICK_SECONDS)

    def _make(self, number: int, worker: views.Worker) -> Tick:
        board, follower, group = self.board, self._follower, self._group
        alerts = board.alerts()
        changes = board.alert_changes
        opened = _opened(alerts)
        rows = self._rows(board.take_changed(MOST_ROWS), opened)
        health = views.health(
            rate=follower.rate,
            lag=follower.lag if group is None else group.lag(follower.lag),
            series=len(board.traces),
            open_alerts=sum(opened.values()),
            tally=board.tally,
            passed_over=follower.passed_over,
            passing=follower.passing,
            trouble=follower.trouble,
            untold=self._closer.trouble or (None if group is None else group.trouble),
            letters=dict(board.letters),
            older_letters=follower.older_letters,
            worker=worker,
            # What was told before would grow old unseen.
            members=None if group is None or group.trouble is not None else group.members,
            timezone=self._timezone,
        )
        if self._tick is not None and self._tick.alert_changes == changes:
            listed = self._tick.alerts
        else:
            listed = _event("alerts", views.alert_views(alerts, MOST_ALERTS))
        return Tick(number, _event("rows", rows), _event("health", health), listed, changes)

    def _slice(self, first: int) -> bytes | None:
        """Make so many lines of the list from this number on; ``None`` past the last."""
        found = self.board.take_all(first, MOST_ROWS)
        opened = _opened(self.board.alerts())
        return _event("rows", self._rows(found, opened)) if found else None

    def _rows(
        self, found: list[tuple[Trace, list[bytes]]], opened: dict[str, int]
    ) -> list[views.Row]:
        rows = []
        for trace, records in found:
            last = decoded(records)
            if last:
                with self._judging:  # ticks and new viewers come in threads of their own
                    skill = self._skills.follow(trace.number, last)
                rows.append(row(trace.number, trace.key, last, opened.get(trace.key, 0), skill))
        return rows

    def _series_frame(self, key: str, most_shown: int) -> bytes:
        records = decoded(self.board.records_of(key))
        if not records:
            return _event("unknown", key)
        mine = views.alert_views(
            (told for told in self.board.alerts() if told.newest.series == key), MOST_OF_SERIES
        )
        held = self._weighings.held(key, records)
        return _event("series", series_view(records, mine, held, most_shown=most_shown))


def _opened(alerts: Iterable[Told]) -> dict[str, int]:
    """Count the open episodes of each series that has some."""
    counts: dict[str, int] = {}
    for told in alerts:
        if told.newest.state == "open":
            counts[told.newest.series] = counts.get(told.newest.series, 0) + 1
    return counts


def _sensor_frames(sensors: Mapping[str, Sensor]) -> list[bytes]:
    every = [views.sensor_view(sensor) for _, sensor in sorted(sensors.items())][:MOST_SERIES]
    return [
        _event("sensors", views.Sensors(first == 0, every[first : first + MOST_SENSORS]))
        for first in range(0, max(1, len(every)), MOST_SENSORS)
    ]


def _event(name: str, data: object) -> bytes:
    return b"event: %s\ndata: %s\n\n" % (name.encode(), _encode(data))
