"""Copying what changed in a learner into the chunks of a snapshot.

Before: ``Learner.begin_capture``. After: ``chunks`` turns them into bytes, and ``restore`` builds
a learner from them again.

The chunks: ``meta`` (counts, profiles, sizes), ``registry`` where one is known, ``series/N`` (1024
series each), ``silence/N`` (their pauses), ``watermark``, ``nursery``,
``layout/B`` (what the numbers in a row of bank B mean), ``rows/B/N`` (64 rows each) and, where
a profile names River plug-ins, ``plugins/B/N``.
"""

from __future__ import annotations

from dataclasses import asdict
from typing import TYPE_CHECKING

from hedgerow.models.alerts.silence import NEXT_DEADLINE
from hedgerow.models.bank.bank import CHUNK_ROWS, Bank
from hedgerow.models.bank.series import CHUNK_SERIES
from hedgerow.models.registry import CHUNK as REGISTRY
from hedgerow.models.snapshot.chunks import Capture, RawChunk
from hedgerow.models.snapshot.copying import RowCopy
from hedgerow.models.snapshot.texts import pack

if TYPE_CHECKING:
    from hedgerow.models.learner import Learner


def begin_capture(learner: Learner) -> Capture:
    """Copy what changed since the last capture but the rows, and mark it unchanged.

    The rows, by far the most of it, are copied by `copy_rows`; until it says that it is done,
    their chunks are not to be read.
    """
    if any(bank.copy is not None for bank in learner.banks):
        raise RuntimeError("a capture is under way; go on with it, or give it up by mark_all")
    changed = [_meta(learner)]
    if learner.new_registry and learner.registry.version:
        changed.append(learner.registry.chunk())
    changed += [_series(learner, number) for number in sorted(learner.series.dirty)]
    changed += [_silence(learner, number) for number in sorted(learner.silence.dirty)]
    if learner.silence.moved:
        leaders = learner.silence.clock[:NEXT_DEADLINE].copy()
        changed.append(RawChunk("watermark", {"leaders": leaders}))
    if learner.nursery.dirty:
        changed.append(RawChunk("nursery", learner.nursery.arrays()))
    for number, bank in enumerate(learner.banks):
        if bank.new:
            layout = [[f.name, f.offset, f.size, f.single] for f in bank.layout.fields]
            changed.append(RawChunk(layout_name(number), meta={"fields": layout}))
        if bank.dirty:
            changed += _rows(bank, number)
    mark_none(learner)
    return Capture({chunk.name: chunk for chunk in changed}, _names(learner))


def copy_rows(learner: Learner, most_bytes: int) -> bool:
    """Copy about so many bytes more of one bank's rows; tell whether the capture is complete."""
    for bank in learner.banks:
        if bank.copy is not None:
            if bank.copy.go_on(most_bytes):
                bank.copy = None
            break
    return all(bank.copy is None for bank in learner.banks)


def mark_all(learner: Learner) -> None:
    """Mark everything changed; a capture under way is given up."""
    learner.new_registry = True
    learner.series.dirty.update(range(chunks_of(len(learner.series), CHUNK_SERIES)))
    learner.silence.dirty.update(range(chunks_of(len(learner.series), CHUNK_SERIES)))
    learner.silence.moved = True
    learner.nursery.dirty = True
    for bank in learner.banks:
        bank.copy = None
        bank.new = True
        bank.dirty.update(range(chunks_of(bank.count, CHUNK_ROWS)))


def mark_none(learner: Learner) -> None:
    """Mark everything unchanged."""
    learner.new_registry = False
    learner.series.dirty.clear()
    learner.silence.dirty.clear()
    learner.silence.moved = False
    learner.nursery.dirty = False
    for bank in learner.banks:
        bank.new = False
        bank.dirty.clear()


def chunks_of(items: int, size: int) -> int:
    """Return how many chunks hold that many items."""
    return -(-items // size)


def series_name(number: int) -> str:
    """Name a chunk of the series table."""
    return f"series/{number:05d}"


def silence_name(number: int) -> str:
    """Name the chunk of the pauses of a chunk of series."""
    return f"silence/{number:05d}"


def layout_name(bank: int) -> str:
    """Name the chunk that explains a bank's rows."""
    return f"layout/{bank:04d}"


def rows_name(bank: int, number: int) -> str:
    """Name a chunk of a bank's rows."""
    return f"rows/{bank:04d}/{number:05d}"


def plugins_name(bank: int, number: int) -> str:
    """Name the chunk of the plug-ins beside a chunk of rows."""
    return f"plugins/{bank:04d}/{number:05d}"


def _names(learner: Learner) -> list[str]:
    names = ["meta", "nursery", "watermark"]
    if learner.registry.version:
        names.append(REGISTRY)
    for number in range(chunks_of(len(learner.series), CHUNK_SERIES)):
        names += [series_name(number), silence_name(number)]
    for number, bank in enumerate(learner.banks):
        names.append(layout_name(number))
        chunks = range(chunks_of(bank.count, CHUNK_ROWS))
        names += [rows_name(number, chunk) for chunk in chunks]
        if bank.profile.river:
            names += [plugins_name(number, chunk) for chunk in chunks]
    return names


def _meta(learner: Learner) -> RawChunk:
    city, registry = learner.city, learner.registry
    mark = registry.mark
    return RawChunk(
        "meta",
        meta={
            "timezone": city.timezone,
            "rows_in_chunk": CHUNK_ROWS,
            "profiles": [[p.name, p.fingerprint] for p in city.profiles],
            "series": len(learner.series),
            "counts": asdict(learner.counts),
            "silence": True,
            **({"registry": registry.version} if registry.version else {}),
            **({"registry_mark": [mark.log_id, mark.offset]} if mark is not None else {}),
            "banks": [[b.profile.name, b.period_ms, b.count] for b in learner.banks],
        },
    )


def _rows(bank: Bank, number: int) -> list[RawChunk]:
    """Begin to copy a bank's rows; what plug-ins stand beside them is pickled at once."""
    chunks = sorted(bank.dirty)
    copy = bank.copy = RowCopy(bank, chunks, CHUNK_ROWS)
    rows = [RawChunk(rows_name(number, chunk), copy.planes(chunk)) for chunk in chunks]
    plugins = [bank.plugin_chunk(plugins_name(number, chunk), chunk) for chunk in chunks]
    return rows + [raw for raw in plugins if raw is not None]


def _series(learner: Learner, number: int) -> RawChunk:
    table = learner.series
    span = slice(number * CHUNK_SERIES, min((number + 1) * CHUNK_SERIES, len(table)))
    sensors, sensor_sizes = pack(table.sensor_ids[span])
    quantities, quantity_sizes = pack(table.quantities[span])
    return RawChunk(
        series_name(number),
        {
            "sensors": sensors,
            "sensor_sizes": sensor_sizes,
            "quantities": quantities,
            "quantity_sizes": quantity_sizes,
            "profiles": table.profiles[span].copy(),
            "banks": table.banks[span].copy(),
            "rows": table.rows[span].copy(),
        },
    )


def _silence(learner: Learner, number: int) -> RawChunk:
    start = number * CHUNK_SERIES
    lines = learner.silence.stored(start, min(start + CHUNK_SERIES, len(learner.series)))
    return RawChunk(silence_name(number), {"lines": lines})
