"""Fixtures every test may ask for: the stacks of `stack`."""

from __future__ import annotations

import signal

from hypothesis import HealthCheck, settings
from stack.fixtures import embedded_stack, kafka, real_redis, real_stack

__all__ = ["embedded_stack", "kafka", "real_redis", "real_stack"]

# A shell that starts the tests in the background makes them, and every process they start,
# deaf to Ctrl-C, which some tests press.
signal.signal(signal.SIGINT, signal.default_int_handler)

# A machine may be busy: how long an example takes says nothing about the code.
settings.register_profile("busy", deadline=None, suppress_health_check=[HealthCheck.too_slow])
settings.load_profile("busy")
