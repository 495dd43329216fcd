"""Real workers with a planted bug, killed or frozen once: the verifier must see each of them."""

from __future__ import annotations

import sys
import time
from collections.abc import Sequence
from pathlib import Path

import pytest
from faults.log.city import City
from faults.run.driver import Outcome, Run, judge
from stack.fixtures import REAL

PLANTED = Path(__file__).parents[1] / "run" / "planted.py"

pytestmark = [
    pytest.mark.parametrize("stack", [REAL], indirect=True, scope="session"),
    pytest.mark.timeout(300),
]


def planted(bug: str, *more: str) -> Sequence[str]:
    return (sys.executable, str(PLANTED), bug, *more)


@pytest.mark.parametrize(
    ("bug", "what", "trace"),
    [
        ("offset_ahead", "an offset ahead of its snapshot", "prediction: missing"),
        pytest.param(
            *("offset_behind", "an offset behind its snapshot", "the state stands at"),
            marks=pytest.mark.slow,
        ),
        ("skipped_batch", "one batch in five skipped", "prediction: missing"),
        ("unsynchronised_flush", "the flush not in step with the offset", "that differ"),
        pytest.param(
            *("no_dead_letters", "every second dead letter forgotten", "dead letter: missing"),
            marks=pytest.mark.slow,
        ),
    ],
)
@pytest.mark.faults(
    row=7, case="{what}", injections="`kill -9` under load, restart", outcome="caught: “{trace}”"
)
def test_a_planted_bug_is_caught(
    live_city: City, undisturbed: Outcome, tmp_path: Path, bug: str, what: str, trace: str
) -> None:
    with Run(live_city, tmp_path, command=planted(bug), quiet_seconds=12.0) as run:
        first = run.start()
        run.wait_ready(first)
        with live_city.feed(seconds=20.0):
            run.wait_share(0.3)
            run.wait_until(lambda: any(run.saved().values()), "a checkpoint")
            first.kill()
            run.wait_ready(run.start())
        run.wait_done()
        problems = judge(live_city, run.finish(), undisturbed)
    assert any(trace in problem for problem in problems), problems


@pytest.mark.faults(
    row=7,
    case="the offset committed before the outputs",
    injections="`kill -9` after the flip, outputs lingering in the producer; restart",
    outcome="caught: “prediction: missing”",
)
def test_outputs_lost_behind_their_offset_are_caught(
    live_city: City, undisturbed: Outcome, tmp_path: Path, armed: Path
) -> None:
    settings = {"HEDGEROW_KAFKA__LINGER_MS": "1000"}
    doomed = planted("offset_before_outputs", "flipped", "2", str(armed))
    with Run(live_city, tmp_path, settings=settings, quiet_seconds=12.0) as run:
        first = run.start(doomed)
        run.wait_ready(first)
        with live_city.feed(seconds=20.0):
            run.wait_share(0.3)
            armed.touch()
            run.wait_until(lambda: not first.running, "killed")
            run.start()
        run.wait_done()
        problems = judge(live_city, run.finish(), undisturbed)
    assert any("prediction: missing" in problem for problem in problems), problems


@pytest.mark.faults(
    row=7,
    case="state saved without fencing",
    injections="SIGSTOP of one of two until the other has taken over, then SIGCONT",
    outcome="caught: “fenced by”",
)
def test_a_zombie_that_saves_is_caught(live_city: City, tmp_path: Path) -> None:
    with Run(live_city, tmp_path, command=planted("no_fencing")) as run:
        zombie, survivor = run.start(), run.start()
        run.wait_ready(zombie)
        run.wait_ready(survivor)
        with live_city.feed(seconds=120.0):
            run.wait_until(
                lambda: run.holds(zombie) > 0 and run.holds(survivor) > 0, "both at work"
            )
            run.wait_share(run.share + 0.05)
            zombie.pause()
            run.wait_until(lambda: run.holds(survivor) == live_city.partitions, "taken over")
            run.wait_share(run.share + 0.05)
            zombie.go_on()
            deadline = time.monotonic() + 30.0
            problems: list[str] = []  # as they come: such a zombie soon brings both to an end
            while not problems and time.monotonic() < deadline:
                problems, _ = run.audited()
    assert any("fenced by" in problem for problem in problems), problems
