"""A city on each kind of stack, and the undisturbed run every other run is compared with."""

from __future__ import annotations

import pytest
from faults import scenario
from faults.city import City, build_city
from faults.driver import Outcome, Run, judge
from stack.fixtures import REAL, Stack
from stack.parts import in_ci

PARTITIONS = 4


@pytest.fixture(scope="session", params=[pytest.param("embedded_stack", id="embedded"), REAL])
def stack(request: pytest.FixtureRequest) -> Stack:
    """Both stacks, one after the other."""
    chosen: Stack = request.getfixturevalue(request.param)
    return chosen


@pytest.fixture(scope="session")
def kills(stack: Stack) -> int:
    """How often a worker is killed: often where there is time for it."""
    return 20 if stack.real and in_ci() else 3


@pytest.fixture(scope="session")
def written_city(stack: Stack) -> City:
    """A log that is complete before any worker starts."""
    entries = scenario.entries(scenario.Shape(partitions=PARTITIONS))
    return build_city(stack, entries, partitions=PARTITIONS).write()


@pytest.fixture
def live_city(stack: Stack, written_city: City) -> City:
    """The same log on a fresh topic, to be fed while workers run."""
    return build_city(stack, written_city.entries, partitions=PARTITIONS)


@pytest.fixture(scope="session")
def undisturbed(written_city: City, tmp_path_factory: pytest.TempPathFactory) -> Outcome:
    """What one worker leaves behind that nobody disturbs; checked by itself."""
    with Run(written_city, tmp_path_factory.mktemp("undisturbed")) as run:
        run.start()
        run.wait_done()
        outcome = run.finish()
        assert judge(written_city, outcome) == []
        return outcome
