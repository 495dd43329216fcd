"""A worker's life: check, start, run until told to stop, save, leave the group."""

from __future__ import annotations

import asyncio
import contextlib
import gc
import logging
import signal
import sys
import time
from collections.abc import AsyncIterator

from confluent_kafka.admin import AdminClient

from hedgerow.agents.errors import PortError
from hedgerow.agents.ports import Probe
from hedgerow.app.access.reach import why_no_redis
from hedgerow.app.access.redis import refusal
from hedgerow.app.access.stores import disconnect
from hedgerow.app.broker.readings_log import LogFacts, describe_log, watch
from hedgerow.app.broker.topic_admin import admin_client, ensure_topics, existing_topics
from hedgerow.app.city import city_model
from hedgerow.app.embedded.group import begin_anew
from hedgerow.app.errors import (
    AccessRefused,
    BrokerUnavailable,
    StateUnavailable,
    TopicMissing,
    WorkerFailed,
)
from hedgerow.app.port_errors import explained
from hedgerow.app.service.bootstrap import Parts, build
from hedgerow.app.service.warmup import warm_up
from hedgerow.app.settings import Settings
from hedgerow.app.state.census import RedisCensus

logger = logging.getLogger(__name__)

TICK_SECONDS = 0.25
DRAIN_SECONDS = 5.0
STOP_SECONDS = 15.0
DESCRIBE_SECONDS = 10.0
REFUSED_SECONDS = 5.0
REGISTRY_SECONDS = 30.0


def run_worker(settings: Settings, probe: Probe | None = None) -> int:
    """Run one worker until a signal or a failure ends it.

    Parameters
    ----------
    probe : Probe, optional
        Told which points the worker has reached.

    Returns
    -------
    int
        0 after SIGTERM or SIGINT.

    Raises
    ------
    AppError
        If the worker cannot start, or had to stop; the message says why.
    """
    logging.basicConfig(
        level=settings.log_level.upper(),
        format="%(asctime)s %(levelname)-7s %(name)s %(message)s",
        stream=sys.stderr,
    )
    for chatty in ("aiokafka", "faust", "mode"):
        logging.getLogger(chatty).setLevel(logging.WARNING)
    city_model(settings)  # a profile that cannot be used is told before any server is asked
    ensure_topics(settings)
    admin = admin_client(settings.kafka)
    log = _readings_log(admin, settings.topics.readings)
    return asyncio.run(_serve(settings, admin, log, probe))


def _readings_log(admin: AdminClient, topic: str) -> LogFacts:
    """Describe the readings' topic; one just made is not known to every broker at once."""
    deadline = time.monotonic() + DESCRIBE_SECONDS
    while True:
        try:
            return describe_log(admin, topic)
        except TopicMissing:
            if time.monotonic() > deadline:
                raise
            time.sleep(0.1)


async def _serve(settings: Settings, admin: AdminClient, log: LogFacts, probe: Probe | None) -> int:
    stop = _stop_signal()
    parts = build(settings, log, probe)
    try:
        await _redis_answers(parts)
        await _same_partitions(parts, log)
        host, port = await parts.http.start()
        logger.info("metrics and health on http://%s:%d", host, port)
        with parts.registry:
            # The kernels are compiled or loaded now, not while the group waits for us.
            warm_up(explain=settings.predictions.explain)
            await parts.registry.read(REGISTRY_SECONDS)
            async with _running(parts), _watched(admin, log, parts):
                await _until(stop, parts)
                await _drain(parts)
    finally:
        await parts.http.stop()
        await asyncio.to_thread(parts.emitter.close)
        await disconnect(parts.redis)
    if parts.failure.reason is not None:
        raise explained(parts.failure.reason, settings)
    return 0


def _stop_signal() -> asyncio.Event:
    stop = asyncio.Event()
    loop = asyncio.get_running_loop()
    for number in (signal.SIGINT, signal.SIGTERM):
        loop.add_signal_handler(number, stop.set)
    return stop


async def _redis_answers(parts: Parts) -> None:
    try:
        await parts.redis.ping()
        parts.metrics.store_reachable(True)
    except Exception as error:  # the client's errors have no common root
        sentence = refusal(error)
        if sentence is not None:
            raise AccessRefused(sentence) from None
        raise StateUnavailable(
            f"Redis does not answer: {why_no_redis(error)}; start it, or set redis.url "
            "(HEDGEROW_REDIS__URL)"
        ) from None


