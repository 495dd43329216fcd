"""The speed benchmark: what it reads, adds up and writes, and one tiny run of it."""

from __future__ import annotations

import json
import os
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from rich.console import Console
from rich.progress import Progress

from benchmarks.speed import page
from benchmarks.speed.bench import Bench, keep
from benchmarks.speed.contest import Run, Watcher, middle
from benchmarks.speed.goals import GOALS, missed, reached
from benchmarks.speed.guard import judge
from benchmarks.speed.limits import TRIED, limits
from benchmarks.speed.parts import latency, profile, soak, throughput
from benchmarks.speed.parts.order import PARTS, SECTIONS
from benchmarks.speed.process import cpu_ns, thread_cpu_ns
from benchmarks.speed.readings import readings
from benchmarks.speed.servers import servers
from benchmarks.speed.table import Kept
from benchmarks.speed.topics import Topics
from hedgerow.topics import ReadingDecoder

KEPT = Path(__file__).with_name("speed_kept.json")


@pytest.fixture
def parts() -> dict[str, Kept]:
    """What a small run of every part left."""
    found: dict[str, Kept] = json.loads(KEPT.read_text("utf-8"))
    return found


def test_every_part_has_a_section_and_a_goal() -> None:
    assert set(PARTS) == set(SECTIONS) == {goal.part for goal in GOALS}


def test_the_page_holds_every_part_and_every_goal(parts: dict[str, Kept]) -> None:
    text = page.document(parts, SECTIONS)

    assert "not measured" not in text.lower()
    assert "nan" not in text
    assert all(goal.what in text for goal in GOALS)
    assert text.count("\n## ") == len(PARTS) + len(limits(parts))


def test_of_what_was_not_reached_the_page_says_what_was_tried(parts: dict[str, Kept]) -> None:
    assert set(TRIED) < set(PARTS)
    assert limits(parts)[0].count("**") == 2 * len({goal.part for goal in missed(parts)}) > 0

    parts["latency"]["result"]["presets"]["lean"]["milliseconds"].update({"p50": 1.0, "p99": 2.0})

    assert "**Latency.**" not in limits(parts)[0]


def test_a_part_that_was_not_measured_is_named(parts: dict[str, Kept]) -> None:
    del parts["scale"]

    text = page.document(parts, SECTIONS)

    assert "*Not measured yet: scale.*" in text
    assert "| not measured |" in text


def test_a_page_of_nothing_is_refused() -> None:
    with pytest.raises(RuntimeError, match="run `make bench`"):
        page.document({}, SECTIONS)


def test_the_budget_adds_up_to_the_process(parts: dict[str, Kept]) -> None:
    for found in parts["profile"]["result"]["presets"].values():
        assert sum(found["budget"].values()) == pytest.approx(found["run"]["cpu_us"], rel=0.05)
        assert all(us >= 0.0 for us in found["budget"].values())


def test_a_budget_books_what_happened_between_two_looks() -> None:
    def book(kernel: int, poll: int, total: int) -> dict[str, Any]:
        return {
            "process": total,
            "threads": {"MainThread": kernel, "Thread": poll, "rdk:broker": 500},
            "ledgers": [
                {"thread": "MainThread", "spent": {"learn": kernel}},
                {"thread": "Thread-1", "spent": {"task Service._execute_task": poll}},
            ],
        }

    rows = profile.budget(book(1_000, 100, 5_000), book(5_000, 2_100, 15_000), 2)

    assert rows["learn"] == 2.0
    assert rows["poll"] == 1.0
    assert rows["event loop and the rest"] == 2.0
    assert sum(rows.values()) == 5.0


def test_medians_are_taken_of_each_figure_alone() -> None:
    runs = [Run(1, speed, cost, 0.0, 0.0, 0.0, 0.0, 0.0) for speed, cost in
            ((10.0, 3.0), (30.0, 1.0), (20.0, 2.0))]  # fmt: skip

    assert middle(runs, "per_second") == 20.0
    assert throughput.medians(runs)["cpu_us"] == 2.0


def test_the_guard_lets_a_quarter_pass_and_no_more() -> None:
    assert judge(2.5, 2.0) is None
    assert "26 % more" in (judge(2.52, 2.0) or "")


def test_goals_know_what_is_better() -> None:
    least = next(goal for goal in GOALS if goal.least)
    most = next(goal for goal in GOALS if not goal.least)

    assert reached(least, least.limit * 2) and not reached(least, least.limit / 2)
    assert reached(most, most.limit / 2) and not reached(most, most.limit * 2)


def test_percentiles_leave_out_what_never_came() -> None:
    sent = np.arange(1, 101) * 1_000_000
    arrived = sent + np.arange(1, 101) * 1_000_000
    arrived[-1] = 0

    found = latency.percentiles(sent, arrived)

    assert found["p50"] == 50.0
    assert found["max"] == 99.0


def test_a_prediction_is_matched_with_its_reading() -> None:
    number = 12_345
    key, value = list(readings(number + 1, latency.SERIES))[-1]
    stamp = json.loads(value)["timestamp"]

    assert latency.reading_number(key, stamp) == number


def test_the_readings_decode_and_come_in_slots() -> None:
    class Message:
        def __init__(self, offset: int, key: str, value: str) -> None:
            self.offset, self.timestamp = offset, -1
            self.key, self.value = key.encode(), value.encode()

    source = list(readings(6, 3, period_seconds=3600))
    decoded = ReadingDecoder().decode([Message(n, *pair) for n, pair in enumerate(source)])

    assert decoded.sensor_ids == ["s0", "s1", "s2"] * 2
    assert np.diff(decoded.time_ms).tolist() == [0, 0, 3_600_000, 0, 0]
    assert list(readings(2, 3, period_seconds=3600, first=4)) == source[4:]


def test_memory_is_compared_with_that_after_a_quarter() -> None:
    assert soak.growth([1.0, 100.0, 100.0, 110.0, 105.0, 100.0, 100.0, 100.0]) == 0.1


def test_a_process_is_charged_for_all_its_threads() -> None:
    me = os.getpid()
    before = cpu_ns(me)
    sum(range(2_000_000))

    assert cpu_ns(me) - before > 1_000_000
    assert sum(thread_cpu_ns(me).values()) == pytest.approx(cpu_ns(me), rel=0.2)


def test_a_tiny_profile_on_the_embedded_stack(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("benchmarks.speed.bench.KEPT", tmp_path)
    monkeypatch.setattr("benchmarks.speed.page.KEPT", tmp_path)
    console = Console(quiet=True)
    with servers(embedded=True) as running, Progress(console=console, disable=True) as bar:
        topics = Topics(running.bootstrap, exact_ends=running.real)
        watcher = Watcher(topics, running.broker_pid, running.redis_pid)
        bench = Bench(running, topics, watcher, tmp_path, console, bar, size=0.05)
        kept = keep("profile", profile.measure(bench), bench)

    result = json.loads(kept.read_text("utf-8"))["result"]

    assert not running.real
    assert result["floor_us"] > 0.0
    for found in result["presets"].values():
        assert found["run"]["readings"] > 50_000
        assert found["budget"]["learn"] > 0.1
        assert found["budget"]["encode"] > 0.1
    assert "all but the kernel" in SECTIONS["profile"](page.kept("profile") or {})
