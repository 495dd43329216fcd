"""The composition root: settings in, one wired worker out.

Nothing is connected here; `hedgerow.app.service.worker` starts and stops what this module builds.
"""

from __future__ import annotations

import logging
import time
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass, replace
from functools import partial

import faust
from aiokafka.errors import KafkaError
from faust.tables import TableManager
from prometheus_client import CollectorRegistry, ProcessCollector
from redis.asyncio import Redis
from yarl import URL

from hedgerow.agents.errors import LogChanged, LogGap
from hedgerow.agents.forecast import ForecastAgent
from hedgerow.agents.forward import ForwardAgent
from hedgerow.agents.holding import Holding
from hedgerow.agents.holdings import Holdings
from hedgerow.agents.loop import Agent
from hedgerow.agents.outputs import Outputs
from hedgerow.agents.ports import Arrived, NoProbe, Partition, Probe, RegistrySource
from hedgerow.agents.storms import StormLimits
from hedgerow.app.access.kafka import faust_credentials
from hedgerow.app.access.stores import connect
from hedgerow.app.broker.producer import KafkaEmitter
from hedgerow.app.broker.readings_log import LogFacts, go_on_at
from hedgerow.app.broker.topic_admin import topic_names
from hedgerow.app.broker.transport import BatchConsumer, BatchTransport
from hedgerow.app.city import city_model, input_limits
from hedgerow.app.registry.follower import RegistryFollower
from hedgerow.app.service.http import HttpServer, Page
from hedgerow.app.service.metrics import WorkerMetrics
from hedgerow.app.service.share import Share
from hedgerow.app.service.state_metrics import StateCollector
from hedgerow.app.settings import OnRollback, Settings, Start
from hedgerow.app.state.store import RedisStateStore
from hedgerow.topics import ReadingDecoder

logger = logging.getLogger(__name__)

MAX_POLL_RECORDS = 2_000  # bounds the time of one step, and so the loop's longest silence
BUFFERED_FETCHES = 4  # decoded and learned one by one; more only costs memory
REQUEST_SECONDS = 90.0


class FaustApp(faust.App):  # type: ignore[misc]  # Faust ships no types we follow
    """A Faust app that keeps nothing on disk."""

    def _create_directories(self) -> None:
        """Make no data directory: state lives in Redis."""


class NoTables(TableManager):  # type: ignore[misc]
    """Faust's tables, of which there are none, so that nothing is waited for.

    The stock manager sleeps a second at every start, for tables to be declared.
    """

    async def on_start(self) -> None:
        """Start at once what seeks the partitions after a rebalance."""
        await self._update_channels()
        await self.recovery.start()


class Failure:
    """The first reason why the worker must stop."""

    def __init__(self) -> None:
        self.reason: Exception | None = None

    def __call__(self, reason: Exception) -> None:
        """Note a reason; the first one counts."""
        self.reason = self.reason or reason


@dataclass(frozen=True, slots=True)
class Loop:
    """What takes batches from bytes to outputs and state, whoever delivers them."""

    holdings: Holdings
    agent: ForecastAgent
    emitter: KafkaEmitter
    metrics: WorkerMetrics
    failure: Failure


@dataclass(frozen=True, slots=True)
class Parts:
    """Everything a worker consists of, wired but not started."""

    settings: Settings
    app: FaustApp
    redis: Redis
    emitter: KafkaEmitter
    holdings: Holdings
    metrics: WorkerMetrics
    registry: RegistryFollower
    http: HttpServer
    failure: Failure
    share: Share


