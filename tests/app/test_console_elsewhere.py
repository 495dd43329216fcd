"""A series that another worker learns: what the page tells of it, out of stored checkpoints."""

from __future__ import annotations

import uuid
from collections.abc import AsyncIterator
from dataclasses import replace

import numpy as np
import pytest
from redis.asyncio import Redis
from stack.fixtures import Stack

from hedgerow.agents.errors import StoreCorrupt
from hedgerow.agents.ports import NoProbe, Partition, Progress
from hedgerow.app.console.asking import Asking
from hedgerow.app.console.board import Board
from hedgerow.app.console.checkpoints import Checkpoints
from hedgerow.app.console.closer import AGAIN_SECONDS, ANSWER_SECONDS, Closer
from hedgerow.app.console.insight import ASK_SECONDS, Insight
from hedgerow.app.console.looks import Look, Whose, look
from hedgerow.app.console.views import Sample
from hedgerow.app.console.weighings import Weighings
from hedgerow.app.explain.tell import carriers
from hedgerow.app.state.admin import whole
from hedgerow.app.state.store import RedisStateStore
from hedgerow.models import AlertEvent, CityModel, Learner, Profile, Registry
from hedgerow.models.explanation.explain import explain
from hedgerow.models.registry import SensorFacts
from hedgerow.topics import Forecast, Prediction, format_time, make_alert
from hedgerow.topics.encode import encode_record

HOUR = 3_600_000
START = 1_767_225_600_000
SERIES = 150  # three chunks of rows
PARTITION = Partition("readings", 3)
WHOSE = Whose(PARTITION, "s-100", "")
CITY = CityModel(
    (Profile("hourly", period_seconds=3600.0, experts=("lean",), bound_upper=60.0),)
)  # fmt: skip


class Nowhere:
    """A worker that learns nothing of what is looked at."""

    def look(self, sensor_id: str, quantity: str) -> Look | None:
        return None

    def past(self, sensor_id: str, quantity: str) -> list[Sample] | None:
        return None


class Elsewhere:
    """A worker that learns some series and stores checkpoints."""

    def __init__(self, redis: Redis) -> None:
        self.redis = redis
        self.store = RedisStateStore(
            redis, prefix=uuid.uuid4().hex, group="g", probe=NoProbe(), keep=3
        )
        registry = Registry({"s-100": SensorFacts(kind="tide", bound_upper=50.0)})
        self.learner = Learner(CITY, registry=registry)
        self.hour = 0
        self.generation = 0

    def learn(self, hours: int, value: float | None = None) -> list[AlertEvent]:
        """Learn so many hours of all series; all values are usual unless one is given."""
        alerts: list[AlertEvent] = []
        for hour in range(self.hour, self.hour + hours):
            n = np.arange(SERIES)
            values = 20.0 + n / 10 + 8 * np.sin(hour * np.pi / 12) + (hour * 7919 + n) % 13 / 4
            if value is not None:
                values[100] = value
            names = [f"s-{one}" for one in n]
            at = np.full(SERIES, START + hour * HOUR)
            alerts += self.learner.step(names, [""] * SERIES, at, values, n + SERIES * hour).alerts
        self.hour += hours
        return [one for one in alerts if one.sensor_id == "s-100"]

    async def save(self) -> None:
        claim = await self.store.claim(PARTITION)
        offset = self.hour * SERIES
        done = whole(self.learner, self.generation, offset, "", Progress())
        self.generation = await self.store.save(claim, done)


@pytest.fixture
async def elsewhere(embedded_stack: Stack) -> AsyncIterator[Elsewhere]:
    redis = Redis.from_url(embedded_stack.redis_url)
    yield Elsewhere(redis)
    await redis.aclose()


@pytest.fixture
def now() -> list[float]:
    return [1_000.0]


@pytest.fixture
def insight(elsewhere: Elsewhere, now: list[float]) -> Insight:
    return Insight(Nowhere(), Checkpoints(elsewhere.store, CITY), clock=lambda: now[0])


