"""Fuzzes the reader of snapshots: any bytes for a chunk are read or refused by `SnapshotError`.

Most inputs get their sizes and checksum mended, so that they pass the first checks and reach
those behind. What is a chunk after all takes the place of a sound one in a whole snapshot,
which then is restored, or refused.
"""

from __future__ import annotations

import hashlib
import struct
import sys
from pathlib import Path
from types import FunctionType, ModuleType

import atheris
import numpy as np

from hedgerow.models import CityModel, Learner, Profile, SnapshotError
from hedgerow.models.snapshot import chunks as snapshot
from hedgerow.models.snapshot import restore

HEAD = struct.Struct("<8sIIQ")
DIGEST_BYTES = 32
START, HOUR = 1_767_225_600_000, 3_600_000
CITY = CityModel((Profile("small", period_seconds=43_200, horizons=(1,)),))


def instrument(module: ModuleType) -> None:
    """Watch the branches of a module's functions; its imports cannot be: numba compiles some."""
    owners = [module, *(held for held in vars(module).values() if isinstance(held, type))]
    for owner in owners:
        for held in vars(owner).values():
            if isinstance(held, FunctionType) and held.__module__ == module.__name__:
                atheris.instrument_func(held)


def sound() -> dict[str, bytes]:
    """Return a small but whole snapshot."""
    learner = Learner(CITY)
    names = ["a", "b", "a", "b"]
    times = [START + n // 2 * 12 * HOUR for n in range(4)]
    learner.step(names, [""] * 4, np.array(times), np.arange(4.0), np.arange(4))
    return {name: snapshot.encode_chunk(raw) for name, raw in learner.capture().chunks.items()}


SOUND = sound()


def packed(directory: bytes, blobs: bytes, version: int = snapshot.VERSION) -> bytes:
    """Return a chunk whose head and checksum fit, whatever is in it."""
    total = HEAD.size + len(directory) + len(blobs) + DIGEST_BYTES
    body = HEAD.pack(snapshot.MAGIC, version, len(directory), total) + directory + blobs
    return body + hashlib.sha256(body).digest()


def check(data: bytes) -> None:
    """Read a chunk; if it is one, restore a snapshot that holds it."""
    try:
        raw = snapshot.decode_chunk(data)
    except SnapshotError:
        return
    assert sum(array.nbytes for array in raw.arrays.values()) <= len(data)
    if raw.name not in SOUND:
        return
    try:
        learner = Learner.restore(CITY, {**SOUND, raw.name: data})
    except SnapshotError:
        return
    assert len(learner.series) <= 2  # a forged count of 0 is a sound snapshot of nobody


def mutate(data: bytes, max_size: int, seed: int) -> bytes:
    """Change the bytes: nine times in ten the directory or the numbers, the rest mended."""
    if seed % 10 == 0 or len(data) < HEAD.size + DIGEST_BYTES:
        return atheris.Mutate(data, max_size)
    _, version, size, _ = HEAD.unpack_from(data)
    directory, blobs = (
        data[HEAD.size : -DIGEST_BYTES][:size],
        data[HEAD.size + size : -DIGEST_BYTES],
    )
    room = max(1, max_size - HEAD.size - DIGEST_BYTES - len(directory) - len(blobs))
    if seed % 3 and directory:
        directory = atheris.Mutate(directory, len(directory) + room)
    else:
        blobs = atheris.Mutate(blobs, len(blobs) + room)
    return packed(directory, blobs, version if seed % 50 == 1 else snapshot.VERSION)[:max_size]


if __name__ == "__main__":
    if sys.argv[1] == "--seeds":
        folder = Path(sys.argv[2])
        for name, chunk in SOUND.items():
            (folder / name.replace("/", "-")).write_bytes(chunk)
    else:
        instrument(snapshot)
        instrument(restore)
        atheris.Setup(sys.argv, check, custom_mutator=mutate)
        atheris.Fuzz()