def build(settings: Settings, log: LogFacts, probe: Probe | None = None) -> Parts:
    """Wire a worker.

    Parameters
    ----------
    log : LogFacts
        What the broker says of the readings' topic.
    probe : Probe, optional
        Told which points the worker has reached; nobody is otherwise.

    Raises
    ------
    SettingsError
        If the settings cannot be turned into a city model.
    """
    probe = probe or NoProbe()
    redis = connect(settings.redis)
    app = _faust_app(settings)
    share = Share(settings.group, time.monotonic)

    def realign(partition: Partition, next_offset: int) -> None:
        consumer: BatchConsumer = app.consumer  # made when first asked for, inside the loop
        consumer.realign(partition, next_offset)

    registry = RegistryFollower(settings)
    loop = forecast_loop(settings, log, redis, realign=realign, probe=probe, registry=registry)
    holdings, emitter, metrics, failure = loop.holdings, loop.emitter, loop.metrics, loop.failure

    async def assign(partitions: Iterable[Partition], arrived: Arrived) -> None:
        try:
            await holdings.assign(
                partitions,
                lambda new: _start_offsets(app.consumer, new, settings.start),
                lambda loaded: _end_offsets(app.consumer, loaded),
                arrived,
            )
        except Exception as error:
            failure(error)
            raise

    def go_on(partition: Partition, due: int, earliest: int, end: int) -> int | None:
        try:
            to = go_on_at(settings.on_gap, partition, due, earliest, end)
        except (LogGap, LogChanged) as error:
            failure(error)
            return None
        metrics.incident("gap")
        return to

    app.transport = BatchTransport(
        [URL(f"kafka://{server}") for server in settings.kafka.bootstrap_servers.split(",")],
        app,
        assign=assign,
        go_on=go_on,
        polled=metrics.polled,
    )

    async def assigned(_: object, partitions: set[object], **__: object) -> None:
        share.given()
        if not partitions:  # Faust seeks nothing then, and so would never tell the holdings
            await assign([], lambda *_: None)

    async def revoked(_: object, partitions: set[object], **__: object) -> None:
        share.awaited()
        probe.at("revoking")
        await holdings.checkpoint_all(settings.kafka.session_timeout_seconds / 2)

    app.on_partitions_assigned.connect(assigned)
    app.on_partitions_revoked.connect(revoked)

    def start_agent(name: str, topic: str, agent: Agent) -> None:
        source = app.topic(topic, key_serializer="raw", value_serializer="raw", internal=False)
        app.agent(source, name=name, concurrency=1)(agent.run)

    start_agent("forecast", settings.topics.readings, loop.agent)
    if settings.topics.forward:
        start_agent("forward", settings.topics.expert_forecasts, _forward_agent(settings, loop))

    def lag_of(holding: Holding) -> int | None:
        consumer: BatchConsumer = app.consumer
        return consumer.position_lag(holding.claim.partition, holding.next_offset)

    metrics.registry.register(
        StateCollector(
            holdings,
            lag_of=lag_of,
            broker_up=lambda: emitter.connected,
            topic=log.topic,
            topic_partitions=log.partitions,
            interval_seconds=settings.checkpoint.interval_seconds,
        )
    )
    ProcessCollector(registry=metrics.registry)

    not_ready = partial(_why_not_ready, loop, share)
    page = (
        _console(settings, loop, redis, lag_of=lag_of, not_ready=not_ready, registry=registry)
        if settings.http.console
        else None
    )
    http = HttpServer(settings.http, registry=metrics.registry, not_ready=not_ready, page=page)
    return Parts(settings, app, redis, emitter, holdings, metrics, registry, http, failure, share)


def _why_not_ready(loop: Loop, share: Share) -> str | None:
    """Say why the worker learns nothing just now, or will soon not; ``None`` if it is ready."""
    holdings, emitter, stops = loop.holdings, loop.emitter, loop.failure.reason
    if stops is not None:
        return f"stopping: {stops}"
    if (missing := share.missing()) is not None or not holdings.ready:
        return missing or "partitions are being assigned, or their state loaded"
    if not emitter.connected:
        return "no broker is reachable"
    if holdings.paused:
        return "paused: Redis cannot be written, nothing is learned until it can"
    if emitter.full:
        return "paused: the broker does not acknowledge outputs"
    return None