async def test_a_series_of_another_worker_is_seen_as_it_was_stored(
    elsewhere: Elsewhere, insight: Insight
) -> None:
    elsewhere.learn(60)
    await elsewhere.save()
    mine = look(elsewhere.learner, "s-100", "")
    assert mine is not None
    explained = explain(elsewhere.learner, "s-100")
    elsewhere.learn(1)  # not stored
    seen = await insight.now(WHOSE)
    assert seen is not None
    assert (seen.generation, seen.at) == (1, START + 59 * HOUR)
    assert seen.scores == mine.scores
    single = seen.standing
    assert explain_again(seen) == explained
    assert len(single.bank.rows) < SERIES, "one row was restored, not all"
    assert await insight.now(Whose(PARTITION, "nobody", "")) is None
    assert await insight.now(Whose(Partition("readings", 4), "s-100", "")) is None


def explain_again(seen: Look) -> object:
    from hedgerow.models.explanation.explain import explain_standing

    return explain_standing(seen.standing)


async def test_a_later_checkpoint_is_seen_and_the_kept_ones_are_the_past(
    elsewhere: Elsewhere, insight: Insight, now: list[float]
) -> None:
    stored = []
    for hours in (60, 5, 7):
        elsewhere.learn(hours)
        await elsewhere.save()
        seen = look(elsewhere.learner, "s-100", "")
        assert seen is not None
        stored.append(seen.scores[0].weights)
        now[0] += ASK_SECONDS + 1
        newest = await insight.now(WHOSE)
        assert newest is not None
        assert newest.scores[0].weights == stored[-1]
    past = await insight.past(WHOSE)
    assert [one.generation for one in past] == [1, 2, 3]
    assert [one.at for one in past] == [START + (n - 1) * HOUR for n in (60, 65, 72)]
    weighings = Weighings()
    assert weighings.note("s-100", WHOSE, past)
    assert not weighings.note("s-100", WHOSE, past[-1:])
    held = weighings.held("s-100")
    assert held is not None
    weights = held.weights[0]
    assert weights.times == [one.at for one in past]
    assert [row[0] for row in weights.weights] == [stored[0][name] for name in weights.experts]
    assert (held.at, held.generation) == (past[-1].at, 3)


# ---------------------------------------------------------------- alerts


def record(hour: int, *forecasts: Forecast) -> bytes:
    offset = hour * SERIES + 100
    return encode_record(
        Prediction(
            f"readings:3:{offset}:s-100", "s-100", "s-100", None, offset,
            format_time(START + hour * HOUR), 25.0, "hourly", forecasts,
        )
    )[1]  # fmt: skip


def published(event: AlertEvent) -> bytes:
    offset = event.opening_offset
    return encode_record(
        make_alert(
            "readings", 3, "s-100", "", offset, kind=event.kind, severity="critical",
            state="open", opening_offset=offset, opened_ms=event.opened_ms, at_ms=event.at_ms,
            observed=event.observed, expected=event.expected, lower=None, upper=50.0,
            message=event.message,
        )
    )[1]  # fmt: skip


async def test_an_alert_tells_who_carried_its_forecast_by_the_checkpoint_before(
    elsewhere: Elsewhere, insight: Insight
) -> None:
    elsewhere.learn(60)
    await elsewhere.save()
    carried = carriers(explain(elsewhere.learner, "s-100").forecasts[0])
    (alert,) = (one for one in elsewhere.learn(1, value=77.0) if one.kind == "bound")
    await elsewhere.save()
    board = Board()
    board.alert(published(alert))
    await Closer(board, insight, Weighings()).go_on()
    (told,) = board.alerts()
    assert told.carried is not None
    assert (told.carried.words, told.carried.exact) == (carried, True)
    assert (told.carried.stored, told.carried.at) == (True, START + 59 * HOUR)


