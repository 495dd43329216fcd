"""A city's log, the same for the same seed: readings in every input form, and everything that
goes wrong with them: gaps, repeats, late arrivals, outliers and bad messages of each kind.

Who is who: ``h*`` hourly, ``f*`` five-minute with epoch times, ``r*`` two quantities a message,
``b*`` a bare number under the sensor's key, ``u*`` hourly with no period declared.
"""

from __future__ import annotations

import json
import math
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from random import Random

from faults.judge.expected import Rules
from faults.log.logs import Entry

TICK = 300_000
HOUR = 3_600_000
DAY = 24 * HOUR
START_MS = 1_760_832_000_000  # 2025-10-19T00:00Z: the week before summer time ends in Europe

MAX_MESSAGE_BYTES = 2048
MAX_ID_BYTES = 256

CITY = """\
timezone = "Europe/Vienna"

[[profiles]]
name = "hourly"
match = ["h*"]
period_seconds = 3600
bound_upper = 160.0

[[profiles]]
name = "counts"
match = ["r*/count"]
period_seconds = 300
bound_lower = -5.0
bound_upper = 260.0

[[profiles]]
name = "five"
match = ["f*", "b*", "r*", "x*"]
period_seconds = 300
"""


PERIODS_MS = {"h": HOUR, "f": TICK, "r": TICK, "b": TICK, "x": TICK, "u": HOUR}
"""What `CITY` declares, and what the undeclared ones really have, by first letter."""

RULES = Rules(
    topic="sensor-data",
    period_ms=lambda series: PERIODS_MS[series[0]],
    max_message_bytes=MAX_MESSAGE_BYTES,
    max_id_bytes=MAX_ID_BYTES,
)


@dataclass(frozen=True, slots=True)
class Shape:
    """How much of what a scenario holds."""

    seed: int = 1
    days: float = 8.0
    partitions: int = 4
    hourly: int = 12
    five: int = 5
    road: int = 4
    bare: int = 3
    undeclared: int = 4
    bad: float = 0.01
    gap: float = 0.02
    repeat: float = 0.01
    late: float = 0.01


@dataclass(slots=True)
class _Sensor:
    name: str
    period_ms: int
    message: Callable[[_Sensor, int, Random], Entry]
    partition: int
    steady: bool = False  # only gaps: nothing late or repeated while its period is inferred
    base: float = 100.0
    spike_left: int = 0
    held: list[tuple[int, Entry]] = field(default_factory=list)

    def value(self, at: int, random: Random) -> float:
        """Return a daily wave with noise, and now and then a spike of some slots."""
        if self.spike_left == 0 and random.random() < 0.002:
            self.spike_left = random.randint(2, 8)
        wave = 40.0 * math.sin(2.0 * math.pi * (at % DAY) / DAY)
        spike = 0.0
        if self.spike_left:
            self.spike_left -= 1
            spike = 180.0
        return round(self.base + wave + spike + random.gauss(0.0, 3.0), 3)


def entries(shape: Shape) -> list[Entry]:
    """Return the whole log; the order within a partition is the order to write."""
    return list(_walk(shape))


def _walk(shape: Shape) -> Iterator[Entry]:
    random = Random(shape.seed)
    sensors = _sensors(shape, random)
    for tick in range(int(shape.days * DAY / TICK)):
        now = START_MS + tick * TICK
        for sensor in sensors:
            for due, entry in sensor.held:
                if due <= now:
                    yield entry
            sensor.held = [kept for kept in sensor.held if kept[0] > now]
            if now % sensor.period_ms:
                continue
            yield from _reading(shape, sensor, now, random)
            if random.random() < shape.bad:
                yield _bad(sensor, now, random)


