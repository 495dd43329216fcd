"""The console over HTTP: off by default, open files, guarded streams, what they carry."""

from __future__ import annotations

import asyncio
import json
import subprocess
import sys
from collections.abc import AsyncIterator, Callable, Mapping
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from aiohttp import ClientSession, ClientTimeout
from confluent_kafka import Consumer, Producer, TopicPartition
from prometheus_client import CollectorRegistry
from pydantic import SecretStr
from redis.asyncio import Redis
from stack.fixtures import Stack

from hedgerow.agents.ports import Partition, Progress
from hedgerow.app.broker.topic_admin import ensure_topics
from hedgerow.app.console.board import Board
from hedgerow.app.console.checkpoints import Checkpoints
from hedgerow.app.console.files import NO_LIBRARY, page_files
from hedgerow.app.console.follower import Follower
from hedgerow.app.console.lag import GroupLag
from hedgerow.app.console.looks import Look, look
from hedgerow.app.console.routes import Console
from hedgerow.app.console.views import Sample, Worker
from hedgerow.app.service.http import HttpServer
from hedgerow.app.settings import HttpSettings, KafkaSettings, Settings, TopicSettings
from hedgerow.app.state.admin import whole
from hedgerow.app.state.store import RedisStateStore
from hedgerow.models import CityModel, Learner, Profile
from hedgerow.topics import (
    Alert,
    Forecast,
    Prediction,
    Sensor,
    decode_prediction,
    format_time,
    make_alert,
)
from hedgerow.topics.encode import encode_record

TOKEN = "a token of more than sixteen characters"
HOUR = 3_600_000
NOBODY = KafkaSettings(bootstrap_servers="127.0.0.1:1")


class Nothing:
    """A worker that holds no partition."""

    def facts(self) -> Worker:
        return Worker([], 0, None, 0, None, None)

    def look(self, sensor_id: str, quantity: str) -> Look | None:
        return None

    def past(self, sensor_id: str, quantity: str) -> list[Sample]:
        return []


class OneSeries(Nothing):
    """A worker that has learned one series for a day."""

    def __init__(self, sensor_id: str) -> None:
        self._learner = Learner(CityModel(profiles=(Profile("all", period_seconds=3600),)))
        for at in range(24):
            when, value, offset = np.array([at * HOUR]), np.array([at % 5.0]), np.array([at])
            self._learner.step([sensor_id], [""], when, value, offset)

    def look(self, sensor_id: str, quantity: str) -> Look | None:
        return look(self._learner, sensor_id, quantity)


@asynccontextmanager
async def serving(
    settings: Settings,
    known: Nothing | None = None,
    *,
    linger_seconds: float = 30.0,
    sensors: Callable[[], Mapping[str, Sensor]] = dict,
    checkpoints: Checkpoints | None = None,
) -> AsyncIterator[tuple[str, Console]]:
    console = Console(
        settings,
        known or Nothing(),
        linger_seconds=linger_seconds,
        sensors=sensors,
        checkpoints=checkpoints,
    )
    server = HttpServer(
        settings.http, registry=CollectorRegistry(), not_ready=lambda: None, page=console
    )
    host, port = await server.start()
    try:
        yield f"http://{host}:{port}", console
    finally:
        await server.stop()


def with_console(token: str | None = None, **sections: Any) -> Settings:
    secret = None if token is None else SecretStr(token)
    http = HttpSettings(port=0, console=True, token=secret)
    return Settings(**{"kafka": NOBODY, "http": http, **sections})


async def ask(url: str, method: str = "GET", **headers: str) -> tuple[int, str, dict[str, str]]:
    async with (
        ClientSession() as session,
        session.request(method, url, headers=headers, allow_redirects=False) as got,
    ):
        return got.status, await got.text(), dict(got.headers)


async def test_it_is_off_unless_asked_for() -> None:
    assert not HttpSettings().console
    settings = Settings(kafka=NOBODY, http=HttpSettings(port=0))
    server = HttpServer(settings.http, registry=CollectorRegistry(), not_ready=lambda: None)
    host, port = await server.start()
    for path in ("/", "/console", "/console/", "/console/app.js", "/console/live"):
        assert (await ask(f"http://{host}:{port}{path}"))[0] == 404
    await server.stop()


def test_nothing_of_it_is_imported_where_it_is_off() -> None:
    code = (
        "import sys; import hedgerow.app.service.worker; "
        "print(any(name.startswith('hedgerow.app.console') for name in sys.modules))"
    )
    told = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert told.stdout.strip() == "False"


