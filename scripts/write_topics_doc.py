"""Write ``docs/topics.md`` from the catalogue and the record types.

``python scripts/write_topics_doc.py`` writes it, ``--check`` only says whether it is as it
should be (exit code 1 if not).
"""

from __future__ import annotations

import sys
from collections.abc import Sequence
from typing import Literal, get_args, get_origin, get_type_hints

import msgspec
from generated import ROOT, write_or_check
from msgspec import UNSET, Meta, Struct, UnsetType

from hedgerow.topics import (
    Alert,
    ExpertShare,
    Explanation,
    Forecast,
    InputShare,
    OutsideForecast,
    Prediction,
    Reading,
    Sensor,
    catalogue,
    encode_sensor,
    make_alert,
)
from hedgerow.topics.messages import REASON_MEANINGS, Limits
from hedgerow.topics.records import DEAD_LETTER_HEADERS, REPLAY_HEADERS

PATH = ROOT / "docs" / "topics.md"

INTRODUCTION = """\
<!-- Written by scripts/write_topics_doc.py from src/hedgerow/topics; edit there. -->
# Topics

Names, partitions and replication are settings; these are the defaults. A *series key* is
`sensor_id`, or `sensor_id/quantity` where a sensor measures several quantities. Values are JSON.
"""

FORMS = """\
## Readings

Three forms are accepted; fields other than these are ignored.

```json
{"sensor_id": "s1", "timestamp": "2026-01-01T08:00:00Z", "value": 12.5}
{"sensor_id": "s1", "timestamp": 1767254400, "values": {"vehicle_count": 3, "avg_speed": 44}}
12.5
```

The last is a bare number: its sensor is the message key, its time Kafka's own timestamp. The
key of the other two is not read.
"""

EXAMPLE_OUTSIDE = """\
For example:

```json
{
  "sensor_id": "bridge-7",
  "quantity": "speed",
  "expert": "nightly",
  "issued_at": "2026-01-01T02:00:00Z",
  "target_time": "2026-01-01T09:00:00Z",
  "predicted": 47.5
}
```

What cannot be used becomes a dead letter, as a reading does. A good one is *used* or, if it can
no longer or not yet be of use, *ignored*: the series has no model yet, its profile does not name
the expert, the slot has passed, or lies beyond the longest horizon. Both are counted, apart
from the readings. Key it as the series' readings, or it lands in a partition that does not know
the series; the optional topic `expert-forecasts` sees to that for readings keyed by sensor id.
"""

OUTCOMES = """\
Every message is *decoded* or *dead-lettered*. When only some values of a message are unusable,
the others are learned, and its one dead letter names the first offence and how many there are.
"""

EXAMPLE_PREDICTION = Prediction(
    id="sensor-data:3:41:bridge-7/speed",
    series="bridge-7/speed",
    sensor_id="bridge-7",
    quantity="speed",
    source_offset=41,
    issued_at="2026-01-01T08:00:00Z",
    observed=44.0,
    model="default",
    forecasts=(
        Forecast(1, "2026-01-01T09:00:00Z", 45.5, 45.25, 38.0, 52.5),
        Forecast(3, "2026-01-01T11:00:00Z", 47.0, 46.75, None, None),
    ),
)

EXAMPLE_ALERT = make_alert(
    "sensor-data",
    3,
    "bridge-7",
    "speed",
    57,
    kind="bound",
    severity="critical",
    state="resolved",
    opening_offset=41,
    opened_ms=1_767_254_400_000,
    at_ms=1_767_258_000_000,
    observed=44.0,
    expected=45.5,
    lower=0.0,
    upper=130.0,
    message="44 is within the declared bounds 0 to 130 again",
)

EXAMPLE_SENSOR = Sensor(
    "bridge-7",
    name="Dronning Louises Bro",
    kind="bicycles",
    unit="bicycles/h",
    zone="Indre By",
    longitude=12.5636,
    latitude=55.6868,
    bound_lower=0.0,
    bound_upper=4000.0,
    period_seconds=3600.0,
    neighbours=("bridge-8",),
)