def _reading(shape: Shape, sensor: _Sensor, now: int, random: Random) -> Iterator[Entry]:
    # At most a tenth of a period beside the grid: no rounding rule can disagree about the slot.
    at = now + random.randint(-sensor.period_ms // 10, sensor.period_ms // 10)
    entry = sensor.message(sensor, at, random)
    chance = random.random()
    if chance < shape.gap:
        return
    if not sensor.steady and chance < shape.gap + shape.late:
        sensor.held.append((now + random.randint(1, 3) * sensor.period_ms, entry))
        return
    yield entry
    if not sensor.steady and chance > 1.0 - shape.repeat:
        yield entry


def _sensors(shape: Shape, random: Random) -> list[_Sensor]:
    kinds = [
        ("h", shape.hourly, HOUR, _iso, False),
        ("f", shape.five, TICK, _epoch, False),
        ("r", shape.road, TICK, _two_values, False),
        ("b", shape.bare, TICK, _bare, False),
        ("u", shape.undeclared, HOUR, _iso, True),
    ]
    made = [
        _Sensor(f"{letter}{number:02d}", period, message, 0, steady)
        for letter, count, period, message, steady in kinds
        for number in range(count)
    ]
    for place, sensor in enumerate(made):
        sensor.partition = place % shape.partitions
        sensor.base = 60.0 + 60.0 * random.random()
    return made


def iso(at: int) -> str:
    """Write a time the way people do: ``2025-10-19T00:00:00.123Z``."""
    moment = datetime.fromtimestamp(at // 1000, UTC) + timedelta(milliseconds=at % 1000)
    return moment.isoformat(timespec="milliseconds").replace("+00:00", "Z")


def _entry(sensor: _Sensor, at: int, body: object) -> Entry:
    text = json.dumps(body, ensure_ascii=False)
    return Entry(sensor.partition, at + 5, sensor.name.encode(), text.encode())


def _iso(sensor: _Sensor, at: int, random: Random) -> Entry:
    body = {"sensor_id": sensor.name, "timestamp": iso(at), "value": sensor.value(at, random)}
    return _entry(sensor, at, body)


def _epoch(sensor: _Sensor, at: int, random: Random) -> Entry:
    stamp: float = at if random.random() < 0.5 else at // 1000
    body = {"sensor_id": sensor.name, "timestamp": stamp, "value": sensor.value(at, random)}
    return _entry(sensor, at, body)


def _two_values(sensor: _Sensor, at: int, random: Random) -> Entry:
    values = {"count": round(sensor.value(at, random)), "speed": round(random.gauss(50.0, 6.0), 1)}
    return _entry(sensor, at, {"sensor_id": sensor.name, "timestamp": iso(at), "values": values})


def _bare(sensor: _Sensor, at: int, random: Random) -> Entry:
    value = str(sensor.value(at, random)).encode()
    return Entry(sensor.partition, at, sensor.name.encode(), value)


def _bad(sensor: _Sensor, now: int, random: Random) -> Entry:
    reason = random.choice(sorted(BAD))
    key, value = random.choice(BAD[reason])(sensor.name, now)
    return Entry(sensor.partition, now, key, value)


def _text(**body: object) -> bytes:
    return json.dumps(body).encode()


# By the reason the dead letter must give; each makes (key, value) from a sensor and a time.
BAD: dict[str, list[Callable[[str, int], tuple[bytes | None, bytes | None]]]] = {
    "json": [
        lambda name, now: (name.encode(), b'{"sensor_id": "' + name.encode() + b'", "timest'),
        lambda name, now: (b"\x00\xff", b"not json at all"),
        lambda name, now: (None, b""),
        lambda name, now: (name.encode(), None),
    ],
    "encoding": [
        lambda name, now: (
            name.encode(),
            b'{"sensor_id": "\xff\xfe", "timestamp": %d, "value": 1.0}' % now,
        ),
    ],
    "schema": [
        lambda name, now: (name.encode(), b"[1, 2, 3]"),
        lambda name, now: (name.encode(), _text(sensor_id=name, timestamp=now)),
        lambda name, now: (None, _text(sensor_id=name, value=12.5)),
        lambda name, now: (name.encode(), _text(sensor_id=name, timestamp=now, values={})),
    ],
    "key": [
        lambda name, now: (name.encode(), _text(sensor_id=7, timestamp=now, value=12.5)),
        lambda name, now: (name.encode(), _text(timestamp=now, value=12.5)),
        lambda name, now: (None, b"12.5"),
        lambda name, now: (b"", b"12.5"),
        lambda name, now: (name.encode(), _text(sensor_id="", timestamp=now, value=12.5)),
    ],
    "value": [
        lambda name, now: (name.encode(), b"NaN"),
        lambda name, now: (None, _text(sensor_id=name, timestamp=now, value="12.5")),
        lambda name, now: (
            name.encode(),
            b'{"sensor_id": "%s", "timestamp": %d, "value": 1e999}' % (name.encode(), now),
        ),
        # One value refused, the other learned: a sensor of its own, so that both are new.
        lambda name, now: (
            name.encode(),
            b'{"sensor_id": "x%s", "timestamp": %d, "values": {"bad": -1e999, "good": 3.5}}'
            % (name.encode(), now),
        ),
    ],
    "time": [
        lambda name, now: (name.encode(), _text(sensor_id=name, timestamp="noon", value=12.5)),
        lambda name, now: (
            name.encode(),
            _text(sensor_id=name, timestamp="1969-12-31T23:59:59Z", value=12.5),
        ),
        lambda name, now: (
            name.encode(),
            _text(sensor_id=name, timestamp=iso(now + 2 * DAY), value=12.5),
        ),
    ],
    "size": [
        lambda name, now: (
            name.encode(),
            _text(sensor_id=name, timestamp=now, value=12.5, note="x" * MAX_MESSAGE_BYTES),
        ),
    ],
}
