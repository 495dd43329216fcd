"""The records on our topics, each declared once: the codecs and ``docs/topics.md`` use these.

Before: the models, which know numbers only. After: whoever reads ``predictions``, ``alerts``
and ``dead-letters``. Fields may be added; those here keep their names and meaning.
"""

from __future__ import annotations

from typing import Annotated, Literal

from msgspec import UNSET, Meta, Struct, UnsetType


class Reading(Struct, frozen=True, gc=False):
    """A message on the readings' topic: one sensor, one time, one value or several by name.

    Exactly one of ``value`` and ``values`` is there. Other fields are ignored. A bare JSON
    number is a reading too: its sensor is the message key, its time the Kafka timestamp.
    """

    sensor_id: Annotated[str, Meta(description="Who measured; not empty, at most 256 bytes.")]
    timestamp: Annotated[
        str | float,
        Meta(
            description="When: ISO 8601 (UTC unless it names a zone) or epoch seconds or "
            "milliseconds as a number (below 1e11: seconds)."
        ),
    ]
    value: Annotated[float | UnsetType, Meta(description="What was measured, a finite number.")] = (
        UNSET
    )
    values: Annotated[
        dict[str, float] | UnsetType,
        Meta(description="Several quantities measured at once, finite numbers by name."),
    ] = UNSET


class OutsideForecast(Struct, frozen=True, gc=False):
    """A message on the readings' topic too: what somebody else expects of a series.

    It is weighed as one more expert where the series' profile names it under ``outside``, and
    asleep in every slot it says nothing about. What has an ``expert`` and neither ``value`` nor
    ``values`` is one; other fields are ignored. It counts from its place in the log on: those
    that stand before a reading can enter the forecasts made with that reading. Of two for one
    slot the later in the log counts.
    """

    sensor_id: Annotated[str, Meta(description="Whose future; as in the readings.")]
    expert: Annotated[str, Meta(description="Who says so; not empty, at most 256 bytes.")]
    target_time: Annotated[
        str | float, Meta(description="The time it is about, written as a reading's time.")
    ]
    predicted: Annotated[float, Meta(description="What is expected, a finite number.")]
    quantity: Annotated[
        str | None | UnsetType,
        Meta(description="The quantity, as in the readings; null or absent if unnamed."),
    ] = UNSET
    issued_at: Annotated[
        str | float | UnsetType,
        Meta(description="When it was made, a time; for people, the log's order decides."),
    ] = UNSET


class ExpertShare(Struct, frozen=True, gc=False):
    """What one expert said, and what it counts for; part of an `Explanation`."""

    expert: Annotated[str, Meta(description="Its name.")]
    weight: Annotated[float, Meta(description="In `predicted`; those of all experts sum to 1.")]
    mean_weight: Annotated[float, Meta(description="In `mean`, likewise.")]
    predicted: Annotated[float, Meta(description="What it said.")]


class InputShare(Struct, frozen=True, gc=False):
    """What one input brought to a forecast through all experts; part of an `Explanation`."""

    input: Annotated[str, Meta(description="In words, such as `last reading`.")]
    amount: Annotated[float, Meta(description="In the unit of the series.")]


class Explanation(Struct, frozen=True, gc=False):
    """What a forecast was made of; part of a `Forecast`, with `predictions.explain` alone.

    The amounts of ``inputs`` and ``others`` sum to ``predicted``, but for a rounding of less than
    1e-12 of their absolute sum. So do weights times what the experts said, unless a drift was
    corrected or a limit cut the sum: that stands among the inputs.
    """

    experts: Annotated[
        tuple[ExpertShare, ...], Meta(description="Those with a weight, the heaviest first.")
    ]
    inputs: Annotated[
        tuple[InputShare, ...],
        Meta(
            description="`usual level`, from which the others lead away, then the five that "
            "brought most."
        ),
    ]
    others: Annotated[float, Meta(description="What all other inputs brought together.")]


class Forecast(Struct, frozen=True, gc=False):
    """What is expected of a series at one later slot; part of a `Prediction`."""

    horizon: Annotated[int, Meta(description="How many slots ahead.")]
    target_time: Annotated[str, Meta(description="The slot it is about, ISO 8601 with Z.")]
    predicted: Annotated[
        float, Meta(description="The forecast with the least absolute error (a median).")
    ]
    mean: Annotated[float, Meta(description="The forecast with the least squared error.")]
    lower: Annotated[
        float | None, Meta(description="Lower end of the interval; null until calibrated.")
    ]
    upper: Annotated[
        float | None, Meta(description="Upper end of the interval; null until calibrated.")
    ]
    explanation: Annotated[
        Explanation | UnsetType,
        Meta(description="What it was made of; absent unless `predictions.explain` is set."),
    ] = UNSET