async def _same_partitions(parts: Parts, log: LogFacts) -> None:
    """Refuse to start on another number of partitions than the state was learned with."""
    redis = parts.settings.redis
    census = RedisCensus(
        parts.redis, prefix=redis.prefix, group=parts.settings.group, topic=log.topic
    )
    try:
        await census.check(log)
    except PortError as error:
        raise explained(error) from None


@contextlib.asynccontextmanager
async def _watched(admin: AdminClient, log: LogFacts, parts: Parts) -> AsyncIterator[None]:
    """Keep an eye on the readings' topic."""
    watching = asyncio.create_task(watch(admin, log, parts.failure))
    try:
        yield
    finally:
        watching.cancel()


@contextlib.asynccontextmanager
async def _running(parts: Parts) -> AsyncIterator[None]:
    """Keep the Faust app and the checkpoint ticker running.

    The app has started once the group has shared out its partitions. That may take long, and a
    signal ends it as well.
    """
    starting = asyncio.create_task(_start(parts))
    ticker = asyncio.create_task(_tick(parts))
    try:
        yield
    finally:
        for task in (starting, ticker):
            task.cancel()
        try:
            async with asyncio.timeout(STOP_SECONDS):
                await parts.app.stop()
        except TimeoutError:
            logger.warning("the consumer did not stop within %.0f s", STOP_SECONDS)


async def _start(parts: Parts) -> None:
    parts.app.finalize()
    parts.share.awaited()
    try:
        await parts.app.maybe_start()
    except Exception as error:  # whatever it is, nothing will be learned
        parts.failure(error)
        return
    gc.collect()
    gc.freeze()  # what exists now lives as long as the worker: nothing to look through
    gc.set_threshold(50_000, 20, 100)


async def _tick(parts: Parts) -> None:
    """Checkpoint partitions on which no more readings arrive."""
    while True:
        await asyncio.sleep(TICK_SECONDS)
        parts.holdings.checkpoint_when_due()


async def _until(stop: asyncio.Event, parts: Parts) -> None:
    """Wait for a signal, a failure, or the end of the Faust app."""
    waits = False
    while not stop.is_set() and parts.failure.reason is None:
        with contextlib.suppress(TimeoutError):
            await asyncio.wait_for(stop.wait(), TICK_SECONDS)
        if parts.emitter.failure is not None:
            parts.failure(parts.emitter.failure)
        if parts.app.crashed:
            parts.failure(parts.app.crash_reason or WorkerFailed("the Faust app ended"))
        if parts.emitter.refused_seconds > REFUSED_SECONDS:
            await _still_admitted(parts)
        missing = parts.share.missing()
        if missing is not None and not waits:
            await _without_share(parts, missing)
        waits = missing is not None


async def _still_admitted(parts: Parts) -> None:
    """Ask once whether Kafka still refuses us: its clients would ask for ever.

    A broker that is being restarted may refuse for a moment what it accepts a second later.
    """
    kafka = parts.settings.kafka
    try:
        await asyncio.to_thread(existing_topics, admin_client(kafka), kafka)
    except AccessRefused as error:
        parts.failure(error)
    except BrokerUnavailable as error:
        logger.warning("%s", error)
    parts.emitter.forget_refusal()


async def _without_share(parts: Parts, missing: str) -> None:
    """Say that the group waits; the embedded broker's would for ever, and is begun anew."""
    settings = parts.settings
    if await asyncio.to_thread(begin_anew, settings.kafka, settings.group):
        logger.warning(
            "group %s waited for a worker that has left, as the embedded broker lets it where two "
            "leave at once; it was begun anew, and partitions are shared out in a few seconds",
            settings.group,
        )
        parts.share.given()
        parts.share.awaited()
    else:
        logger.warning("%s", missing)


async def _drain(parts: Parts) -> None:
    """Take no more batches, and save what has been learned."""
    parts.app.flow_control.suspend()
    with contextlib.suppress(Exception):  # not started far enough to have a consumer
        parts.app.consumer.stop_flow()
    await parts.holdings.checkpoint_all(DRAIN_SECONDS)
