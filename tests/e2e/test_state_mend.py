"""`hedgerow state`: series looked at, begun anew, gone back: exactly, and fenced from workers."""

from __future__ import annotations

import asyncio
import json
import subprocess
from collections.abc import AsyncIterator, Iterator

import pytest
from faults.log.city import City, build_city
from faults.log.logs import Entry, read, write
from faults.log.scenario import HOUR, RULES, START_MS, iso
from faults.run.driver import Run
from stack.fixtures import Stack

from hedgerow.agents.errors import Fenced
from hedgerow.agents.ports import Checkpoint, Claim, Partition, Stored
from hedgerow.app.broker.readings_log import LogFacts
from hedgerow.app.broker.spans import Span
from hedgerow.app.city import city_model
from hedgerow.app.settings import Gap, Settings, load_settings
from hedgerow.app.state import mend
from hedgerow.app.state.admin import state_admin
from hedgerow.app.state.kept import KeptStates, NotKept
from hedgerow.app.state.mend import Mender, NotMended, Sight, mender
from hedgerow.app.state.series_rollback import plan_series_rollback, rollback_series
from hedgerow.models import Learner
from hedgerow.topics import decode_prediction

CITY = """\
[[profiles]]
name = "hourly"
period_seconds = 3600
experts = ["lean"]
"""
SENSORS = ("h00", "h01", "h02")
FIRST, THEN = 150, 50  # hours

pytestmark = [
    pytest.mark.timeout(600),
    pytest.mark.parametrize("stack", ["embedded_stack"], indirect=True, scope="session"),
]


def entries(hours: range) -> list[Entry]:
    found = []
    for hour in hours:
        at = START_MS + hour * HOUR
        for n, sensor in enumerate(SENSORS):
            value = 20.0 + (hour * (n + 1)) % 24 + hour % 7 / 10
            body = {"sensor_id": sensor, "timestamp": iso(at), "value": value}
            found.append(Entry(0, at, sensor.encode(), json.dumps(body).encode()))
    return found


@pytest.fixture
def run(
    stack: Stack, tmp_path_factory: pytest.TempPathFactory, monkeypatch: pytest.MonkeyPatch
) -> Iterator[Run]:
    """A worker learned a log in two parts, saved after each, and left."""
    log = entries(range(FIRST + THEN))
    city: City = build_city(stack, log, partitions=1, rules=RULES, config=CITY)
    half = len(SENSORS) * FIRST
    write(stack.bootstrap, city.topic, log[:half])
    with Run(city, tmp_path_factory.mktemp("mend")) as one:
        for name, value in one.environment.items():
            monkeypatch.setenv(name, value)
        one.start()
        one.wait_until(lambda: one.saved() == {0: half}, "the first part saved", 240.0)
        write(stack.bootstrap, city.topic, log[half:])
        one.wait_done()
        one.finish()
        yield one


@pytest.fixture
def settings(run: Run) -> Settings:
    return load_settings()


def partition(settings: Settings) -> Partition:
    return Partition(settings.topics.readings, 0)


def silent(_: float, __: int) -> None:
    """Show no progress."""


async def learner_of(one: Mender, settings: Settings) -> tuple[Stored, Learner]:
    stored = await one.store.peek(partition(settings))
    assert stored is not None
    return stored, Learner.restore(city_model(settings), stored.chunks)


def rows(learner: Learner) -> dict[str, bytes]:
    found = {}
    for number, sensor in enumerate(learner.series.sensor_ids):
        bank, row = learner.banks[learner.series.banks[number]], learner.series.rows[number]
        found[sensor] = bank.rows[row].tobytes() + bank.singles[row].tobytes()
    return found


def newest(run: Run) -> dict[str, dict[str, object]]:
    found: dict[str, dict[str, object]] = {}
    for record in run.predictions:
        body = json.loads(record.value or b"")
        found[body["series"]] = body
    return found


def there_come(run: Run, more: list[Entry]) -> None:
    """Write more readings to the log, which are learned like those before."""
    write(run.city.stack.bootstrap, run.city.topic, more)
    run.city = run.city.as_it_stands()


async def again(run: Run) -> None:
    """Let a worker learn what is left, and leave."""
    worker = await asyncio.to_thread(run.start)
    await asyncio.to_thread(run.wait_ready, worker)
    await asyncio.to_thread(run.wait_done)
    await asyncio.to_thread(run.finish)