async def test_of_an_alert_long_open_it_tells_who_carries_the_forecast_at_the_last_checkpoint(
    elsewhere: Elsewhere, insight: Insight
) -> None:
    elsewhere.learn(60)
    (alert,) = (one for one in elsewhere.learn(1, value=77.0) if one.kind == "bound")
    elsewhere.learn(3, value=77.0)
    await elsewhere.save()
    board = Board()
    board.alert(published(alert))
    changes = board.alert_changes
    await Closer(board, insight, Weighings()).go_on()
    (told,) = board.alerts()
    assert told.carried is not None
    words = carriers(explain(elsewhere.learner, "s-100").forecasts[0])
    assert (told.carried.words, told.carried.exact) == (words, False)
    assert (told.carried.stored, told.carried.at) == (True, START + 63 * HOUR)
    assert board.alert_changes == changes + 1, "or no browser is told"


async def test_where_nothing_is_stored_yet_it_is_tried_again(
    elsewhere: Elsewhere, insight: Insight, now: list[float]
) -> None:
    elsewhere.learn(60)
    (alert,) = (one for one in elsewhere.learn(1, value=77.0) if one.kind == "bound")
    board = Board()
    board.alert(published(alert))
    closer = Closer(board, insight, Weighings(), clock=lambda: now[0])
    await closer.go_on()
    assert board.alerts()[0].carried is None
    await elsewhere.save()
    now[0] += AGAIN_SECONDS / 2
    await closer.go_on()
    assert board.alerts()[0].carried is None, "not asked for all the time"
    now[0] += AGAIN_SECONDS
    await closer.go_on()
    assert board.alerts()[0].carried is not None


async def test_what_was_learned_by_other_profiles_is_said_to_be_so(elsewhere: Elsewhere) -> None:
    elsewhere.learn(60)
    await elsewhere.save()
    other = replace(CITY, profiles=(replace(CITY.profiles[0], horizons=(1, 2)),))
    board = Board()
    board.prediction(record(59), 0)
    board.watch("s-100")
    closer = Closer(board, Insight(Nowhere(), Checkpoints(elsewhere.store, other)), Weighings())
    await closer.go_on()
    assert closer.trouble == "the snapshot was learned by other profiles than those of now"


async def test_a_chosen_series_has_its_past_at_once(elsewhere: Elsewhere, insight: Insight) -> None:
    for hours in (60, 5):
        elsewhere.learn(hours)
        await elsewhere.save()
    board, weighings = Board(), Weighings()
    board.prediction(record(64), 0)
    watched = board.watch("s-100")
    changes = watched.changes
    closer = Closer(board, insight, weighings)
    await closer.go_on()
    held = weighings.held("s-100")
    assert held is not None
    assert held.weights[0].times == [START + 59 * HOUR, START + 64 * HOUR]
    assert watched.changes == changes + 1
    await closer.go_on()
    assert watched.changes == changes + 1, "nothing is new"


@pytest.fixture
async def asking(embedded_stack: Stack) -> AsyncIterator[Asking]:
    redis = Redis.from_url(embedded_stack.redis_url)
    yield Asking(redis, prefix=uuid.uuid4().hex, group="g")
    await redis.aclose()


async def chosen(
    elsewhere: Elsewhere, asking: Asking, now: list[float]
) -> tuple[Closer, Weighings]:
    """Let somebody choose a series that is stored, and whose worker has not answered yet."""
    elsewhere.learn(60)
    await elsewhere.save()
    insight = Insight(Nowhere(), Checkpoints(elsewhere.store, CITY), asking)
    board, weighings = Board(), Weighings()
    board.prediction(record(59), 0)
    board.watch("s-100")
    closer = Closer(board, insight, weighings, clock=lambda: now[0])
    await closer.go_on()
    return closer, weighings