async def test_the_page_and_all_it_names_are_served_with_their_headers() -> None:
    async with serving(with_console()) as (url, _):
        for short in ("/", "/console"):
            status, _, headers = await ask(f"{url}{short}")
            assert (status, headers["Location"]) == (302, "console/")
        status, page, headers = await ask(f"{url}/console/")
        assert status == 200
        assert headers["Content-Type"] == "text/html; charset=utf-8"
        policy = headers["Content-Security-Policy"]
        assert "default-src 'none'" in policy
        assert "unsafe" not in policy
        assert "http" not in policy
        assert headers["X-Frame-Options"] == "DENY"
        assert headers["X-Content-Type-Options"] == "nosniff"
        for name in ("console.css", "app.js", "vendor/uplot.js", "vendor/uplot.css", "icon.svg"):
            assert f'"{name}"' in page
            assert (await ask(f"{url}/console/{name}"))[0] == 200, name


@pytest.mark.parametrize("name", sorted(page_files()))
def test_no_file_names_another_machine_or_holds_style_or_script_of_its_own(name: str) -> None:
    text = page_files()[name].body.decode()
    if name.startswith("vendor/"):
        text = text.replace("https://github.com/leeoniya/uPlot", "")
    assert "://" not in text.replace("http://www.w3.org/2000/svg", "")
    if name.endswith(".html"):
        assert "style=" not in text
        assert "<style" not in text
        assert " on" + "click" not in text


async def test_with_a_token_the_files_are_open_and_the_streams_are_not() -> None:
    async with serving(with_console(TOKEN)) as (url, console):
        for path in ("/", "/console", "/console/", "/console/app.js", "/console/console.css"):
            assert (await ask(f"{url}{path}"))[0] in {200, 302}, path
        for path in ("/console/live", "/console/series?key=a", "/console/other", "/metrics"):
            assert (await ask(f"{url}{path}"))[0] == 401, path
            wrong = await ask(f"{url}{path}", Authorization=f"Bearer {TOKEN}x")
            assert wrong[0] == 401, path
        assert (await ask(f"{url}/console/live?token={TOKEN.replace(' ', '+')}"))[0] == 401
        assert not console.followed, "nobody was let in, so nothing is read"


@pytest.mark.parametrize(
    ("host", "token", "warned"),
    [("0.0.0.0", None, True), ("0.0.0.0", TOKEN, False), ("127.0.0.1", None, False)],
)
def test_a_console_that_strangers_may_reach_is_warned_of(
    host: str, token: str | None, warned: bool, caplog: pytest.LogCaptureFixture
) -> None:
    secret = None if token is None else SecretStr(token)
    Console(Settings(kafka=NOBODY, http=HttpSettings(host=host, token=secret)), Nothing())
    assert ("set http.token_file" in caplog.text) == warned


@pytest.mark.parametrize("method", ["POST", "PUT", "PATCH", "DELETE"])
@pytest.mark.parametrize("path", ["/", "/console/", "/console/live", "/console/series?key=a"])
async def test_nothing_can_be_changed(method: str, path: str) -> None:
    async with serving(with_console()) as (url, _):
        assert (await ask(f"{url}{path}", method))[0] == 405


@pytest.mark.parametrize("path", ["/console/series", "/console/series?key=a&shown=many"])
async def test_a_wrong_question_is_answered_with_what_would_be_right(path: str) -> None:
    async with serving(with_console()) as (url, _):
        assert (await ask(f"{url}{path}"))[0] == 400


