"""A city on each kind of stack, and the undisturbed run every other run is compared with."""

from __future__ import annotations

import sys
from collections.abc import Callable, Sequence
from pathlib import Path

import pytest
from faults.log import scenario
from faults.log.city import City, build_city
from faults.matrix import at_full_length
from faults.run.driver import Outcome, undisturbed_run
from stack.fixtures import Stack
from stack.parts import in_ci

PARTITIONS = 4
PROBED = Path(__file__).with_name("run") / "probed.py"


@pytest.fixture(scope="session")
def kills(stack: Stack, request: pytest.FixtureRequest) -> int:
    """How often a worker is killed at random moments."""
    if stack.real and at_full_length(request.config):
        return 50
    return 5 if stack.real and in_ci() else 3


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
    return undisturbed_run(written_city, tmp_path_factory.mktemp("undisturbed"))


Probed = Callable[[str, int], Sequence[str]]


@pytest.fixture
def armed(tmp_path: Path) -> Path:
    """The file that arms a probe: from when it is there, passes of the point count."""
    return tmp_path / "armed"


@pytest.fixture
def probed(armed: Path) -> Probed:
    """Return the command of a worker that kills itself at a point."""
    return lambda point, passes: (sys.executable, str(PROBED), point, str(passes), str(armed))
