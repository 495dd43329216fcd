"""The demo's own replay, bad messages included, its worker killed at random moments."""

from __future__ import annotations

from collections.abc import Iterator
from itertools import islice
from pathlib import Path
from random import Random
from zlib import crc32

import pytest
from faults.judge import verifier
from faults.judge.expected import Rules
from faults.log.city import City, build_city
from faults.log.logs import Entry
from faults.log.scenario import HOUR
from faults.run.driver import Run, judge, kill_at_random_moments
from stack.fixtures import Stack

from hedgerow.app.demo import run as demo
from hedgerow.app.demo.feed import Feed
from hedgerow.app.replay.readings_file import BadRow

MESSAGES = 40_000
PARTITIONS = 4
WRITTEN_MS = 1_751_400_000_000  # 2025-07-01: all readings are older, and one is of 2999
CONFIG = Path(demo.__file__).with_name("city.toml")


def messages() -> Iterator[Entry]:
    """Give what the demo sends, but for the parking: its times lie on no common grid."""
    for row in Feed(trouble_after=MESSAGES // 3).rows():
        assert not isinstance(row, BadRow)
        key = row.sensor_id.encode()
        if not key.startswith(b"parking-"):
            yield Entry(crc32(key) % PARTITIONS, WRITTEN_MS, key, row.message)


@pytest.fixture
def demo_city(stack: Stack) -> City:
    return build_city(
        stack,
        list(islice(messages(), MESSAGES)),
        partitions=PARTITIONS,
        rules=Rules(topic="sensor-data", period_ms=lambda _: HOUR),
        config=CONFIG.read_text("utf-8"),
    )


@pytest.mark.timeout(1800)
def test_the_demos_replay_loses_nothing_to_kills(
    demo_city: City, tmp_path: Path, kills: int
) -> None:
    with Run(demo_city, tmp_path) as run:
        run.wait_ready(run.start())
        with run.feed(seconds=5.0 * kills):
            killed = kill_at_random_moments(run, Random(len(demo_city.entries)), kills)
        run.wait_done()
        run.check_accounting()
        outcome = run.finish()
    assert [kill for kill in killed if not (kill.mid_work or kill.starting)] == []
    assert all(kill.left for kill in killed)
    assert verifier.repeats(outcome.outputs.predictions) > 0
    assert judge(demo_city, outcome) == []
    assert len(demo_city.expected.dead) == len({r.value for r in outcome.outputs.dead_letters}) == 5