def test_without_its_chart_library_it_says_how_to_get_it(
    tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    (tmp_path / "index.html").write_text("<!doctype html>")
    assert list(page_files(tmp_path)) == ["index.html"]
    assert NO_LIBRARY in caplog.text
    assert "make charts" in NO_LIBRARY


# ---------------------------------------------------------------- streams


class Events:
    """A stream of server-sent events."""

    def __init__(self, session: ClientSession, url: str) -> None:
        self._session = session
        self._url = url

    async def __aenter__(self) -> Events:
        self.response = await self._session.get(self._url)
        assert self.response.headers["Content-Type"] == "text/event-stream"
        return self

    async def __aexit__(self, *_: object) -> None:
        self.response.close()

    async def next(self, wanted: str) -> Any:
        """Return the next event of this name."""
        start = f"event: {wanted}\ndata: "
        while block := (await self.response.content.readuntil(b"\n\n")).decode():
            if block.startswith(start):
                return json.loads(block.removeprefix(start))
        raise AssertionError(f"the stream ended before {wanted}")


@pytest.fixture
def settings(stack: Stack, request: pytest.FixtureRequest) -> Settings:
    name = f"t{abs(hash(request.node.name))}"
    chosen = with_console(
        kafka=KafkaSettings(bootstrap_servers=stack.bootstrap),
        group=name,
        topics=TopicSettings(
            readings=name, predictions=f"{name}-p", alerts=f"{name}-a", dead_letters=f"{name}-d",
            partitions=2,
        ),
    )  # fmt: skip
    ensure_topics(chosen)
    return chosen


def prediction(series: str, at: int, observed: float) -> Prediction:
    ahead = tuple(
        Forecast(h, format_time((at + h) * HOUR), observed, observed, observed - 1, observed + 1)
        for h in (1, 3)
    )
    return Prediction(
        f"in:0:{at}:{series}", series, series, None, at, format_time(at * HOUR), observed, "all",
        ahead,
    )  # fmt: skip


def publish(settings: Settings, *records: Prediction | Alert) -> None:
    producer = Producer({"bootstrap.servers": settings.kafka.bootstrap_servers})
    for record in records:
        key, value = encode_record(record)
        topics = settings.topics
        topic = topics.alerts if isinstance(record, Alert) else topics.predictions
        producer.produce(topic, value, key)
    assert producer.flush(30) == 0


async def test_what_stands_on_the_topics_and_what_comes_is_told(settings: Settings) -> None:
    publish(settings, *(prediction("a", at, float(at)) for at in range(10)))
    async with (
        serving(settings) as (url, _),
        ClientSession() as session,
        Events(session, f"{url}/console/live") as live,
        asyncio.timeout(30),
    ):
        while not (rows := await live.next("rows")):
            pass
        assert [row[1:3] for row in rows] == [["a", 9.0]]
        assert rows[0][4:6] == [8.0, True], "the forecast that was made for it"
        publish(settings, prediction("a", 10, 10.5), prediction("b", 3, 4.5))
        seen = {}
        while set(seen) < {"a", "b"} or seen["a"] != 10.5:
            seen |= {row[1]: row[2] for row in await live.next("rows")}
        assert seen == {"a": 10.5, "b": 4.5}
        health = await live.next("health")
        assert (health["series"], health["records"], health["repeats"]) == (2, 12, 0)
        publish(settings, prediction("a", 10, 10.5))
        while (await live.next("health"))["repeats"] == 0:
            pass


async def test_the_registry_is_told_in_parts_and_anew_when_it_has_changed(
    settings: Settings, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("hedgerow.app.console.session.MOST_SENSORS", 2)
    known = {
        "now": {
            "a": Sensor("a", name="A", unit="m", kind="tide", zone="sea", longitude=1, latitude=2),
            "b": Sensor("b", x=3.0, y=4.0),
            "c": Sensor("c"),
        }
    }
    async with (
        serving(settings, sensors=lambda: known["now"]) as (url, _),
        ClientSession() as session,
        Events(session, f"{url}/console/live") as live,
        asyncio.timeout(30),
    ):
        first, second = await live.next("sensors"), await live.next("sensors")
        assert first == {
            "first": True,
            "sensors": [
                ["a", "A", "tide", "sea", "m", [1.0, 2.0], True],
                ["b", "", "", "", "", [3.0, 4.0], False],
            ],
        }
        assert second == {"first": False, "sensors": [["c", "", "", "", "", None, False]]}
        known["now"] = {}
        assert await live.next("sensors") == {"first": True, "sensors": []}


async def test_a_chosen_series_is_searched_for_in_the_log(settings: Settings) -> None:
    publish(settings, *(prediction("a", at, float(at)) for at in range(100)))
    publish(settings, *(prediction(f"other-{at}", at, 0.0) for at in range(500)))
    async with (
        serving(settings, OneSeries("a")) as (url, _),
        ClientSession() as session,
        Events(session, f"{url}/console/series?key=a&shown=60") as stream,
        asyncio.timeout(30),
    ):
        assert await stream.next("unknown") == "a", "nothing has been read yet"
        while (
            len((view := await stream.next("series"))["times"]) < 60  # not at once
            or view["held"] is None
        ):
            pass
    assert view["observed"] == [float(at) for at in range(40, 100)]
    one = view["made"][0]
    assert (one["horizon"], one["lead_seconds"], one["error"]) == (1, 3600.0, 1.0)
    assert [against["reference"] for against in one["against"]] == ["persistence", "day"]
    assert [forecast["at"] for forecast in view["ahead"]] == [100 * HOUR, 102 * HOUR]
    assert view["held"]["lifetime"][0]["labels"] == 23
    assert sum(row[-1] for row in view["held"]["weights"][0]["weights"]) == pytest.approx(1.0)


async def test_the_chart_of_a_chosen_series_begins_with_its_past(settings: Settings) -> None:
    publish(settings, *(prediction("a", at, float(at)) for at in range(200)))
    async with (
        serving(settings) as (url, _),
        ClientSession() as session,
        Events(session, f"{url}/console/live") as live,
        asyncio.timeout(30),
    ):
        while (await live.next("health"))["records"] < 200:
            pass
        async with Events(session, f"{url}/console/series?key=a&shown=150") as stream:
            view = await stream.next("series")
    assert view["observed"] == [float(at) for at in range(50, 200)]


async def test_where_records_are_passed_over_a_chosen_series_is_searched_for_again(
    settings: Settings, monkeypatch: pytest.MonkeyPatch
) -> None:
    for name, value in (("MOST_BEHIND", 300), ("LAND_BEHIND", 50), ("MOST_A_SECOND", 2_000)):
        monkeypatch.setattr(f"hedgerow.app.console.follower.{name}", value)
    monkeypatch.setattr("hedgerow.app.console.follower.AT_ONCE", 20)
    publish(settings, *(prediction("a", at, float(at)) for at in range(100)))
    board = Board()
    follower = Follower(settings, board)
    follower.start()
    async with asyncio.timeout(60):
        while not (follower.caught_up and "a" in board.traces):
            await asyncio.sleep(0.01)
        board.watch("a")
        follower.look_back("a")
        for first in range(100, 6_000, 100):
            publish(settings, *(prediction("a", at, float(at)) for at in range(first, first + 100)))
            offsets = [decode_prediction(one).source_offset for one in board.records_of("a")]
            assert offsets == [*range(offsets[0], offsets[-1] + 1)], "a jump"
        while not follower.passed_over or len(offsets) < 900 or offsets[-1] < 5_999:
            await asyncio.sleep(0.05)
            offsets = [decode_prediction(one).source_offset for one in board.records_of("a")]
            assert offsets == [*range(offsets[0], offsets[-1] + 1)], "a jump"
    follower.stop()
    assert follower.trouble is None


async def test_of_a_series_of_another_worker_it_tells_what_the_last_checkpoint_holds(
    settings: Settings, stack: Stack
) -> None:
    city = CityModel((Profile("all", period_seconds=3600, bound_upper=50.0),))
    learner = Learner(city)
    for at in range(30):
        when, value = np.array([at * HOUR]), np.array([at % 5.0 if at < 29 else 99.0])
        learner.step(["a"], [""], when, value, np.array([at]))
    redis = Redis.from_url(stack.redis_url)
    store = RedisStateStore(redis, prefix=settings.group, group=settings.group)
    claim = await store.claim(Partition("in", 0))
    await store.save(claim, whole(learner, 0, 30, "", Progress()))
    publish(settings, *(prediction("a", at, float(at)) for at in range(30)))
    publish(
        settings,
        make_alert(
            "in", 0, "a", "", 29, kind="bound", severity="critical", state="open",
            opening_offset=29, opened_ms=29 * HOUR, at_ms=29 * HOUR, observed=99.0, expected=4.0,
            lower=None, upper=50.0, message="99, above the declared upper bound 50",
        ),
    )  # fmt: skip
    async with (
        serving(settings, checkpoints=Checkpoints(store, city)) as (url, _),
        ClientSession() as session,
        Events(session, f"{url}/console/series?key=a") as stream,
        Events(session, f"{url}/console/live") as live,
        asyncio.timeout(60),
    ):
        while not (told := await live.next("alerts")) or told[0]["carried"] is None:
            pass
        while (view := await stream.next("series"))["held"] is None:
            pass
    carried = told[0]["carried"]
    assert carried["words"].startswith("the expert")
    assert "from a usual level of " in carried["words"]
    assert (carried["stored"], carried["exact"], carried["at"]) == (True, False, 29 * HOUR)
    assert (view["held"]["generation"], view["held"]["at"]) == (1, 29 * HOUR)
    assert view["held"]["lifetime"][0]["labels"] == 29
    await redis.aclose()


async def test_records_by_somebody_else_are_passed_over(settings: Settings) -> None:
    producer = Producer({"bootstrap.servers": settings.kafka.bootstrap_servers})
    head = {"series": "a", "source_offset": 1, "issued_at": "2026-01-01T00:00:00Z"}
    for odd in (head, {**head, "source_offset": 2, "issued_at": "today"}, [], 7):
        producer.produce(settings.topics.predictions, json.dumps(odd).encode(), b"a")
    assert producer.flush(30) == 0
    publish(settings, prediction("a", 500_000, 4.0))
    async with (
        serving(settings) as (url, _),
        ClientSession() as session,
        Events(session, f"{url}/console/series?key=a") as stream,
        Events(session, f"{url}/console/live") as live,
        asyncio.timeout(30),
    ):
        assert (await stream.next("series"))["observed"] == [4.0]
        while (await live.next("health"))["unreadable"] != 2:
            pass


async def test_a_session_that_broke_is_followed_by_another(
    settings: Settings, monkeypatch: pytest.MonkeyPatch
) -> None:
    known = Nothing()
    async with serving(settings, known) as (url, console), ClientSession() as session:
        async with Events(session, f"{url}/console/live") as live, asyncio.timeout(30):
            await live.next("health")
            broken = console._session
            assert broken is not None
            assert broken._ticking is not None
            broken._ticking.cancel()
            with pytest.raises((asyncio.IncompleteReadError, AssertionError)):
                while True:
                    await live.next("health")
        async with Events(session, f"{url}/console/live") as live, asyncio.timeout(30):
            await live.next("health")
            assert console._session is not broken


async def test_the_lag_of_the_group_is_what_it_has_committed_before_the_end(
    settings: Settings,
) -> None:
    topic, servers = settings.topics.readings, settings.kafka.bootstrap_servers
    producer = Producer({"bootstrap.servers": servers})
    for _ in range(10):
        producer.produce(topic, b"x", b"k", partition=0)
        producer.flush(30)  # a batch of one each: the embedded broker knows of those before
    lag = GroupLag(settings.kafka, settings.group, topic)
    assert lag.measure() is None, "nothing has been committed"
    committer = Consumer({"bootstrap.servers": servers, "group.id": settings.group})
    committer.commit(offsets=[TopicPartition(topic, 0, 4)], asynchronous=False)
    committer.close()
    assert lag.measure() == 6
    assert GroupLag(NOBODY, settings.group, topic).measure() is None


async def test_it_has_caught_up_only_when_it_has_read_what_was_there(settings: Settings) -> None:
    for first in range(0, 3_000, 100):  # small batches: the embedded broker's end is that of one
        publish(settings, *(prediction("a", at, 1.0) for at in range(first, first + 100)))
    board = Board()
    follower = Follower(settings, board)
    follower.start()
    async with asyncio.timeout(30):
        while not follower.caught_up:
            await asyncio.sleep(0.001)
    assert board.tally.records > 1_500, "so many that it is not far from the end"
    async with asyncio.timeout(30):
        while board.tally.records < 3_000:
            await asyncio.sleep(0.01)
    follower.stop()
    assert follower.passed_over == 0
    assert follower.trouble is None


async def test_nothing_is_read_while_nobody_looks(settings: Settings) -> None:
    async with (
        serving(settings, linger_seconds=0.3) as (url, console),
        ClientSession() as session,
    ):
        assert not console.followed
        async with Events(session, f"{url}/console/live") as live, asyncio.timeout(30):
            await live.next("health")
            assert console.followed
        async with asyncio.timeout(10):
            while console.followed:
                await asyncio.sleep(0.05)
        async with Events(session, f"{url}/console/live") as live, asyncio.timeout(30):
            await live.next("health")
            assert console.followed


async def test_the_worker_ends_while_somebody_looks(settings: Settings) -> None:
    async with ClientSession(timeout=ClientTimeout(30)) as session:
        async with serving(settings) as (url, console):
            live = await session.get(f"{url}/console/live")
            await live.content.readuntil(b"\n")
        assert not console.followed
        async with asyncio.timeout(5):
            while await live.content.read(1_000):
                pass


async def test_a_broker_that_does_not_answer_is_said_on_the_page() -> None:
    async with (
        serving(with_console()) as (url, _),
        ClientSession() as session,
        Events(session, f"{url}/console/live") as live,
        asyncio.timeout(30),
    ):
        while "127.0.0.1:1" not in (told := (await live.next("health"))["trouble"]):
            pass
    assert told.startswith("no Kafka broker answers")
