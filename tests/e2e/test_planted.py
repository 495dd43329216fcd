"""Real workers with a planted bug, killed once: the verifier must see each of them."""

from __future__ import annotations

import sys
from pathlib import Path

import pytest
from faults.city import City
from faults.driver import Outcome, Run, judge
from stack.fixtures import REAL

PLANTED = Path(__file__).parents[1] / "faults" / "planted.py"


@pytest.mark.parametrize("stack", [REAL], indirect=True, scope="session")
@pytest.mark.parametrize(
    ("bug", "trace"),
    [
        ("offset_ahead", "prediction: missing"),
        ("offset_behind", "the state stands at"),
        ("skipped_batch", "prediction: missing"),
        ("no_dead_letters", "dead letter: missing"),
    ],
)
def test_a_planted_bug_is_caught(
    live_city: City, undisturbed: Outcome, tmp_path: Path, bug: str, trace: str
) -> None:
    command = (sys.executable, str(PLANTED), bug)
    with Run(live_city, tmp_path, command=command, quiet_seconds=12.0) as run:
        first = run.start()
        run.wait_ready(first)
        with live_city.feed(seconds=20.0):
            run.wait_share(0.3)
            first.kill()
            run.wait_ready(run.start())
        run.wait_done()
        problems = judge(live_city, run.finish(), undisturbed)
    assert any(trace in problem for problem in problems), problems
