"""Fixtures every test may ask for: the stacks of `stack`, the cities of `faults`; and the
plugin of the fault matrix."""

from __future__ import annotations

import signal
from pathlib import Path

import pytest
from faults.fixtures import armed, kills, live_city, probed, undisturbed, written_city
from faults.matrix import Matrix, add_option, measured
from hypothesis import HealthCheck, settings
from stack.fixtures import embedded_stack, kafka, real_redis, real_stack, stack

__all__ = [
    "armed", "embedded_stack", "kafka", "kills", "live_city", "measured", "probed", "real_redis",
    "real_stack", "stack", "undisturbed", "written_city",
]  # fmt: skip

# A shell that starts the tests in the background makes them, and every process they start,
# deaf to Ctrl-C, which some tests press.
signal.signal(signal.SIGINT, signal.default_int_handler)

# A machine may be busy: how long an example takes says nothing about the code.
settings.register_profile("busy", deadline=None, suppress_health_check=[HealthCheck.too_slow])
settings.load_profile("busy")


def pytest_addoption(parser: pytest.Parser) -> None:
    add_option(parser)
    parser.addoption(
        "--pictures",
        metavar="FOLDER",
        type=Path,
        help="where the console's tests write their pictures; nowhere if left out",
    )


def pytest_configure(config: pytest.Config) -> None:
    config.pluginmanager.register(Matrix(config), "fault-matrix")
