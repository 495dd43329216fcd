"""Puts the console of a worker together.

Before: the worker's own wiring. After: the HTTP server serves it.
"""

from __future__ import annotations

import os
import socket
import time
from collections.abc import Callable, Mapping

from redis.asyncio import Redis

from hedgerow.agents.holding import Holding
from hedgerow.agents.holdings import Holdings
from hedgerow.app.city import city_model
from hedgerow.app.console.asking import Answering, Asking
from hedgerow.app.console.checkpoints import Checkpoints
from hedgerow.app.console.group import Group
from hedgerow.app.console.past import Past
from hedgerow.app.console.reports import Reporter, Reports
from hedgerow.app.console.routes import Console
from hedgerow.app.console.worker import HeldHere, Saved
from hedgerow.app.settings import Settings
from hedgerow.app.state.store import RedisStateStore
from hedgerow.topics import Sensor


def console(
    settings: Settings,
    holdings: Holdings,
    redis: Redis,
    saved: Saved,
    *,
    lag_of: Callable[[Holding], int | None],
    not_ready: Callable[[], str | None],
    sensors: Callable[[], Mapping[str, Sensor]],
) -> Console:
    """Wire the live page of a worker.

    Parameters
    ----------
    redis : Redis
        Where all workers store their checkpoints.
    saved : Saved
        The worker's metrics.
    lag_of, not_ready, sensors : Callable
        As `HeldHere` and `Console` have them.
    """
    prefix, group, topic = settings.redis.prefix, settings.group, settings.topics.readings
    name = settings.kafka.instance_id or f"{socket.gethostname()}-{os.getpid()}"
    past = Past(holdings)
    here = HeldHere(
        holdings,
        saved,
        lag_of=lag_of,
        not_ready=not_ready,
        clock=time.monotonic,
        name=name,
        past=past,
    )
    store = RedisStateStore(redis, prefix=prefix, group=group)
    checkpoints = Checkpoints(store, city_model(settings))
    reports = Reports(redis, prefix=prefix, group=group, topic=topic)
    asking = Asking(redis, prefix=prefix, group=group)
    return Console(
        settings,
        here,
        sensors=sensors,
        checkpoints=checkpoints,
        group=Group(reports, checkpoints, topic=topic, here=name),
        asking=asking,
        background=(
            Reporter(reports, here.reports),
            Answering(asking, lambda: [one.claim.partition for one in holdings.all()], past.of),
            past,
        ),
    )
