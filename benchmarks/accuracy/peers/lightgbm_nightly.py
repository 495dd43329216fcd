"""LightGBM on the features of `design`: one model for the median and one for the mean."""

from __future__ import annotations

import lightgbm

from benchmarks.accuracy.forecasts import Floats
from benchmarks.accuracy.peers.refitted import Fitted

TREES = 80
PARAMETERS = {"num_leaves": 31, "learning_rate": 0.1, "verbose": -1, "seed": 0, "num_threads": 1}


def fit(features: Floats, labels: Floats) -> Fitted:
    """Fit both on the same bins."""
    data = lightgbm.Dataset(features, labels, free_raw_data=False)
    middle, mean = (
        lightgbm.train(PARAMETERS | {"objective": objective}, data, num_boost_round=TREES)
        for objective in ("regression_l1", "regression")
    )
    return lambda ahead: (middle.predict(ahead), mean.predict(ahead))
