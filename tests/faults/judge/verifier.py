"""Judges what a worker left behind: topics, state and counts; shares no code with the worker.

Every function returns what it found wrong, as sentences; none found is an empty list. What
*should* be there comes from `faults.judge.expected`, or from an undisturbed run over the same log.
"""

from __future__ import annotations

import json
import math
from collections import defaultdict
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime
from functools import lru_cache
from typing import Any

from faults.judge.expected import Expected, Reading, Rules
from faults.judge.quiet import silence_fault
from faults.log.logs import Record

SHOWN = 5
READING_FIELDS = ("series", "sensor_id", "quantity", "source_offset", "observed")


@dataclass(frozen=True, slots=True)
class Outputs:
    """Everything a run published."""

    predictions: Sequence[Record]
    alerts: Sequence[Record]
    dead_letters: Sequence[Record]


@dataclass(frozen=True, slots=True)
class PartitionState:
    """What the store holds of one partition, without the names that differ by run."""

    next_offset: int
    chunks: Mapping[str, bytes] = field(default_factory=dict)


def check_outputs(expected: Expected, outputs: Outputs, rules: Rules) -> list[str]:
    """Check every output against the log: none missing, none extra, each what it must be."""
    return [
        *check_predictions(expected, outputs.predictions, rules),
        *check_dead_letters(expected, outputs.dead_letters, rules),
        *check_alerts(expected, outputs.alerts, rules),
    ]


def check_predictions(expected: Expected, records: Sequence[Record], rules: Rules) -> list[str]:
    """Check that each learned reading gave one prediction, the same bytes each time."""
    first, problems = _by_id(records, _json_id, "prediction")
    problems += _set_difference("prediction", expected.learned, first)
    wrong = []
    for name, record in first.items():
        if name in expected.learned:
            fault = _prediction_fault(expected.learned[name], record, rules)
            if fault:
                wrong.append(f"{name}: {fault}")
    problems += _shown("predictions that do not say what their reading says", wrong)
    problems += _shown("predictions out of order", _out_of_order(records))
    return problems


def check_dead_letters(expected: Expected, records: Sequence[Record], rules: Rules) -> list[str]:
    """Check that each bad message gave one dead letter, with the original bytes in it."""
    first, problems = _by_id(records, _dead_letter_id, "dead letter")
    due = {f"{rules.topic}:{place[0]}:{place[1]}": entry for place, entry in expected.dead.items()}
    problems += _set_difference("dead letter", due, first)
    wrong = []
    for name, record in first.items():
        if name not in due:
            continue
        original, reason = due[name]
        headers = dict(record.headers)
        if (record.key, record.value) != (original.key, original.value):
            wrong.append(f"{name}: key or value differs from the original's")
        if headers.get("dlq.reason") != reason.encode():
            wrong.append(f"{name}: reason {headers.get('dlq.reason')!r}, due {reason!r}")
        if headers.get("dlq.timestamp") != str(original.timestamp_ms).encode():
            wrong.append(f"{name}: dlq.timestamp is {headers.get('dlq.timestamp')!r}")
        if not headers.get("dlq.error"):
            wrong.append(f"{name}: dlq.error is missing or empty")
    return problems + _shown("wrong dead letters", wrong)