def verified(run: Run) -> subprocess.CompletedProcess[str]:
    return run.ask("verify")


async def test_a_series_is_shown_as_it_is_stored(run: Run, settings: Settings) -> None:
    async with mender(settings) as one:
        sight: Sight = await one.see_series("h01")
        stored, learner = await learner_of(one, settings)
    [found] = sight.series
    assert (sight.stored.generation, sight.stored.next_offset) == (
        stored.generation,
        len(SENSORS) * (FIRST + THEN),
    )
    assert (found.learned, found.profile) == (FIRST + THEN, "hourly")
    assert found.last_ms == START_MS + (FIRST + THEN - 1) * HOUR
    assert list(found.scores) == learner.scores_of("h01", "")
    shown = run.ask("state", "show", "h01")
    assert shown.returncode == 0, shown.stderr
    assert "profile 'hourly'" in shown.stdout
    assert f"{FIRST + THEN} readings learned" in shown.stdout
    for name in ("list", "ls"):
        listed = run.ask("state", name, "--series", "h0[12]", "--json")
        assert [body["sensor_id"] for body in json.loads(listed.stdout)] == ["h01", "h02"]


async def test_a_series_is_reset_and_the_others_are_not_touched(
    run: Run, settings: Settings
) -> None:
    more = entries(range(FIRST + THEN, FIRST + THEN + 5))
    async with mender(settings) as one:
        before, learner = await learner_of(one, settings)
        untouched = rows(learner)
        plan = await one.plan_series("h01")
        assert "what was learned of h01 (200 readings) is forgotten" in plan.what
        assert "the 2 other series stay as they are" in plan.what
        assert await one.reset(plan, silent) == before.next_offset
        after, learner = await learner_of(one, settings)
    assert rows(learner) == {name: row for name, row in untouched.items() if name != "h01"}
    assert after.next_offset == before.next_offset
    assert after.generation == before.generation + 1
    there_come(run, more)
    await again(run)
    told = newest(run)
    assert [len(told[name]["forecasts"]) for name in SENSORS] == [3, 3, 3]  # type: ignore[arg-type]
    bounds = {name: told[name]["forecasts"][0]["lower"] for name in SENSORS}  # type: ignore[index]
    assert bounds["h01"] is None  # has seen five readings
    assert None not in {bounds["h00"], bounds["h02"]}
    done = verified(run)
    assert done.returncode == 0, done.stdout
    assert "no repeats" in done.stdout


async def test_what_was_published_but_not_saved_is_learned_before_a_reset(
    run: Run, settings: Settings
) -> None:
    """After a kill outputs stand beyond the state; a reset must not make them others."""
    shown: list[float] = []
    more = entries(range(FIRST + THEN, FIRST + THEN + 20))
    there_come(run, more)
    async with mender(settings) as one:
        before, _ = await learner_of(one, settings)
        plan = await one.plan_series("h02")
        offset = await one.reset(plan, lambda share, _: shown.append(share))
        assert offset == before.next_offset + len(more)
    assert shown[-1] == 1.0, "the bar goes to its end"
    run.look_to_end()
    assert run.progress == run.city.expected.outputs
    await again(run)
    done = verified(run)
    assert done.returncode == 0, done.stdout
    assert "no repeats" in done.stdout


async def test_a_partition_is_reset_and_goes_on_where_it_stood(
    run: Run, settings: Settings
) -> None:
    done = run.ask("state", "reset", "--partition", "0", "--yes")
    assert done.returncode == 0, done.stderr
    end = len(SENSORS) * (FIRST + THEN)
    assert f"forgotten: 3 series of {run.city.topic}/0, which goes on at offset {end}" in (
        done.stdout.replace("\n", " ")
    )
    async with mender(settings) as one:
        stored, learner = await learner_of(one, settings)
    assert (learner.series_count, stored.next_offset, learner.counts.learned) == (0, end, end)
    assert verified(run).returncode == 0