def topics_doc() -> str:
    """Give the whole text."""
    return "\n".join(
        [
            INTRODUCTION,
            _topics_table(),
            FORMS,
            _fields_table(Reading),
            _limits(),
            "## Forecasts by others\n",
            _summary(OutsideForecast),
            _fields_table(OutsideForecast),
            EXAMPLE_OUTSIDE,
            "## Predictions\n",
            _record(EXAMPLE_PREDICTION),
            "### Forecasts\n",
            _fields_table(Forecast),
            "### Explanations\n",
            _summary(Explanation),
            _fields_table(Explanation),
            "Each of `experts`:\n",
            _fields_table(ExpertShare),
            "Each of `inputs`:\n",
            _fields_table(InputShare),
            "## Alerts\n",
            _record(EXAMPLE_ALERT),
            "## Dead letters\n",
            "Key and value are the original bytes; these headers are added, all UTF-8 text.\n",
            _table(("Header", "Meaning"), [(f"`{n}`", text) for n, text in DEAD_LETTER_HEADERS]),
            "A message that `hedgerow dlq replay` publishes again is the original, with these:\n",
            _table(("Header", "Meaning"), [(f"`{n}`", text) for n, text in REPLAY_HEADERS]),
            "### Reasons\n",
            OUTCOMES,
            _table(("`dlq.reason`", "When"), [(f"`{r}`", t) for r, t in REASON_MEANINGS.items()]),
            "## Sensors\n",
            _summary(Sensor),
            _fields_table(Sensor),
            f"For example:\n\n```json\n{_indented(encode_sensor(EXAMPLE_SENSOR)[1])}\n```\n",
            "How they get there and what they do: [sensor registry](sensor-registry.md).\n",
        ]
    )


def _topics_table() -> str:
    rows = [
        (
            f"`{topic.name}`",
            topic.carries,
            topic.key,
            f"`{topic.record.__name__}`" if topic.record else "the original bytes",
            str(topic.partitions),
            f"{topic.retention_ms // 86_400_000} days" if topic.retention_ms > 0 else "for ever",
            topic.cleanup,
            f"{topic.max_message_bytes:,}",
        )
        for topic in catalogue(expert_forecasts=True)
    ]
    heads = (
        "Topic",
        "Carries",
        "Key",
        "Record",
        "Partitions",
        "Retention",
        "Cleanup",
        "max.message.bytes",
    )
    return _table(heads, rows)


def _limits() -> str:
    limits = Limits()
    return (
        f"Limits: a value has at most {limits.max_message_bytes:,} bytes, an id or a quantity's "
        f"name at most {limits.max_id_bytes} bytes\nof UTF-8 and one character that is not "
        f"space, a message at most {limits.max_quantities:,} values. A time lies in 1970\nor "
        f"later and at most {limits.max_ahead_ms // 3_600_000} hours after Kafka's own "
        "timestamp. The size of messages and ids and the hours are settings.\nWhat a forecast "
        f"is about lies at most {limits.max_forecast_ahead_ms // 86_400_000} days after it.\n"
    )


def _record(example: Prediction | Alert) -> str:
    kind = type(example)
    text = _indented(msgspec.json.encode(example))
    return f"{_summary(kind)}\n{_fields_table(kind)}\nFor example:\n\n```json\n{text}\n```\n"


def _indented(body: bytes) -> str:
    return msgspec.json.format(body, indent=2).decode()


def _summary(kind: type[Struct]) -> str:
    lines = [line.strip() for line in (kind.__doc__ or "").strip().splitlines()]
    return "\n".join(lines).replace("``", "`") + "\n"


def _fields_table(kind: type[Struct]) -> str:
    hints = get_type_hints(kind, include_extras=True)
    rows = []
    for field in msgspec.structs.fields(kind):
        annotated, *extras = get_args(hints[field.name])
        meaning = next(e.description for e in extras if isinstance(e, Meta))
        optional = " (optional)" if field.default in {UNSET, "", ()} else ""
        rows.append((f"`{field.name}`", _type_name(annotated) + optional, meaning or ""))
    return _table(("Field", "Type", "Meaning"), rows)


_JSON_NAMES: dict[object, str] = {
    str: "string",
    float: "number",
    int: "integer",
    type(None): "null",
    Forecast: "forecast",
    Explanation: "explanation",
    ExpertShare: "expert share",
    InputShare: "input share",
}


def _type_name(hint: object) -> str:
    if hint in _JSON_NAMES:
        return _JSON_NAMES[hint]
    parts = get_args(hint)
    if get_origin(hint) is Literal:
        return " or ".join(f'`"{part}"`' for part in parts)
    if get_origin(hint) is dict:
        return f"object of {_type_name(parts[1])}s"
    if get_origin(hint) is tuple:
        return f"array of {_type_name(parts[0])}s"
    return " or ".join(_type_name(part) for part in parts if part is not UnsetType)


def _table(heads: tuple[str, ...], rows: Sequence[tuple[str, ...]]) -> str:
    lines = [heads, tuple("---" for _ in heads), *rows]
    return "".join("| " + " | ".join(line) + " |\n" for line in lines)


if __name__ == "__main__":
    sys.exit(write_or_check(PATH, topics_doc()))
