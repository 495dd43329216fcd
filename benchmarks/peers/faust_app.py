"""Faust as it comes: one event for each message; models in a dictionary, or in a Table.

``--table`` keeps them in a Table, which writes every change to its changelog topic. That is how
Faust makes state survive; the dictionary is lost with the process.
"""

from __future__ import annotations

import logging
import os
import sys
from collections import defaultdict

import faust

from benchmarks.peers.river_model import RiverSeries, forecast

logging.basicConfig(level=logging.WARNING)
app = faust.App(
    os.environ["BENCH_PREDICTIONS"],
    broker=f"kafka://{os.environ['BENCH_BOOTSTRAP']}",
    datadir=os.environ["BENCH_FOLDER"],
    consumer_auto_offset_reset="earliest",
    topic_partitions=8,
    topic_replication_factor=1,
    topic_disable_leader=True,
    table_standby_replicas=0,
    web_enabled=False,
)
readings = app.topic(
    os.environ["BENCH_READINGS"], key_serializer="raw", value_serializer="json", internal=False
)
predictions = app.topic(
    os.environ["BENCH_PREDICTIONS"], key_serializer="raw", value_serializer="json"
)
IN_TABLE = "--table" in sys.argv
if IN_TABLE:
    models = app.Table("models", default=RiverSeries)
    models.key_serializer, models.value_serializer = "raw", "pickle"  # no parameters for these
else:
    models = defaultdict(RiverSeries)


@app.agent(readings)
async def learn(stream: faust.Stream[dict[str, object]]) -> None:
    """Learn from each reading and send its prediction."""
    async for key, reading in stream.items():
        series = models[key]
        record = forecast(series, reading)
        if IN_TABLE:
            models[key] = series  # a Table hears of a change only so
        await predictions.send(key=key, value=record)


if __name__ == "__main__":
    sys.argv = [sys.argv[0], "worker", "--without-web", "-l", "warn"]
    app.main()
