"""Snapshots in files, to see that later releases read them.

``cd tests && ../.venv/bin/python -m faults.stored NAME`` writes ``snapshots/NAME.zip`` with this
release's code: do so before a change of what a snapshot holds, commit it, and keep the older
ones. The log it comes from is the first days of a scenario; ``cases/test_upgrade.py`` goes on
with it.
"""

from __future__ import annotations

import asyncio
import json
import sys
import tempfile
import zipfile
from collections.abc import Mapping
from dataclasses import dataclass, replace
from pathlib import Path

from faults.log import scenario
from faults.log.logs import Entry, numbered

FOLDER = Path(__file__).with_name("snapshots")
DAYS = 8.5
MANIFEST = "manifest.json"
STAMP = (1980, 1, 1, 0, 0, 0)  # the same bytes whenever it is written


@dataclass(frozen=True, slots=True)
class StoredSnapshot:
    """What a file holds.

    Attributes
    ----------
    next_offset : int
        How many of the log's messages it has seen.
    """

    next_offset: int
    chunks: Mapping[str, bytes]


def log_of(days: float) -> list[Entry]:
    """Return the log; a longer one begins with the shorter."""
    shape = scenario.Shape(
        seed=7, days=days, partitions=1, hourly=3, five=1, road=0, bare=0, undeclared=2
    )
    return scenario.entries(shape)


def read_snapshot(path: Path) -> StoredSnapshot:
    """Read a file."""
    with zipfile.ZipFile(path) as file:
        manifest = json.loads(file.read(MANIFEST))
        chunks = {name: file.read(name) for name in file.namelist() if name != MANIFEST}
    return StoredSnapshot(manifest["next_offset"], chunks)


def write_snapshot(path: Path, snapshot: StoredSnapshot) -> None:
    """Write a file; the same snapshot gives the same bytes."""
    manifest = json.dumps({"next_offset": snapshot.next_offset}).encode()
    with zipfile.ZipFile(path, "w") as file:
        for name, data in [(MANIFEST, manifest), *sorted(snapshot.chunks.items())]:
            file.writestr(zipfile.ZipInfo(name, STAMP), data, zipfile.ZIP_DEFLATED, 9)


def learned_now() -> StoredSnapshot:
    """Learn the log with this release's code, and take its snapshot."""
    from rig import PARTITION, Rig, batch
    from rig import Record as RigRecord

    from hedgerow.app.city import city_model
    from hedgerow.app.settings import load_settings
    from hedgerow.topics import Limits, ReadingDecoder

    with tempfile.TemporaryDirectory() as scratch:
        config = Path(scratch) / "city.toml"
        config.write_text(scenario.CITY, "utf-8")
        city = city_model(load_settings(config))
    records = [
        RigRecord(record.offset, record.value, record.key, record.timestamp_ms)
        for record in numbered(log_of(DAYS))
    ]

    async def run() -> StoredSnapshot:
        rig = Rig(city)
        limits = Limits(max_message_bytes=scenario.MAX_MESSAGE_BYTES)
        rig.agent = replace(rig.agent, decoder=ReadingDecoder(limits))
        await rig.assign()
        await rig.feed(batch(records))
        await rig.save()
        stored = rig.store.rows[PARTITION].stored
        assert stored is not None
        return StoredSnapshot(stored.next_offset, stored.chunks)

    return asyncio.run(run())


if __name__ == "__main__":
    target = FOLDER / f"{sys.argv[1]}.zip"
    write_snapshot(target, learned_now())
    print(f"{target.name}: {target.stat().st_size} bytes")