async def test_going_back_learns_again_and_repeats_the_same_bytes(
    run: Run, settings: Settings
) -> None:
    half = len(SENSORS) * FIRST
    async with mender(settings) as one:
        newest_state, learner = await learner_of(one, settings)
        rows_then = rows(learner)
        plan = await one.plan_rollback(0, None)
        assert f"learns the {len(SENSORS) * THEN} messages between again" in plan.what
        await one.rollback(plan)
        stored, _ = await learner_of(one, settings)
        assert (stored.generation, stored.next_offset) == (newest_state.generation - 1, half)
        with pytest.raises(NotKept, match="cannot go back to what was before: kept are"):
            await one.plan_rollback(0, None)
    await again(run)
    async with mender(settings) as one:
        _, learner = await learner_of(one, settings)
    assert rows(learner) == rows_then
    done = verified(run)
    assert done.returncode == 0, done.stdout
    assert f"{len(SENSORS) * THEN} repeats, all the same to the byte" in done.stdout


async def test_a_generation_that_is_not_kept_is_told(run: Run, settings: Settings) -> None:
    async with mender(settings) as one:
        with pytest.raises(NotKept, match="cannot go back to generation 99: kept are"):
            await one.plan_rollback(0, 99)
        with pytest.raises(NotMended, match="begins anew as is"):
            await one.plan_partition(7)


async def test_a_worker_that_runs_on_is_fenced_and_what_was_reset_stays_so(
    run: Run, settings: Settings
) -> None:
    """The embedded broker does not tell who is in a group; on Kafka the command refuses."""
    worker = await asyncio.to_thread(run.start)
    await asyncio.to_thread(run.wait_ready, worker)
    async with mender(settings) as one:
        await one.reset(await one.plan_series("h00"), silent)
        after = await one.store.peek(partition(settings))
        await asyncio.to_thread(
            run.wait_until, lambda: run.holds(worker) == 0, "the partition dropped", 60.0
        )
        assert await one.store.peek(partition(settings)) == after
    assert "fenced and dropped" in worker.tail()
    worker.kill()
    there_come(run, entries(range(FIRST + THEN, FIRST + THEN + 9)))
    await again(run)
    assert newest(run)["h00"]["forecasts"][0]["lower"] is None  # type: ignore[index]
    done = verified(run)
    assert done.returncode == 0, done.stdout


async def test_a_worker_that_comes_back_is_fenced(run: Run, settings: Settings) -> None:
    """One that was paused longer than its session is no member, and still has its claim."""
    async with state_admin(settings) as admin:
        paused: Claim = await admin.store.claim(partition(settings))
    async with mender(settings) as one:
        await one.reset(await one.plan_series("h00"), silent)
        after = await one.store.peek(partition(settings))
        assert after is not None
        late = Checkpoint(after.generation, 1, ("meta",), {"meta": b"zombie"})
        with pytest.raises(Fenced):
            await one.store.save(paused, late)
        paused = await one.store.claim(partition(settings))
        await one.rollback(await one.plan_rollback(0, after.generation - 1))
        with pytest.raises(Fenced):
            await one.store.save(paused, late)
        stored = await one.store.peek(partition(settings))
    assert stored is not None
    assert stored.generation == after.generation - 1


async def test_without_a_yes_nothing_is_done(run: Run, settings: Settings) -> None:
    done = run.ask("state", "rollback", "--partition", "0")
    assert done.returncode == 1
    assert "goes back from generation" in done.stdout
    async with mender(settings) as one:
        stored = await one.store.peek(partition(settings))
    assert stored is not None
    assert stored.next_offset == len(SENSORS) * (FIRST + THEN)
    assert all(decode_prediction(r.value or b"") for r in read(
        run.city.stack.bootstrap, settings.topics.predictions))  # fmt: skip


# ---------------------------------------------------------------- one series goes back