def check_alerts(expected: Expected, records: Sequence[Record], rules: Rules) -> list[str]:
    """Check that every alert belongs to a learned reading and every episode opens first.

    A series is found silent by a reading of another, so that is judged by what was read till then.
    """
    first, problems = _by_id(records, _json_id, "alert")
    wrong = []
    opened: dict[str, int] = {}
    resolved: dict[str, int] = {}
    for name, record in first.items():
        body = _body(record.value)
        source, _, rest = name.partition(f":{body['series']}:")
        if (body["kind"], body["state"]) == ("silent", "open"):
            period = rules.period_ms(body["series"])
            fault = silence_fault(expected, source, body["series"], period)
            if fault:
                wrong.append(f"{name}: {fault}")
        elif f"{source}:{body['series']}" not in expected.learned:
            wrong.append(f"{name}: no learned reading gave it")
        if rest != f"{body['kind']}:{body['state']}":
            wrong.append(f"{name}: not the id of a {body['kind']} alert that is {body['state']}")
        if record.key != body["series"].encode():
            wrong.append(f"{name}: key {record.key!r}")
        side = opened if body["state"] == "open" else resolved
        if body["episode"] in side:
            wrong.append(f"{name}: episode {body['episode']} is {body['state']} twice")
        side[body["episode"]] = body["source_offset"]
    for episode, at in resolved.items():
        if episode not in opened:
            wrong.append(f"{episode}: resolved but never opened")
        elif opened[episode] >= at:
            wrong.append(f"{episode}: resolved at {at}, opened at {opened[episode]}")
    return problems + _shown("wrong alerts", wrong)


def same_outputs(undisturbed: Outputs, disturbed: Outputs) -> list[str]:
    """Compare two runs over one log: the same ids with the same bytes, nothing else."""
    problems = []
    kinds: list[tuple[str, Sequence[Record], Sequence[Record], Callable[[Record], str]]] = [
        ("prediction", undisturbed.predictions, disturbed.predictions, _json_id),
        ("alert", undisturbed.alerts, disturbed.alerts, _json_id),
        ("dead letter", undisturbed.dead_letters, disturbed.dead_letters, _dead_letter_id),
    ]
    for kind, one, other, identify in kinds:
        calm, faults = _by_id(one, identify, f"{kind} of the undisturbed run")
        rough, more = _by_id(other, identify, f"{kind} of the disturbed run")
        problems += [*faults, *more, *_set_difference(kind, calm, rough)]
        differing = [
            f"{name}: {_content(calm[name])!r} undisturbed, {_content(rough[name])!r} disturbed"
            for name in sorted(calm.keys() & rough.keys())
            if _content(calm[name]) != _content(rough[name])
        ]
        problems += _shown(f"{kind}s that differ from the undisturbed run's", differing)
    return problems


def same_state(
    undisturbed: Mapping[int, PartitionState], disturbed: Mapping[int, PartitionState]
) -> list[str]:
    """Compare the final states of two runs over one log, byte by byte."""
    problems = _set_difference("state of partition", undisturbed, disturbed)
    for number in sorted(undisturbed.keys() & disturbed.keys()):
        one, other = undisturbed[number], disturbed[number]
        if one.next_offset != other.next_offset:
            problems.append(
                f"partition {number}: state at {one.next_offset} undisturbed, "
                f"at {other.next_offset} disturbed"
            )
        problems += _set_difference(f"partition {number}: chunk", one.chunks, other.chunks)
        problems += _shown(
            f"chunks of partition {number} that differ",
            [
                name
                for name in sorted(one.chunks.keys() & other.chunks.keys())
                if one.chunks[name] != other.chunks[name]
            ],
        )
    return problems


def check_state(expected: Expected, state: Mapping[int, PartitionState]) -> list[str]:
    """Check that the state stands at the end of the log of each partition."""
    at = {number: held.next_offset for number, held in state.items()}
    if at == expected.ends:
        return []
    return [f"the state stands at {at}, the log ends at {expected.ends}"]


def check_counts(expected: Expected, counted: Mapping[str, float]) -> list[str]:
    """Compare the worker's own counts with the log's."""
    names = ("decoded", "dead_lettered", "learned", "late", "duplicate", "rejected")
    return [
        f"{name}: {counted.get(name)} counted, {expected.counts[name]} in the log"
        for name in names
        if counted.get(name) != expected.counts[name]
    ]


def repeats(records: Sequence[Record]) -> int:
    """Count the predictions or alerts published more than once."""
    return len(records) - len({_json_id(record) for record in records})