class Prediction(Struct, frozen=True, gc=False):
    """A record on ``predictions``: what was forecast when one reading had been learned.

    Published at least once; a replay repeats the same ``id`` with the same bytes, so a
    consumer that must not count twice drops ids it has seen. Nothing in it comes from the wall
    clock.
    """

    id: Annotated[str, Meta(description="topic:partition:offset:series of the reading.")]
    series: Annotated[str, Meta(description="sensor, or sensor/quantity; also the key.")]
    sensor_id: Annotated[str, Meta(description="The reading's sensor.")]
    quantity: Annotated[str | None, Meta(description="The reading's quantity; null if unnamed.")]
    source_offset: Annotated[int, Meta(description="The reading's offset in its partition.")]
    issued_at: Annotated[str, Meta(description="The reading's own time, ISO 8601 with Z.")]
    observed: Annotated[float, Meta(description="The reading's value.")]
    model: Annotated[str, Meta(description="The profile the series is learned with.")]
    forecasts: Annotated[
        tuple[Forecast, ...],
        Meta(description="One per horizon, nearest first; a horizon without one is absent."),
    ]


class Alert(Struct, frozen=True, gc=False):
    """A record on ``alerts``: an episode of something wrong with a series opened or resolved.

    Published at least once, as a `Prediction` is. Of two records of one episode the one with
    the higher ``source_offset`` counts.
    """

    id: Annotated[str, Meta(description="topic:partition:offset:series:kind:state.")]
    episode: Annotated[
        str, Meta(description="topic:partition:opening offset:series:kind; same when resolved.")
    ]
    series: Annotated[str, Meta(description="sensor, or sensor/quantity; also the key.")]
    sensor_id: Annotated[str, Meta(description="The sensor.")]
    quantity: Annotated[str | None, Meta(description="The quantity; null if unnamed.")]
    source_offset: Annotated[
        int,
        Meta(
            description="Offset of the reading that caused this; where a series is found silent, "
            "that of another."
        ),
    ]
    kind: Annotated[
        str,
        Meta(
            description="Which rule: bound, forecast-breach, anomaly, drift, stuck or silent; "
            "more may come."
        ),
    ]
    severity: Annotated[str, Meta(description="How bad: info, warning or critical.")]
    state: Annotated[Literal["open", "resolved"], Meta(description="Where the episode stands.")]
    opened_at: Annotated[str, Meta(description="When the episode opened, ISO 8601 with Z.")]
    at: Annotated[
        str,
        Meta(
            description="The causing reading's own time, ISO 8601 with Z; where a series is found "
            "silent, the latest time that two sensors have reached."
        ),
    ]
    observed: Annotated[
        float | None, Meta(description="What was seen; null where a series is found silent.")
    ]
    expected: Annotated[
        float | None,
        Meta(
            description="What was forecast for that slot; of a forecast-breach, the forecast or "
            "limit that crosses."
        ),
    ]
    lower: Annotated[float | None, Meta(description="The least that would have been right.")]
    upper: Annotated[float | None, Meta(description="The most that would have been right.")]
    message: Annotated[str, Meta(description="The whole in a sentence.")]


DLQ_REASON = "dlq.reason"
DLQ_ERROR = "dlq.error"
DLQ_TOPIC = "dlq.topic"
DLQ_PARTITION = "dlq.partition"
DLQ_OFFSET = "dlq.offset"
DLQ_TIMESTAMP = "dlq.timestamp"
DLQ_TRUNCATED = "dlq.truncated"
DLQ_REPLAYS = "dlq.replays"
DLQ_SOURCE = "dlq.source"

DEAD_LETTER_HEADERS: tuple[tuple[str, str], ...] = (
    (DLQ_REASON, "One fixed word, see the reasons below."),
    (DLQ_ERROR, "A sentence: what was wrong, where, and what would be right."),
    (DLQ_TOPIC, "The topic the message came from."),
    (DLQ_PARTITION, "Its partition."),
    (DLQ_OFFSET, "Its offset; topic, partition and offset name a dead letter."),
    (DLQ_TIMESTAMP, "Its Kafka timestamp in epoch milliseconds, -1 if it had none."),
    (DLQ_REPLAYS, "Only if it was replayed before and refused again: how many times."),
    (DLQ_TRUNCATED, "Only if the value did not fit: how many bytes it had."),
)
"""Headers of a dead letter and what they hold, all as UTF-8 text."""

REPLAY_HEADERS: tuple[tuple[str, str], ...] = (
    (DLQ_REPLAYS, "How many times this message has been replayed."),
    (DLQ_SOURCE, "topic:partition:offset of the message that became the dead letter."),
    (DLQ_REASON, "Why it did."),
)
"""Headers of a message that `hedgerow dlq replay` published again, as UTF-8 text."""