async def test_a_series_goes_back_and_the_others_are_not_touched(
    run: Run, settings: Settings
) -> None:
    async with mender(settings) as one:
        before, learner = await learner_of(one, settings)
        untouched, learned = rows(learner), learner.counts
        [_, older] = [learner async for _, learner in kept(one, settings)]
        then = rows(older)["h01"]
        plan = await plan_series_rollback(one, "h01", None)
        assert f"knew of it: {FIRST} readings learned, where it has {FIRST + THEN} now" in plan.what
        assert "Those since are not learned again" in plan.what
        assert "The 2 other series stay as they are" in plan.what
        assert await rollback_series(one, plan, silent) == before.next_offset
        after, learner = await learner_of(one, settings)
    assert rows(learner) == untouched | {"h01": then}
    assert then != untouched["h01"]
    assert (learner.counts, after.generation) == (learned, before.generation + 1)

    more = entries(range(FIRST + THEN, FIRST + THEN + 5))
    there_come(run, more)
    await again(run)
    async with mender(settings) as one:
        assert (await one.see_series("h01")).series[0].learned == FIRST + 5
    alerts = read(run.city.stack.bootstrap, settings.topics.alerts)
    assert not [alert for alert in alerts if b'"silent"' in (alert.value or b"")]
    done = verified(run)
    assert done.returncode == 0, done.stdout
    assert "no repeats" in done.stdout


async def test_outputs_beyond_the_state_stand_when_a_series_goes_back(
    run: Run, settings: Settings
) -> None:
    """And the generation is read before the checkpoint of the drained state lets go of it."""
    more = entries(range(FIRST + THEN, FIRST + THEN + 20))
    there_come(run, more)
    shown: list[float] = []
    async with mender(settings) as one:
        before, _ = await learner_of(one, settings)
        plan = await plan_series_rollback(one, "h02", before.generation - 1)
        offset = await rollback_series(one, plan, lambda share, _: shown.append(share))
        assert offset == before.next_offset + len(more)
        assert (await one.see_series("h02")).series[0].learned == FIRST
        assert (await one.see_series("h00")).series[0].learned == FIRST + THEN + 20
    assert shown[-1] == 1.0, "the bar goes to its end"
    run.look_to_end()
    assert run.progress == run.city.expected.outputs
    await again(run)
    done = verified(run)
    assert done.returncode == 0, done.stdout
    assert "no repeats" in done.stdout


async def test_going_back_takes_back_a_reset(run: Run, settings: Settings) -> None:
    async with mender(settings) as one:
        _, learner = await learner_of(one, settings)
        untouched = rows(learner)
        await one.reset(await one.plan_series("h01"), silent)
        plan = await plan_series_rollback(one, "h01", None)
        assert "where nothing is known of it now" in plan.what
    done = run.ask("state", "rollback", "h01", "--yes")
    assert done.returncode == 0, done.stderr
    assert "h01 stands as in generation" in done.stdout.replace("\n", " ")
    async with mender(settings) as one:
        _, learner = await learner_of(one, settings)
    assert rows(learner) == untouched


async def test_a_series_that_was_not_there_cannot_go_back(run: Run, settings: Settings) -> None:
    at = START_MS + (FIRST + THEN) * HOUR
    body = {"sensor_id": "h03", "timestamp": iso(at), "value": 1.0}
    there_come(run, [Entry(0, at, b"h03", json.dumps(body).encode())])
    await again(run)
    async with mender(settings) as one:
        with pytest.raises(NotMended, match="holds nothing of h03 to go back to"):
            await plan_series_rollback(one, "h03", None)
        with pytest.raises(NotKept, match="cannot go back to generation 99: kept are"):
            await plan_series_rollback(one, "h00", 99)
    done = run.ask("state", "rollback", "h00", "--partition", "0")
    assert done.returncode == 2
    assert "one of them" in done.stderr


@pytest.mark.parametrize(
    ("gone", "told"),
    [
        (0, "is first learned to its end, from offset 600 on"),
        (5, "the 20 messages from offset 600 on are skipped as a worker would"),
    ],
)
async def test_a_plan_tells_what_a_gap_leaves_out(
    run: Run, settings: Settings, monkeypatch: pytest.MonkeyPatch, gone: int, told: str
) -> None:
    settings = settings.model_copy(update={"on_gap": Gap.LATEST})

    def held(_: object, partitions: list[Partition]) -> dict[Partition, Span]:
        return {one: Span(600 + gone, 620) for one in partitions}

    async with mender(settings) as one:
        monkeypatch.setattr(mend, "whole_spans", held)
        assert told in (await one.plan_series("h00")).what


def kept(one: Mender, settings: Settings) -> AsyncIterator[tuple[Stored, Learner]]:
    log = LogFacts(settings.topics.readings, "", 1)
    return KeptStates(settings, one.store, log).walk(partition(settings))