def _prediction_fault(reading: Reading, record: Record, rules: Rules) -> str | None:
    body = _body(record.value)
    due = (
        reading.series,
        reading.sensor_id,
        reading.quantity,
        reading.offset,
        reading.value,
    )
    said = tuple(body.get(name) for name in READING_FIELDS)
    if said != due:
        return f"says {said}, due {due}"
    if record.key != reading.series.encode() or _ms(body["issued_at"]) != reading.at_ms:
        return f"key {record.key!r}, issued {body['issued_at']}, its reading is of {reading.at_ms}"
    period = rules.period_ms(reading.series)
    horizons = [forecast["horizon"] for forecast in body["forecasts"]]
    if horizons != [horizon for horizon in rules.horizons if horizon in horizons]:
        return f"horizons {horizons} of {rules.horizons}"
    for forecast in body["forecasts"]:
        fault = _forecast_fault(forecast, reading, period)
        if fault:
            return f"{fault}: {forecast}"
    return None


def _forecast_fault(forecast: Mapping[str, object], reading: Reading, period: int) -> str | None:
    lead = _ms(str(forecast["target_time"])) - reading.at_ms
    if abs(lead - int(str(forecast["horizon"])) * period) > period / 2:
        return f"its target is {lead} ms ahead"
    numbers = [forecast[word] for word in ("predicted", "mean", "lower", "upper")]
    if numbers[2:] == [None, None]:  # not calibrated yet
        numbers = numbers[:2]
    if not all(isinstance(number, float | int) and math.isfinite(number) for number in numbers):
        return "not finite"
    if len(numbers) == 4 and numbers[2] > numbers[3]:  # type: ignore[operator]
        return "an interval upside down"
    return None


def _out_of_order(records: Sequence[Record]) -> list[str]:
    """Tell where a series' predictions appear for the first time after a later one's."""
    newest: dict[str, int] = defaultdict(lambda: -1)
    seen: set[str] = set()
    wrong = []
    for record in sorted(records, key=lambda record: (record.partition, record.offset)):
        body = _body(record.value)
        if body["id"] in seen:
            continue
        seen.add(body["id"])
        if body["source_offset"] <= newest[body["series"]]:
            wrong.append(f"{body['id']} comes after {newest[body['series']]}")
        newest[body["series"]] = max(newest[body["series"]], body["source_offset"])
    return wrong


def _by_id(
    records: Sequence[Record], identify: Callable[[Record], str], kind: str
) -> tuple[dict[str, Record], list[str]]:
    """Return the first record of each id, and the repeats that are not identical to it."""
    first: dict[str, Record] = {}
    differing = []
    for record in records:
        name = identify(record)
        if _content(first.setdefault(name, record)) != _content(record):
            differing.append(
                f"{name}: {_content(first[name])!r} and then {_content(record)!r}",
            )
    return first, _shown(f"{kind} repeats that are not identical", differing)


def _content(record: Record) -> tuple[object, ...]:
    return record.key, record.value, record.headers


@lru_cache(maxsize=500_000)
def _body(value: bytes | None) -> dict[str, Any]:
    body: dict[str, Any] = json.loads(value or b"")
    return body


def _json_id(record: Record) -> str:
    return str(_body(record.value)["id"])


def _dead_letter_id(record: Record) -> str:
    headers = dict(record.headers)
    return ":".join(
        headers.get(word, b"?").decode() for word in ("dlq.topic", "dlq.partition", "dlq.offset")
    )


def _ms(stamp: str) -> int:
    return round(datetime.fromisoformat(stamp).timestamp() * 1000)


def _set_difference(kind: str, due: Iterable[object], there: Iterable[object]) -> list[str]:
    wanted, found = set(due), set(there)
    return [
        *_shown(f"{kind}: missing", sorted(map(str, wanted - found))),
        *_shown(f"{kind}: not due", sorted(map(str, found - wanted))),
    ]


def _shown(what: str, found: Sequence[str]) -> list[str]:
    if not found:
        return []
    more = f" ... ({len(found) - SHOWN} more)" if len(found) > SHOWN else ""
    return [f"{len(found)} {what}: " + "; ".join(found[:SHOWN]) + more]
