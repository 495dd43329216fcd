"""Workers killed, stopped, frozen and replaced: nothing lost, nothing learned twice.

Each run is judged by itself and beside an undisturbed run over the same log: the same
predictions, alerts and dead letters byte for byte, the same state in Redis.
"""

from __future__ import annotations

from pathlib import Path
from random import Random

import pytest
from faults import verifier
from faults.city import City
from faults.driver import Outcome, Run, judge, kill_at_random_moments
from stack.fixtures import REAL

SEED = 20_251_019


def settled(run: Run) -> Outcome:
    """Finish a run: all saved, and the accounting as it must be."""
    run.wait_done()
    run.check_accounting()
    return run.finish()


@pytest.mark.timeout(1800)
def test_killed_at_random_moments(
    live_city: City, undisturbed: Outcome, tmp_path: Path, kills: int
) -> None:
    with Run(live_city, tmp_path) as run:
        run.wait_ready(run.start())
        with live_city.feed(seconds=5.0 * kills, answered=lambda: run.share):
            killed = kill_at_random_moments(run, Random(SEED), kills)
        outcome = settled(run)
    assert len(killed) == kills
    assert [kill for kill in killed if not (kill.mid_work or kill.starting)] == []
    assert all(kill.left for kill in killed)
    assert verifier.repeats(outcome.outputs.predictions) > 0
    assert judge(live_city, outcome, undisturbed) == []


def test_one_of_two_killed_after_the_other_joined(
    live_city: City, undisturbed: Outcome, tmp_path: Path
) -> None:
    random = Random(SEED)
    with Run(live_city, tmp_path) as run:
        first = run.start()
        run.wait_ready(first)
        with live_city.feed(seconds=90.0):
            second = run.start()  # a rebalance under load
            run.wait_until(lambda: run.holds(second) > 0, "the second at work")
            run.pass_time(random.uniform(0.0, 1.0))
            first.kill()
            run.wait_until(lambda: run.holds(second) == live_city.partitions, "taken over")
            assert 0.0 < run.share < 1.0
        outcome = settled(run)
    assert judge(live_city, outcome, undisturbed) == []


@pytest.mark.timeout(600)
@pytest.mark.parametrize("stack", [REAL], indirect=True, scope="session")
def test_killed_in_the_middle_of_rebalances(
    live_city: City, undisturbed: Outcome, tmp_path: Path
) -> None:
    random = Random(SEED)
    with Run(live_city, tmp_path) as run:
        oldest = run.start()
        run.wait_ready(oldest)
        with live_city.feed(seconds=150.0):
            for _ in range(3):  # a worker joins, and the one that hands over dies meanwhile
                joining = run.start()
                run.wait_until(lambda joins=joining: joins.get("/healthz", 1.0)[0] == 200, "up")
                run.pass_time(random.uniform(0.0, 4.0))
                oldest.kill()
                oldest = joining
                run.wait_share(run.share)
                assert run.share < 1.0
        outcome = settled(run)
    assert judge(live_city, outcome, undisturbed) == []


def test_asked_to_leave_in_the_middle(
    live_city: City, undisturbed: Outcome, tmp_path: Path
) -> None:
    with Run(live_city, tmp_path) as run:
        first = run.start()
        run.wait_ready(first)
        with live_city.feed(seconds=20.0):
            run.wait_share(0.3)
            first.leave()
            half = run.collect()
            run.start()
        outcome = settled(run)
    assert 0 < len(half.outputs.predictions) < len(live_city.expected.learned)
    assert judge(live_city, outcome, undisturbed) == []
    assert verifier.repeats(outcome.outputs.predictions) == 0
    assert verifier.repeats(outcome.outputs.alerts) == 0
    assert len(outcome.outputs.dead_letters) == len(live_city.expected.dead)


@pytest.mark.timeout(600)
@pytest.mark.parametrize("stack", [REAL], indirect=True, scope="session")
def test_frozen_past_its_session_and_thawed(
    live_city: City, undisturbed: Outcome, tmp_path: Path
) -> None:
    with Run(live_city, tmp_path) as run:
        zombie, survivor = run.start(), run.start()
        run.wait_ready(zombie)
        run.wait_ready(survivor)
        with live_city.feed(seconds=120.0):
            run.wait_until(
                lambda: run.holds(zombie) > 0 and run.holds(survivor) > 0, "both at work"
            )
            run.wait_share(run.share + 0.02)
            zombie.pause()
            run.wait_until(lambda: run.holds(survivor) == live_city.partitions, "taken over")
            run.wait_share(run.share + 0.02)
            zombie.go_on()
            assert run.share < 1.0
        run.wait_done()
        assert zombie.running
        run.wait_ready(zombie)
        outcome = settled(run)
    assert judge(live_city, outcome, undisturbed) == []
