"""What every other engine learns: eight experts of River under exponential weights.

The same kind of ensemble as ours, and less of it: online gradient descent on eight lags,
standardised, at eight rates, one horizon, no interval, no alert. Predict, then learn when the next
reading is there, as ours does.
"""

from __future__ import annotations

import json
from collections import deque

from river import ensemble, linear_model, optim, preprocessing

RATES = (0.001, 0.002, 0.005, 0.01, 0.02, 0.05, 0.1, 0.2)
LAGS = 8
SCALE = 100.0  # River's weights vanish on losses of values as large as these


class RiverSeries:
    """The model of one series.

    Examples
    --------
    >>> series = RiverSeries()
    >>> [series.take(50.0) is not None for _ in range(3)]
    [True, True, True]
    """

    def __init__(self) -> None:
        self.model = ensemble.EWARegressor(
            [
                preprocessing.StandardScaler()
                | linear_model.LinearRegression(optim.SGD(rate), clip_gradient=1.0)
                for rate in RATES
            ],
            learning_rate=0.5,
        )
        self.lags: deque[float] = deque([0.0] * LAGS, maxlen=LAGS)
        self.features: dict[str, float] | None = None

    def take(self, value: float) -> float:
        """Learn from a reading on the features it was forecast from; forecast the next one."""
        if self.features is not None:
            self.model.learn_one(self.features, value / SCALE)
        self.lags.append(value / SCALE)
        self.features = {f"lag_{lag}": past for lag, past in enumerate(self.lags)}
        return float(self.model.predict_one(self.features)) * SCALE


def forecast(series: RiverSeries, reading: dict[str, object]) -> dict[str, object]:
    """Take a decoded reading; return the prediction as a record."""
    value = float(reading["value"])  # type: ignore[arg-type]
    return {
        "series": reading["sensor_id"],
        "issued_at": reading["timestamp"],
        "observed": value,
        "predicted": series.take(value),
    }


def encode(record: dict[str, object]) -> bytes:
    """Write a prediction as JSON."""
    return json.dumps(record).encode()
