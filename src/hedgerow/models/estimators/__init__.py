"""The compiled experts and aggregations as River estimators, for pipelines and notebooks.

The bank learns many series at once; these learn one model each, through the same compiled
functions, behind River's verbs ``learn_one`` and ``predict_one``. ``tests/contracts`` holds
every one of them to River's own checks and to the bank's rows.
"""

from hedgerow.models.estimators.aggregation import Aggregation
from hedgerow.models.estimators.companions import CompanionLeastSquares
from hedgerow.models.estimators.gradient import (
    AdaGradRegressor,
    CappedGradientDescent,
    MedianRegressor,
    NormalisedLMS,
    PoissonRegressor,
)
from hedgerow.models.estimators.gradient_descent import OnlineGradientDescent
from hedgerow.models.estimators.hedge import Hedge
from hedgerow.models.estimators.hold import HoldMedian
from hedgerow.models.estimators.least_squares import HourlyLeastSquares, RecursiveLeastSquares
from hedgerow.models.estimators.seasonal import (
    Holt,
    LevelledPattern,
    SeasonalNaive,
    WeeklyPattern,
)

__all__ = [
    "AdaGradRegressor",
    "Aggregation",
    "CappedGradientDescent",
    "CompanionLeastSquares",
    "Hedge",
    "HoldMedian",
    "Holt",
    "HourlyLeastSquares",
    "LevelledPattern",
    "MedianRegressor",
    "NormalisedLMS",
    "OnlineGradientDescent",
    "PoissonRegressor",
    "RecursiveLeastSquares",
    "SeasonalNaive",
    "WeeklyPattern",
]