def forecast_loop(
    settings: Settings,
    log: LogFacts,
    redis: Redis,
    *,
    realign: Callable[[Partition, int], None],
    probe: Probe,
    registry: RegistrySource | None = None,
) -> Loop:
    """Wire everything but the transport: a worker's, or that of a command that learns.

    Without a ``registry`` every partition goes on by the one it was learned by.

    Raises
    ------
    SettingsError
        If the settings cannot be turned into a city model.
    """
    city = replace(city_model(settings), explain=settings.predictions.explain)
    failure = Failure()
    metrics = WorkerMetrics(CollectorRegistry())
    emitter = KafkaEmitter(settings.kafka)
    holdings = Holdings(
        store=RedisStateStore(
            redis,
            prefix=settings.redis.prefix,
            group=settings.group,
            probe=probe,
            keep=settings.checkpoint.keep,
        ),
        emitter=emitter,
        meter=metrics,
        clock=_Clock(),
        city=city,
        max_series=settings.input.max_series,
        interval_seconds=settings.checkpoint.interval_seconds,
        log_id=log.log_id,
        stop_on_rollback=settings.redis.on_rollback is OnRollback.STOP,
        on_failure=failure,
        registry=registry,
        probe=probe,
    )
    agent = ForecastAgent(
        decoder=ReadingDecoder(input_limits(settings)),
        holdings=holdings,
        outputs=Outputs(topic_names(settings), metrics),
        emitter=emitter,
        meter=metrics,
        realign=realign,
        on_failure=failure,
        limits=StormLimits(
            settings.dead_letters.max_run,
            settings.dead_letters.max_ratio,
            settings.dead_letters.window,
        ),
        probe=probe,
    )
    return Loop(holdings, agent, emitter, metrics, failure)


def _console(
    settings: Settings,
    loop: Loop,
    redis: Redis,
    *,
    lag_of: Callable[[Holding], int | None],
    not_ready: Callable[[], str | None],
    registry: RegistryFollower,
) -> Page:
    """Wire the live page; nothing of it is imported where it is off."""
    from hedgerow.app.console.wiring import console  # noqa: PLC0415

    return console(
        settings,
        loop.holdings,
        redis,
        loop.metrics,
        lag_of=lag_of,
        not_ready=not_ready,
        sensors=lambda: registry.sensors,
    )


def _forward_agent(settings: Settings, loop: Loop) -> ForwardAgent:
    """Wire the agent that hands on forecasts, beside a worker's own."""
    agent = loop.agent
    return ForwardAgent(
        decoder=agent.decoder,
        holdings=loop.holdings,
        names=topic_names(settings),
        emitter=loop.emitter,
        meter=loop.metrics,
        realign=agent.realign,
        on_failure=loop.failure,
        limits=agent.limits,
        probe=agent.probe,
    )


def _faust_app(settings: Settings) -> FaustApp:
    kafka = settings.kafka
    return FaustApp(
        settings.group,
        broker=[f"kafka://{server}" for server in kafka.bootstrap_servers.split(",")],
        broker_credentials=faust_credentials(kafka),
        broker_session_timeout=kafka.session_timeout_seconds,
        broker_heartbeat_interval=min(1.0, kafka.session_timeout_seconds / 3),
        broker_request_timeout=max(REQUEST_SECONDS, kafka.session_timeout_seconds),
        broker_max_poll_records=MAX_POLL_RECORDS,
        consumer_auto_offset_reset="none",  # a gap is not passed over in silence
        consumer_group_instance_id=kafka.instance_id,
        stream_buffer_maxsize=BUFFERED_FETCHES,
        stream_recovery_delay=0.0,
        stream_wait_empty=False,
        TableManager=NoTables,
        table_standby_replicas=0,  # no tables: plain round robin of the partitions
        topic_allow_declare=False,
        topic_disable_leader=True,
        web_enabled=False,
    )


async def _start_offsets(
    consumer: BatchConsumer, partitions: Sequence[Partition], start: Start
) -> Mapping[Partition, int]:
    """Ask the broker where partitions without state begin."""
    ask = consumer.earliest_offsets if start is Start.EARLIEST else consumer.highwaters
    wanted = {(partition.topic, partition.number): partition for partition in partitions}
    tps = [tp for tp in consumer.assignment() if (tp.topic, tp.partition) in wanted]
    return {wanted[tp.topic, tp.partition]: int(offset) for tp, offset in (await ask(*tps)).items()}


async def _end_offsets(
    consumer: BatchConsumer, partitions: Sequence[Partition]
) -> Mapping[Partition, int]:
    """Ask the broker how far partitions reach; nothing where it does not tell."""
    try:
        return await _start_offsets(consumer, partitions, Start.LATEST)
    except KafkaError as error:
        logger.warning("the broker does not tell how far its log reaches: %s", error)
        return {}


class _Clock:
    """The machine's monotonic clock."""

    def monotonic(self) -> float:
        """Return seconds since an arbitrary start."""
        return time.monotonic()
