"""Bytewax with recovery: a model for each key as the state of an operator, snapshots to SQLite."""

from __future__ import annotations

import json
import os

import bytewax.operators as op
from bytewax.connectors.kafka import KafkaSinkMessage, KafkaSourceMessage
from bytewax.connectors.kafka import operators as kop
from bytewax.dataflow import Dataflow
from confluent_kafka import OFFSET_BEGINNING

from benchmarks.peers.river_model import RiverSeries, encode, forecast

BROKERS = [os.environ["BENCH_BOOTSTRAP"]]


def keyed(message: KafkaSourceMessage) -> tuple[str, dict[str, object]]:
    """Decode a message, by its key."""
    return message.key.decode(), json.loads(message.value)


def learn(
    series: RiverSeries | None, reading: dict[str, object]
) -> tuple[RiverSeries, dict[str, object]]:
    """Learn from a reading; return the model and the prediction."""
    series = series or RiverSeries()
    return series, forecast(series, reading)


def sent(pair: tuple[str, dict[str, object]]) -> KafkaSinkMessage:
    """Make the message of a prediction."""
    key, record = pair
    return KafkaSinkMessage(key.encode(), encode(record))


flow = Dataflow("bench")
source = kop.input(
    "readings", flow, brokers=BROKERS, topics=[os.environ["BENCH_READINGS"]],
    starting_offset=OFFSET_BEGINNING,
)  # fmt: skip
learned = op.stateful_map("learn", op.map("decode", source.oks, keyed), learn)
kop.output(
    "predictions", op.map("encode", learned, sent), brokers=BROKERS,
    topic=os.environ["BENCH_PREDICTIONS"],
)  # fmt: skip
