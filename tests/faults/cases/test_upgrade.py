"""Snapshots of other releases: an older one is gone on from, a newer one refused by name."""

from __future__ import annotations

import hashlib
from dataclasses import replace
from pathlib import Path

import pytest
from faults.judge import verifier
from faults.judge.chunks import DIGEST_BYTES, HEAD, open_chunk
from faults.judge.state import StoredUnit, put_state
from faults.log.city import City, build_city
from faults.matrix import Measured
from faults.run.driver import Run
from faults.stored import DAYS, FOLDER, StoredSnapshot, log_of, read_snapshot
from stack.fixtures import REAL, Stack

GO_ON_DAYS = 1.5
FILES = sorted(FOLDER.glob("*.zip"))
NEWER = 99
STATE_UNAVAILABLE = 4  # the exit code of `docs/cli.md`

pytestmark = [
    pytest.mark.parametrize("stack", [REAL], indirect=True, scope="session"),
    pytest.mark.timeout(300),
]


@pytest.fixture
def city(stack: Stack) -> City:
    """The log that the stored snapshots have seen the first days of, and what follows."""
    return build_city(stack, log_of(DAYS + GO_ON_DAYS), partitions=1).write()


@pytest.mark.parametrize("path", FILES, ids=lambda path: path.stem)
@pytest.mark.faults(
    row=6,
    case="a snapshot of an earlier release: {path.stem}",
    injections="put into Redis with its offset, then a worker of this release started on it",
    outcome="read; goes on at its offset; every new reading answered once; the accounting of the "
    "whole log adds up",
)
def test_a_snapshot_of_an_earlier_release_is_gone_on_from(
    city: City, tmp_path: Path, measured: Measured, path: Path
) -> None:
    snapshot = read_snapshot(path)
    seen, due = split(city, snapshot)
    assert 0 < len(seen) < len(city.expected.learned)
    with Run(replace(city, expected=due), tmp_path) as run:
        put_state(run.where, 0, StoredUnit(1, snapshot.next_offset, snapshot.chunks))
        run.audit_from_here()
        worker = run.start()
        run.wait_done()
        run.check_accounting(city.expected)
        outcome = run.finish()
    measured("{:d} series, {:d} readings before, {:d} after", *sizes(snapshot, seen, due.learned))
    assert f"goes on at offset {snapshot.next_offset}" in worker.child.log.read_text()
    # Not the alerts: an episode that the older release opened is resolved by this one.
    assert verifier.check_predictions(due, outcome.outputs.predictions, city.rules) == []
    assert verifier.check_dead_letters(due, outcome.outputs.dead_letters, city.rules) == []
    assert verifier.check_state(due, outcome.state) == []
    assert outcome.unfenced == []


def split(city: City, snapshot: StoredSnapshot):
    """Return what of a log was answered before the snapshot, and what is due after it."""
    expected = city.expected
    seen = {k: r for k, r in expected.learned.items() if r.offset < snapshot.next_offset}
    due = replace(
        expected,
        learned={k: r for k, r in expected.learned.items() if k not in seen},
        dead={k: d for k, d in expected.dead.items() if k[1] >= snapshot.next_offset},
    )
    return seen, due


def sizes(snapshot: StoredSnapshot, *readings: dict) -> tuple[int, ...]:
    series = open_chunk(snapshot.chunks["meta"]).meta["series"]
    return series, *map(len, readings)


def newer_chunk(data: bytes) -> bytes:
    """Return a chunk as a release with another schema would write it: sound, but newer."""
    magic, _, directory, total = HEAD.unpack_from(data)
    body = HEAD.pack(magic, NEWER, directory, total) + data[HEAD.size : -DIGEST_BYTES]
    return body + hashlib.sha256(body).digest()


@pytest.mark.parametrize("what", ["chunk", "manifest"])
@pytest.mark.faults(
    row=6,
    case="a snapshot of a newer release: its {what}",
    injections="put into Redis under the next version, then a worker of this release started",
    outcome="refused by name and version, exit code 4, what is stored left as it is",
)
def test_a_snapshot_of_a_newer_release_is_refused_by_name(
    city: City, tmp_path: Path, what: str
) -> None:
    stored = read_snapshot(FILES[-1])
    chunks = dict(stored.chunks)
    version = 1
    if what == "chunk":
        chunks["meta"] = newer_chunk(chunks["meta"])
    else:
        version = NEWER
    with Run(city, tmp_path) as run:
        put_state(run.where, 0, StoredUnit(version, stored.next_offset, chunks))
        worker = run.start()
        assert worker.child.wait(150) == STATE_UNAVAILABLE, worker.tail()
        said = worker.tail().splitlines()[-1]
        left = run.state()
    assert f"version {NEWER}" in said
    assert "upgrade" in said or "newer" in said
    assert left[0].next_offset == stored.next_offset
    assert left[0].chunks == chunks
