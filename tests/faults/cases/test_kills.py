"""Workers killed at every named point and at random moments: nothing lost, nothing learned twice.

Each run is judged by itself and beside an undisturbed run over the same log: the same
predictions, alerts and dead letters byte for byte, the same state in Redis.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from pathlib import Path
from random import Random

import pytest
from faults.judge import verifier
from faults.log.city import City
from faults.matrix import Measured
from faults.run.driver import Outcome, Run, judge, kill_at_random_moments
from faults.run.workers import Worker
from stack.fixtures import REAL

SEED = 20_251_019
SHORT_SESSION = {"HEDGEROW_KAFKA__SESSION_TIMEOUT_SECONDS": "3"}  # more kills in the same time
SAME = "nothing lost, nothing learned twice; same bytes, same state"


def wait_killed(run: Run, doomed: Worker, point: str) -> None:
    run.wait_until(lambda: doomed.child.exit_code == -9, f"killed at {point}")
    assert f"killed at {point}" in doomed.tail()


@pytest.mark.timeout(300)
@pytest.mark.parametrize("stack", [REAL], indirect=True, scope="session")
@pytest.mark.parametrize(
    ("point", "where", "passes"),
    [
        pytest.param("polled", "after poll", 3, id="polled"),
        pytest.param("decoding", "in decode, half the batch read", 3, id="decoding"),
        pytest.param("stepping", "mid-step, one bank learned", 3, id="stepping"),
        pytest.param("emitted", "after emit, not acknowledged", 3, id="emitted"),
        pytest.param("written", "between chunk write and manifest flip", 2, id="written"),
        pytest.param("flipped", "after the flip", 2, id="flipped"),
    ],
)
@pytest.mark.faults(
    row=1,
    case="killed {where}",
    injections="`kill -9` at the point `{point}`, pass {passes} after a third of the log; restart",
    outcome=SAME,
)
def test_killed_at_a_point_of_the_loop(
    live_city: City,
    undisturbed: Outcome,
    tmp_path: Path,
    armed: Path,
    probed: Callable[[str, int], Sequence[str]],
    point: str,
    where: str,
    passes: int,
) -> None:
    with Run(live_city, tmp_path, settings=SHORT_SESSION) as run:
        doomed = run.start(probed(point, passes))
        run.wait_ready(doomed)
        with run.feed(seconds=20.0):
            run.wait_share(0.3)
            armed.touch()
            wait_killed(run, doomed, point)
            run.start()
        outcome = run.settled()
    assert judge(live_city, outcome, undisturbed) == []


@pytest.mark.timeout(300)
@pytest.mark.parametrize("stack", [REAL], indirect=True, scope="session")
@pytest.mark.parametrize(
    ("point", "where"),
    [
        pytest.param("restoring", "claimed, its snapshot not read", id="restoring"),
        pytest.param("restored", "one snapshot read, others not", id="restored"),
    ],
)
@pytest.mark.faults(
    row=1,
    case="killed during restore: {where}",
    injections="`kill -9`; the next worker `kill -9` at the point `{point}`; restart",
    outcome=SAME,
)
def test_killed_during_restore(
    live_city: City,
    undisturbed: Outcome,
    tmp_path: Path,
    armed: Path,
    probed: Callable[[str, int], Sequence[str]],
    point: str,
    where: str,
) -> None:
    with Run(live_city, tmp_path, settings=SHORT_SESSION) as run:
        first = run.start()
        run.wait_ready(first)
        with run.feed(seconds=20.0):
            run.wait_share(0.3)
            first.kill()
            armed.touch()
            wait_killed(run, run.start(probed(point, 2)), point)
            run.start()
        outcome = run.settled()
    assert judge(live_city, outcome, undisturbed) == []


@pytest.mark.timeout(300)
@pytest.mark.parametrize("stack", [REAL], indirect=True, scope="session")
@pytest.mark.parametrize(
    ("point", "where"),
    [
        pytest.param("revoking", "as its partitions are taken away", id="revoking"),
        pytest.param("assigning", "as it is given those it keeps", id="assigning"),
    ],
)
@pytest.mark.faults(
    row=1,
    case="killed during a rebalance, {where}",
    injections="a second worker joins, the first is `kill -9` at the point `{point}`",
    outcome="the second takes over all; " + SAME,
)
def test_killed_during_a_rebalance(
    live_city: City,
    undisturbed: Outcome,
    tmp_path: Path,
    armed: Path,
    probed: Callable[[str, int], Sequence[str]],
    point: str,
    where: str,
) -> None:
    with Run(live_city, tmp_path, settings=SHORT_SESSION) as run:
        doomed = run.start(probed(point, 1))
        run.wait_ready(doomed)
        with run.feed(seconds=60.0):
            run.wait_share(0.1)
            armed.touch()
            second = run.start()
            wait_killed(run, doomed, point)
            run.wait_until(lambda: run.holds(second) == live_city.partitions, "taken over")
        outcome = run.settled()
    assert judge(live_city, outcome, undisturbed) == []


@pytest.mark.timeout(1800)
@pytest.mark.faults(
    row=1,
    case="killed at random moments",
    injections="`kill -9` again and again, one in five while starting, joining or restoring",
    outcome=SAME,
)
def test_killed_at_random_moments(
    live_city: City, undisturbed: Outcome, tmp_path: Path, kills: int, measured: Measured
) -> None:
    with Run(live_city, tmp_path, settings=SHORT_SESSION) as run:
        run.wait_ready(run.start())
        with run.feed(seconds=5.0 * kills):
            killed = kill_at_random_moments(run, Random(SEED), kills)
        outcome = run.settled()
    repeats = verifier.repeats(outcome.outputs.predictions)
    mid_work = sum(kill.mid_work for kill in killed)
    measured("{:d} kills, {:d} mid-work; {:d} predictions twice, alike", kills, mid_work, repeats)
    assert len(killed) == kills
    assert [kill for kill in killed if not (kill.mid_work or kill.starting)] == []
    assert all(kill.left for kill in killed)
    assert repeats > 0
    assert judge(live_city, outcome, undisturbed) == []


@pytest.mark.timeout(300)
@pytest.mark.parametrize("stack", [REAL], indirect=True, scope="session")
@pytest.mark.faults(
    row=1,
    case="killed at random moments of rebalances",
    injections="three times: a worker joins, the one that hands over is `kill -9`",
    outcome=SAME,
)
def test_killed_in_the_middle_of_rebalances(
    live_city: City, undisturbed: Outcome, tmp_path: Path
) -> None:
    random = Random(SEED)
    with Run(live_city, tmp_path) as run:
        oldest = run.start()
        run.wait_ready(oldest)
        with run.feed(seconds=150.0):
            for _ in range(3):
                joining = run.start()
                run.wait_until(lambda joins=joining: joins.get("/healthz", 1.0)[0] == 200, "up")
                run.pass_time(random.uniform(0.0, 4.0))
                oldest.kill()
                oldest = joining
                run.wait_share(run.share)
                assert run.share < 1.0
        outcome = run.settled()
    assert judge(live_city, outcome, undisturbed) == []