async def test_the_worker_that_learns_a_series_is_asked_how_it_was_weighed_before(
    elsewhere: Elsewhere, asking: Asking, now: list[float]
) -> None:
    closer, weighings = await chosen(elsewhere, asking, now)
    held = weighings.held("s-100")
    assert held is not None
    assert held.weights[0].times == [START + 59 * HOUR], "nobody has answered yet"

    def past(sensor_id: str, quantity: str) -> list[Sample]:
        assert (sensor_id, quantity) == ("s-100", "")
        return [(START + hour * HOUR, {1: {"day": 0.25, "rls": 0.75}}) for hour in (10, 30)]

    await asking.answer([Partition("readings", 2)], past)
    await asking.answer([PARTITION], past)
    await closer.go_on()
    held = weighings.held("s-100")
    assert held is not None
    weights = held.weights[0]
    assert weights.times == [START + hour * HOUR for hour in (10, 30, 59)]
    assert weights.weights[weights.experts.index("day")][:2] == [0.25, 0.25]


async def test_a_question_is_answered_once_and_by_who_knows(asking: Asking) -> None:
    answered: list[str] = []

    def past(sensor_id: str, _: str) -> list[Sample] | None:
        answered.append(sensor_id)
        return None if sensor_id == "unknown" else [(START, {1: {"day": 1.0}})]

    unknown = Whose(PARTITION, "unknown", "")
    for whose in (WHOSE, unknown):
        assert await asking.ask(whose) is None
    for _ in range(3):
        await asking.answer([PARTITION], past)
    assert answered == ["s-100", "unknown"]
    assert await asking.ask(WHOSE) == [(START, {1: {"day": 1.0}})]
    assert await asking.ask(unknown) is None, "asked again"
    await asking.answer([PARTITION], past)
    assert answered == ["s-100", "unknown", "unknown"]


async def test_a_series_that_is_learned_here_is_looked_at_once_and_asked_of_nobody(
    elsewhere: Elsewhere, asking: Asking, now: list[float]
) -> None:
    elsewhere.learn(60)
    looked: list[str] = []

    class Here:
        def look(self, sensor_id: str, quantity: str) -> Look | None:
            looked.append(sensor_id)
            return look(elsewhere.learner, sensor_id, quantity)

        def past(self, sensor_id: str, quantity: str) -> list[Sample] | None:
            return [(START, {1: {"day": 1.0}})]

    board, weighings = Board(), Weighings()
    board.prediction(record(59), 0)
    board.watch("s-100")
    await Closer(board, Insight(Here(), None, asking), weighings, clock=lambda: now[0]).go_on()
    held = weighings.held("s-100")
    assert held is not None
    assert held.weights[0].times == [START, START + 59 * HOUR]
    assert looked == ["s-100"]
    asked: list[str] = []
    await asking.answer([PARTITION], lambda sensor_id, _: asked.append(sensor_id))
    assert not asked


@pytest.mark.parametrize("generation", [1, 3])
async def test_a_damaged_checkpoint_is_passed_over_unless_it_is_the_newest(
    elsewhere: Elsewhere, insight: Insight, generation: int
) -> None:
    for _ in range(3):
        elsewhere.learn(60)
        await elsewhere.save()
    [damaged] = [
        one
        for one in [
            await elsewhere.store._manifest(PARTITION),
            *await elsewhere.store._before(PARTITION),
        ]
        if one is not None and one.generation == generation
    ]
    await elsewhere.redis.delete(*damaged.chunks.values())
    if generation == 3:
        with pytest.raises(StoreCorrupt):
            await insight.past(WHOSE)
    else:
        assert [one.generation for one in await insight.past(WHOSE)] == [2, 3]


async def test_where_nobody_answers_the_checkpoints_are_the_past(
    elsewhere: Elsewhere, asking: Asking, now: list[float]
) -> None:
    closer, weighings = await chosen(elsewhere, asking, now)
    now[0] += ANSWER_SECONDS + 1
    await asking.answer([PARTITION], lambda *_: [(START, {1: {"day": 1.0}})])
    await closer.go_on()  # too late
    held = weighings.held("s-100")
    assert held is not None
    assert held.weights[0].times == [START + 59 * HOUR]
