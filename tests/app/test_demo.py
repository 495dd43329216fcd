"""The demo: what it sends, how it scores, what it tells, and that it ends, well or badly."""

from __future__ import annotations

import gzip
import os
import re
import signal
import socket
import subprocess
import sys
import time
from collections import Counter
from datetime import datetime
from io import StringIO
from pathlib import Path
from types import SimpleNamespace
from typing import cast

import pytest
from rich.console import Console

from hedgerow.app.demo import run, run_demo
from hedgerow.app.demo.accounting import Accounts
from hedgerow.app.demo.feed import BAD_MESSAGES, SAMPLE, Expected, Feed
from hedgerow.app.demo.scoreboard import score_table, tally
from hedgerow.app.demo.sensors import sample_sensors
from hedgerow.app.demo.stories import best_stories, count_table
from hedgerow.app.demo.watch import WatchedWorker
from hedgerow.app.errors import DemoFailed
from hedgerow.app.registry.declared import declared
from hedgerow.app.registry.table import SensorTable, chosen, read_table
from hedgerow.app.replay.readings_file import BadRow
from hedgerow.app.settings import Settings, load_settings
from hedgerow.models import ReferenceScore, SensorFacts, SeriesScore
from hedgerow.topics import Alert, Sensor, encode_sensor

HOUR_MS = 3_600_000
LINUX = Path("/proc/self/stat").exists()


def console() -> Console:
    return Console(file=StringIO(), width=80, markup=False, highlight=False)


def printed(of: Console) -> str:
    assert isinstance(of.file, StringIO)
    return of.file.getvalue()


@pytest.fixture(scope="module")
def sample() -> list[list[str]]:
    with gzip.open(SAMPLE, "rt") as text:
        return [line.rstrip("\n").split(",") for line in text]


