"""Quix Streams with its state: a model for each key, pickled, in RocksDB and a changelog topic."""

from __future__ import annotations

import os
import pickle

from quixstreams import Application, State

from benchmarks.peers.river_model import RiverSeries, forecast


def learn(reading: dict[str, object], state: State) -> dict[str, object]:
    """Take the series' model from the state, learn, and put it back."""
    stored = state.get_bytes("model")
    series = pickle.loads(stored) if stored else RiverSeries()
    record = forecast(series, reading)
    state.set_bytes("model", pickle.dumps(series))
    return record


def main() -> None:
    """Run until told to end."""
    app = Application(
        broker_address=os.environ["BENCH_BOOTSTRAP"],
        consumer_group=os.environ["BENCH_PREDICTIONS"],
        auto_offset_reset="earliest",
        state_dir=os.environ["BENCH_FOLDER"],
        loglevel="WARNING",
    )
    readings = app.topic(os.environ["BENCH_READINGS"], value_deserializer="json")
    predictions = app.topic(os.environ["BENCH_PREDICTIONS"], value_serializer="json")
    app.dataframe(readings).apply(learn, stateful=True).to_topic(predictions)
    app.run()


if __name__ == "__main__":
    main()
