"""Predictions that tell what they were made of, one record after the other.

Before: a step that has explained its forecasts (`predictions.explain`). After: the producer. The
numbers are those that ``outputs`` writes without; what is told besides depends on the log alone
too. Written by msgspec record by record, at a multiple of the cost of ``topics/columns``.
"""

from __future__ import annotations

import math
from collections.abc import Iterator

import numpy as np

from hedgerow.agents.ports import Partition
from hedgerow.models import StepResult
from hedgerow.models.explanation.columns import Explained
from hedgerow.models.explanation.inputs import LEVEL
from hedgerow.models.explanation.ledger import MEDIAN_OF
from hedgerow.topics import (
    DecodedBatch,
    ExpertShare,
    Explanation,
    Forecast,
    InputShare,
    Prediction,
    encode_record,
    format_time,
    prediction_id,
    series_key,
)

STRONGEST = 5  # inputs told of each forecast, besides the level


def encode_explained(
    partition: Partition, decoded: DecodedBatch, result: StepResult, explained: Explained
) -> list[tuple[bytes, bytes]]:
    """Write one record for each learned reading, with what its forecasts were made of."""
    told = _Told(explained)
    return [
        encode_record(_prediction(partition, decoded, result, line, told))
        for line in range(len(result.learned))
    ]


class _Told:
    """The columns of an explanation as lists, the inputs in the order of what they brought."""

    def __init__(self, explained: Explained) -> None:
        sums = explained.sums[:, :, MEDIAN_OF]
        moved = np.abs(sums)
        moved[:, :, LEVEL] = np.inf  # comes first
        order = np.argsort(-moved, axis=-1, kind="stable")
        ordered = np.take_along_axis(sums, order, axis=-1)
        self.order = order[:, :, : STRONGEST + 1].tolist()
        self.amounts = ordered[:, :, : STRONGEST + 1].tolist()
        self.others = ordered[:, :, STRONGEST + 1 :].sum(axis=-1).tolist()
        self.said = explained.said.tolist()
        self.weights = explained.weights.tolist()
        heavy = np.argsort(-explained.weights[:, :, MEDIAN_OF], axis=-1, kind="stable")
        self.heavy = heavy.tolist()
        self.experts, self.inputs = explained.experts, explained.inputs

    def of(self, line: int, k: int) -> Explanation:
        """Return what the ``k``-th forecast of a reading was made of."""
        experts, inputs = self.experts[line], self.inputs[line]
        weights, mean_weights = self.weights[line][k]
        said = self.said[line][k]
        pairs = zip(self.order[line][k], self.amounts[line][k], strict=True)
        return Explanation(
            tuple(
                ExpertShare(experts[i], weights[i], mean_weights[i], said[i])
                for i in self.heavy[line][k]
                if i < len(experts) and (weights[i] > 0.0 or mean_weights[i] > 0.0)
            ),
            tuple(InputShare(inputs[i], amount) for i, amount in pairs if amount != 0.0),
            self.others[line][k],
        )


def _prediction(
    partition: Partition, decoded: DecodedBatch, result: StepResult, line: int, told: _Told
) -> Prediction:
    row = int(result.learned[line])
    sensor_id, quantity = decoded.sensor_ids[row], decoded.quantities[row]
    offset, series = int(decoded.offsets[row]), series_key(sensor_id, quantity)
    return Prediction(
        id=prediction_id(partition.topic, partition.number, offset, series),
        series=series,
        sensor_id=sensor_id,
        quantity=quantity or None,
        source_offset=offset,
        issued_at=format_time(int(decoded.time_ms[row])),
        observed=float(decoded.values[row]),
        model=result.models[line],
        forecasts=tuple(_forecasts(result, line, told)),
    )


def _forecasts(result: StepResult, line: int, told: _Told) -> Iterator[Forecast]:
    for k, horizon in enumerate(result.horizons[line].tolist()):
        predicted, mean = float(result.predicted[line, k]), float(result.mean[line, k])
        if horizon > 0 and math.isfinite(predicted) and math.isfinite(mean):
            yield Forecast(
                horizon,
                format_time(int(result.target_ms[line, k])),
                predicted,
                mean,
                _end(result.lower[line, k]),
                _end(result.upper[line, k]),
                told.of(line, k),
            )


def _end(end: float) -> float | None:
    return float(end) if math.isfinite(end) else None