@pytest.fixture(scope="module")
def little(sample: list[list[str]], tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Three weeks of the sample, of a few sensors."""
    path = tmp_path_factory.mktemp("little") / "city.csv"
    kinds = ("sensor_id", "traffic", "bikes", "wind", "parking-bhm", "pedestrian-2")
    lines = [",".join(line) for line in sample if line[0].startswith(kinds)]
    path.write_text("\n".join([lines[0], *lines[-6000:]]))
    return path


# ---------------------------------------------------------------- the sample


def test_the_sample_is_a_year_of_six_kinds_in_order_and_in_the_past(
    sample: list[list[str]],
) -> None:
    assert sample[0] == ["sensor_id", "timestamp", "value"]
    times = [line[1] for line in sample[1:]]
    assert times == sorted(times)
    assert times[0] == "2024-07-01T00:00:00Z"
    assert datetime.fromisoformat(times[-1]) < datetime.fromisoformat("2025-07-01T00:00:00Z")
    assert {line[0].split("-")[0] for line in sample[1:]} == {
        "traffic", "pedestrian", "solar", "wind", "parking", "bikes",
    }  # fmt: skip


def test_every_kind_ends_on_the_last_days(sample: list[list[str]]) -> None:
    last: dict[str, str] = {}
    for sensor, at, _ in sample[1:]:
        last[sensor.partition("-")[0]] = at
    assert min(last.values()) > "2025-06-30T12:00:00Z"


def test_the_attribution_counts_what_is_there(sample: list[list[str]]) -> None:
    counts = Counter(line[0].split("-")[0] for line in sample[1:])
    page = (SAMPLE.parent / "ATTRIBUTION.md").read_text()
    for kind, count in counts.items():
        assert re.search(rf"^\| `{kind}-.*\| {count:,} \|", page, re.MULTILINE)


def test_the_sample_is_small_and_replays_without_a_bad_row() -> None:
    assert SAMPLE.stat().st_size < 3_000_000
    feed = Feed()
    assert not [row for row in feed.rows() if isinstance(row, BadRow)]
    assert feed.fraction == 1.0


# ---------------------------------------------------------------- the registry


def test_every_sensor_of_the_sample_has_a_name_kind_unit_and_a_place_of_its_own(
    sample: list[list[str]],
) -> None:
    ids = {line[0] for line in sample[1:]}
    table = SensorTable()
    for sensor in sample_sensors():
        table.take(*encode_sensor(sensor))
    assert (set(table.sensors), table.refused) == (ids, {})
    known = table.sensors.values()
    assert all(one.name and one.kind and one.unit for one in known)
    assert len({(one.x, one.y) for one in known} - {(None, None)}) == len(ids)
    assert len({one.name for one in known}) == len(ids)


def test_the_registry_of_the_demo_declares_nothing_that_is_learned_by() -> None:
    registry = declared({one.sensor_id: one for one in sample_sensors()})
    for one in sample_sensors():
        kind = one.sensor_id.partition("-")[0]
        assert registry.of(one.sensor_id) == SensorFacts(kind=kind)


# ---------------------------------------------------------------- the feed


def test_the_feed_adds_the_trouble_once_and_says_what_must_come_of_it(little: Path) -> None:
    feed = Feed(little, trouble_after=100)
    rows = list(feed.rows())
    sent = [row.message for row in rows if not isinstance(row, BadRow)]
    assert sent[99] == sent[100]
    assert sent[101:106] == [bad.message for bad in BAD_MESSAGES]
    assert feed.expected == Expected(messages=len(sent), dead_letters=5, readings=6000 + 2 + 2)
    assert sum(row.readings for row in rows if not isinstance(row, BadRow)) == 6004


def test_a_short_feed_has_its_trouble_at_the_end(little: Path) -> None:
    assert len(list(Feed(little, trouble_after=99_999).rows())) == 6007


# ---------------------------------------------------------------- the scoreboard


def score(
    sensor: str, n: int, error: float, references: tuple[ReferenceScore, ...] = ()
) -> SeriesScore:
    return SeriesScore(
        sensor_id=sensor,
        quantity="",
        profile=sensor.partition("-")[0],
        horizon=3,
        period_ms=HOUR_MS // 2,
        n=n,
        absolute_error=error,
        squared_error=0.0,
        references=references,
        covered=n,
        with_interval=2 * n,
        width_sum=0.0,
        regret=0.0,
        weights={},
        mean_weights={},
    )


def test_series_of_a_kind_are_added_up() -> None:
    (line,) = tally([score("bikes-a", 10, 20.0), score("bikes-b", 30, 20.0)])
    assert (line.kind, line.n, line.lead_ms, line.mae) == ("bikes", 40, 3 * HOUR_MS // 2, 1.0)
    assert line.coverage == 0.5


def test_skill_is_paired_and_the_stronger_season_counts() -> None:
    references = (
        ReferenceScore("persistence", 10, 10.0, 40.0),
        ReferenceScore("day", 8, 8.0, 16.0),  # errs by 2 each
        ReferenceScore("week", 4, 4.0, 6.0),  # errs by 1.5 each: stronger
    )
    (line,) = tally([score("wind-farm", 10, 10.0, references)])
    assert line.skill("persistence") == pytest.approx(0.75)
    assert line.season == "week"
    assert line.skill("week") == pytest.approx(1 / 3)


def test_a_kind_with_nothing_scored_yet_shows_dashes() -> None:
    board = console()
    board.print(score_table(tally([score("solar-farm", 0, 0.0)])))
    assert re.search(r"solar +1\.5 h +0 +- +MW +- +- day +-", printed(board))


def test_the_readme_shows_what_the_demo_prints(sample: list[list[str]]) -> None:
    readme = " ".join((Path(__file__).parents[2] / "README.md").read_text("utf-8").split())
    board = console()
    board.print(score_table(()))
    feed = Feed()
    assert sum(1 for _ in feed.rows()) > 0  # to its end: then it knows what it sent
    lines = [" ".join(line.split()) for line in printed(board).splitlines()]
    assert [line for line in lines if line.strip("─") not in readme] == []
    assert f"replays {len(sample) - 1:,} real readings" in readme
    assert f"messages {feed.expected.messages:,} = " in readme
    assert f"readings {feed.expected.readings:,} = " in readme


# ---------------------------------------------------------------- the accounting


SOUND = Accounts(decoded=90, dead_lettered=10, learned=80, late=3, duplicate=5, rejected=2)


def test_accounts_that_agree_have_no_fault() -> None:
    assert not SOUND.faults(Expected(100, 10, 90), predictions=80, dead_letters=10)


@pytest.mark.parametrize(
    ("expected", "predictions", "dead_letters", "fault"),
    [
        (Expected(101, 10, 90), 80, 10, "messages sent 101, but 100 accounted"),
        (Expected(100, 9, 90), 80, 10, "bad messages sent 9, but 10 dead-lettered"),
        (Expected(100, 10, 91), 80, 10, "readings sent 91, but 90 accounted"),
        (Expected(100, 10, 90), 79, 10, "readings learned 80, but 79 predictions published"),
        (Expected(100, 10, 90), 80, 9, "dead-lettered 10, but 9 on the dead letters' topic"),
    ],
)
def test_every_difference_is_a_fault(
    expected: Expected, predictions: int, dead_letters: int, fault: str
) -> None:
    assert SOUND.faults(expected, predictions=predictions, dead_letters=dead_letters) == [fault]


# ---------------------------------------------------------------- the stories


def alert(
    kind: str,
    hour: int,
    *,
    sensor: str = "parking-a",
    state: str = "open",
    observed: float = 5.0,
    expected: float = 5.0,
    lower: float | None = 0.0,
    upper: float | None = 10.0,
) -> Alert:
    return Alert(
        id=f"sensor-data:0:{hour}:{sensor}:{kind}:{state}",
        episode=f"sensor-data:0:0:{sensor}:{kind}",
        series=sensor,
        sensor_id=sensor,
        quantity=None,
        source_offset=hour,
        kind=kind,
        severity="warning",
        state="open" if state == "open" else "resolved",
        opened_at="2026-01-01T00:00:00Z",
        at=f"2026-01-01T{hour:02d}:00:00Z",
        observed=observed,
        expected=expected,
        lower=lower,
        upper=upper,
        message=f"{kind} at {hour}",
    )


def test_a_warning_that_came_true_is_told_with_how_early_it_was() -> None:
    (story, *_) = best_stories([alert("forecast-breach", 8), alert("bound", 12)])
    assert story.text == (
        "2026-01-01 08:00 parking-a: forecast-breach at 8. It came 4 h later: bound at 12."
    )


def test_a_warning_that_was_taken_back_is_not() -> None:
    told = best_stories(
        [
            alert("forecast-breach", 8),
            alert("forecast-breach", 10, state="resolved"),
            alert("bound", 12),
        ]
    )
    assert [story.kind for story in told] == ["bound"]


def test_the_anomaly_farthest_outside_its_interval_is_told() -> None:
    near = alert("anomaly", 1, sensor="a", observed=11.0)
    far = alert("anomaly", 2, sensor="b", observed=40.0)
    assert best_stories([near, far])[-1].series == "b"


def test_three_are_told_of_different_kinds_first_and_of_different_sensors() -> None:
    told = best_stories(
        [
            *(alert("anomaly", hour, sensor=f"a{hour}", observed=50.0) for hour in range(5)),
            alert("bound", 6, sensor="b"),
            alert("forecast-breach", 7, sensor="c"),
            alert("bound", 9, sensor="c"),
        ]
    )
    assert [story.kind for story in told] == ["anomaly", "bound", "forecast-breach"]
    assert len({story.series for story in told}) == 3


def test_nothing_wrong_makes_no_story() -> None:
    assert best_stories([]) == []


def test_episodes_are_counted_once_by_kind() -> None:
    board = console()
    alerts = [alert("bound", 1), alert("bound", 2, state="resolved"), alert("anomaly", 3)]
    board.print(count_table(alerts, ["parking", "wind"]))
    assert re.search(r"parking +1 +1", printed(board))
    assert re.search(r"wind +0 +0", printed(board))


def test_every_kind_of_alert_fits_into_the_table() -> None:
    board = console()
    kinds = ("anomaly", "bound", "drift", "forecast-breach", "silent", "stuck")
    board.print(count_table([alert(kind, 1) for kind in kinds], ["parking", "pedestrian"]))
    assert "kind " + "  ".join(kinds) in re.sub(
        r"^(kind) +", r"\1 ", printed(board).strip(), flags=re.MULTILINE
    )
    assert re.search(r"parking" + r" +1" * len(kinds), printed(board))


# ---------------------------------------------------------------- the whole


def test_the_demo_ends_by_itself_with_scores_accounts_and_a_registry(
    little: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    registered: list[Sensor] = []

    def show(settings: Settings, feed: Feed, results: Console, *, rate: float) -> None:
        registered.extend(read_table(settings).sensors.values())
        shows(settings, feed, results, rate=rate)

    shows = run._show
    monkeypatch.setattr(run, "_show", show)
    results, progress = console(), console()
    run_demo(results, progress, feed=Feed(little, trouble_after=3000))
    assert chosen(registered) == sample_sensors()
    shown = printed(results)
    for kind in ("traffic", "bikes", "wind", "parking", "pedestrian"):
        assert re.search(rf"^{kind} .*%", shown, re.MULTILINE)
    assert re.search(r"messages 6,007 = 6,002 decoded \+ 5 dead-lettered", shown)
    assert re.search(
        r"readings 6,004 = [\d,]+ learned \+ [\d,]+ late \+ [\d,]+ duplicate \+ 2 rejected", shown
    )
    assert "Both add up" in shown


def test_a_worker_that_dies_fails_the_demo_with_its_log(
    little: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    with socket.socket() as taken:
        taken.bind(("127.0.0.1", 0))
        taken.listen()
        port = int(taken.getsockname()[1])
        monkeypatch.setattr("hedgerow.app.demo.run.free_port", lambda: port)
        monkeypatch.setattr("hedgerow.app.demo.watch.ANSWER_SECONDS", 0.2)
        with pytest.raises(DemoFailed, match=r"the worker ended with 6(?s:.*)cannot listen on"):
            run_demo(console(), console(), feed=Feed(little))


def test_accounts_that_do_not_balance_fail_the_demo(
    little: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    feed = Feed(little)
    list(feed.rows())
    for name, found in {
        "read_learners": [],
        "_alerts": [],
        "_predictions": 0,
        "_dead_letters": 0,
    }.items():
        monkeypatch.setattr(f"hedgerow.app.demo.run.{name}", lambda *_, found=found: found)
    with pytest.raises(DemoFailed, match="messages sent 6,007, but 0 accounted; bad messages"):
        run._show(load_settings(), feed, console(), rate=1.0)


class _KeptWorker:
    """Runs until the third look at it, when somebody presses Ctrl-C."""

    def __init__(self, log: Path) -> None:
        self.url = "http://127.0.0.1:8123"
        self.child = SimpleNamespace(log=log)
        self.looks = 0

    def check_alive(self) -> None:
        self.looks += 1
        if self.looks == 3:
            raise KeyboardInterrupt


@pytest.mark.parametrize("own", [True, False], ids=["in an environment", "installed"])
def test_a_kept_demo_says_how_to_look_at_it_and_ends_well_on_ctrl_c(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, own: bool
) -> None:
    activate = tmp_path / "bin" / "activate"
    if own:
        activate.parent.mkdir()
        activate.touch()
    monkeypatch.setattr("hedgerow.app.demo.run.sys.prefix", str(tmp_path))
    monkeypatch.setattr("hedgerow.app.demo.run.time.sleep", lambda _: None)
    results = Console(file=StringIO(), width=500, markup=False, highlight=False)
    worker = _KeptWorker(tmp_path / "worker.log")
    environment = {"HEDGEROW_REDIS__URL": "redis://here", "HEDGEROW_CONFIG": None}
    run._keep(results, cast(WatchedWorker, worker), environment)
    shown = printed(results)
    activates = f"  . {activate}\n" if own else ""
    assert (
        f"In another terminal:\n\n{activates}  export HEDGEROW_REDIS__URL=redis://here\n" in shown
    )
    assert "HEDGEROW_CONFIG" not in shown
    assert "  curl http://127.0.0.1:8123/metrics\n" in shown
    assert "In a browser:\n\n  http://127.0.0.1:8123/console/\n" in shown
    assert worker.looks == 3


def children_of(pid: int) -> set[int]:
    """All descendants of a process, by its id."""
    parents: dict[int, int] = {}
    for stat in Path("/proc").glob("[0-9]*/stat"):
        try:
            after_name = stat.read_text().rsplit(")", 1)[1].split()
        except OSError:
            continue
        parents[int(stat.parent.name)] = int(after_name[1])
    found = {pid}
    while more := {child for child, parent in parents.items() if parent in found} - found:
        found |= more
    return found - {pid}


@pytest.mark.skipif(not LINUX, reason="missing: /proc, to see the demo's processes")
@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM, signal.SIGKILL])
def test_a_demo_that_is_stopped_leaves_no_process_behind(number: signal.Signals) -> None:
    with subprocess.Popen(
        [sys.executable, "-m", "hedgerow", "demo"],
        stdout=subprocess.DEVNULL,
        stderr=subprocess.PIPE,
        text=True,
        env={**os.environ, "HEDGEROW_TIMEZONE": "nonsense"},  # the user's own: not the demo's
    ) as demo:
        deadline = time.monotonic() + 90
        while len(children := children_of(demo.pid)) < 6 and time.monotonic() < deadline:
            time.sleep(0.05)  # broker, Redis, worker and a guard for each
        time.sleep(1.0)
        demo.send_signal(number)
        _, err = demo.communicate(timeout=90)
    assert len(children) == 6
    assert demo.returncode == (-signal.SIGKILL if number is signal.SIGKILL else 130)
    assert "Traceback" not in err
    deadline = time.monotonic() + 10
    while (left := [pid for pid in children if running(pid)]) and time.monotonic() < deadline:
        time.sleep(0.05)
    assert left == []


def running(pid: int) -> bool:
    try:
        state = Path(f"/proc/{pid}/stat").read_text().rsplit(")", 1)[1].split()[0]
    except OSError:
        return False
    return state != "Z"
