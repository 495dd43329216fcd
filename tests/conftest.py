"""Fixtures every test may ask for: the stacks of `stack`."""

from __future__ import annotations

from stack.fixtures import embedded_stack, kafka, real_redis, real_stack

__all__ = ["embedded_stack", "kafka", "real_redis", "real_stack"]
