"""The stock way: a Faust agent that gets one event for each message.

Same decoder, same learner, same producer as the product's worker; what differs is the
transport, and that nothing is stored.
"""

from __future__ import annotations

import asyncio
import signal
from types import SimpleNamespace

import faust
from prometheus_client import CollectorRegistry

from hedgerow.agents.outputs import Outputs
from hedgerow.agents.ports import Batch, Partition
from hedgerow.app.broker.producer import KafkaEmitter
from hedgerow.app.broker.topic_admin import topic_names
from hedgerow.app.city import city_model
from hedgerow.app.service.bootstrap import FaustApp
from hedgerow.app.service.metrics import WorkerMetrics
from hedgerow.app.service.warmup import warm_up
from hedgerow.app.settings import load_settings
from hedgerow.models import Learner
from hedgerow.topics import ReadingDecoder


async def main() -> None:
    """Run until SIGTERM."""
    settings = load_settings()
    warm_up()
    app = FaustApp(
        settings.group,
        broker=f"kafka://{settings.kafka.bootstrap_servers}",
        broker_session_timeout=6,
        broker_heartbeat_interval=1,
        consumer_auto_offset_reset="earliest",
        table_standby_replicas=0,
        topic_allow_declare=False,
        topic_disable_leader=True,
        web_enabled=False,
    )
    decoder = ReadingDecoder()
    metrics = WorkerMetrics(CollectorRegistry())
    outputs = Outputs(topic_names(settings), metrics)
    emitter = KafkaEmitter(settings.kafka)
    city = city_model(settings)
    learners: dict[int, Learner] = {}
    topic = app.topic(settings.topics.readings, key_serializer="raw", value_serializer="raw")

    @app.agent(topic)
    async def learn(stream: faust.Stream[bytes]) -> None:
        async for event in stream.events():
            message = SimpleNamespace(
                offset=event.message.offset,
                timestamp=int(event.message.timestamp * 1000),
                key=event.message.key,
                value=event.message.value,
            )
            partition = event.message.partition
            learner = learners.setdefault(partition, Learner(city))
            decoded = decoder.decode([message])
            result = learner.step(
                decoded.sensor_ids,
                decoded.quantities,
                decoded.time_ms,
                decoded.values,
                decoded.offsets,
            )
            batch = Batch(
                Partition(settings.topics.readings, partition),
                message.offset,
                message.offset + 1,
                [message],
            )
            outputs.emit(emitter, batch, decoded, result, learner)
            await emitter.room()

    stop = asyncio.Event()
    asyncio.get_running_loop().add_signal_handler(signal.SIGTERM, stop.set)
    app.finalize()
    await app.start()
    await stop.wait()
    await app.stop()
    emitter.close()


if __name__ == "__main__":
    asyncio.run(main())
