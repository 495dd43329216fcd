"""Chunks of a snapshot, as bytes that explain and check themselves.

Before: ``Learner.capture`` copies what changed into ``RawChunk``s. After: the agent hands the
encoded bytes to the state store. A chunk is a fixed head, a JSON directory, plain little-endian
numbers and a checksum: no code, nothing that runs when it is read.
"""

from __future__ import annotations

import hashlib
import json
import struct
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

import numpy as np

from hedgerow.models.errors import SnapshotError, SnapshotTooNew

MAGIC = b"HEDGEROW"
VERSION = 3
# Still read: 1 knew no single precision, 2 had another checksum, half as fast where the processor
# knows SHA-256.
_HEAD = struct.Struct("<8sIIQ")  # magic, version, length of the directory, length of all
_DIGEST = 32
_DTYPES = frozenset({"<f8", "<f4", "<i8", "|u1"})
_MAX_DIRECTORY = 16 * 2**20

Array = np.ndarray[Any, np.dtype[Any]]  # of one of the dtypes above
Json = Any  # whatever JSON can hold; whoever reads it checks


@dataclass(frozen=True, slots=True)
class RawChunk:
    """One chunk before encoding.

    Attributes
    ----------
    name : str
        Its name within the snapshot; up to the first slash it says what kind of chunk it is:
        ``meta``, ``registry``, ``series``, ``silence``, ``watermark``, ``nursery``, ``layout``,
        ``rows`` or ``plugins``.
    arrays : Mapping of str to ndarray
        Numbers: float64, float32, int64 or uint8.
    meta : Mapping
        A few values that are not arrays.
    """

    name: str
    arrays: Mapping[str, Array] = field(default_factory=dict)
    meta: Mapping[str, Json] = field(default_factory=dict)


@dataclass(frozen=True, slots=True)
class Capture:
    """What a checkpoint has to write.

    Attributes
    ----------
    chunks : dict of str to RawChunk
        The chunks that changed since the last capture.
    names : list of str
        All chunks that make up the state, changed or not.
    """

    chunks: dict[str, RawChunk]
    names: list[str]

    def encoded(self) -> dict[str, bytes]:
        """Return the chunks as bytes; pure, may run in a thread once the copy is complete."""
        return {name: encode_chunk(raw) for name, raw in self.chunks.items()}


def encode_chunk(raw: RawChunk) -> bytes:
    """Return a chunk as bytes; pure, may run in a thread.

    Examples
    --------
    >>> data = encode_chunk(RawChunk("rows/0", {"x": np.arange(3.0)}))
    >>> decode_chunk(data).arrays["x"].tolist()
    [0.0, 1.0, 2.0]
    """
    entries: list[Json] = []
    blobs: list[memoryview] = []
    for name, array in raw.arrays.items():
        little = array.dtype.newbyteorder("<")
        if little.str not in _DTYPES:
            raise SnapshotError(f"array {name!r} of type {array.dtype} cannot be stored")
        entries.append([name, little.str, list(array.shape)])
        blobs.append(np.ascontiguousarray(array, little).reshape(-1).view(np.uint8).data)
    directory = json.dumps(
        {"name": raw.name, "meta": dict(raw.meta), "arrays": entries}, separators=(",", ":")
    ).encode()
    total = _HEAD.size + len(directory) + sum(map(len, blobs)) + _DIGEST
    head = _HEAD.pack(MAGIC, VERSION, len(directory), total)
    parts: list[bytes | memoryview] = [head, directory, *blobs]
    digest = hashlib.sha256()
    for part in parts:
        digest.update(part)
    return b"".join([*parts, digest.digest()])  # the only copy: chunks are large


def decode_chunk(data: bytes) -> RawChunk:
    """Read a chunk back.

    Never takes more memory than a small multiple of ``data``, whatever the bytes claim.

    Raises
    ------
    SnapshotError
        Naming what is wrong: not a chunk, cut short, changed, or of a newer version.
    """
    if len(data) < _HEAD.size + _DIGEST:
        raise SnapshotError(f"chunk is cut short: {len(data)} bytes cannot hold one")
    magic, version, directory_size, total = _HEAD.unpack_from(data)
    if magic != MAGIC:
        raise SnapshotError("not a chunk of a snapshot: it does not begin with HEDGEROW")
    if version > VERSION:
        raise SnapshotTooNew(
            f"chunk has version {version}, this program reads up to {VERSION}: upgrade it"
        )
    if total != len(data):
        what = "cut short" if total > len(data) else "longer than it says"
        raise SnapshotError(f"chunk is {what}: {len(data)} bytes instead of {total}")
    body = memoryview(data)[:-_DIGEST]
    if _digest(body, version) != data[-_DIGEST:]:
        raise SnapshotError("chunk was changed: its checksum does not fit")
    if directory_size > min(len(body) - _HEAD.size, _MAX_DIRECTORY):
        raise SnapshotError("chunk has a directory larger than itself")
    start = _HEAD.size + directory_size
    try:
        directory = json.loads(bytes(body[_HEAD.size : start]))
        name, meta, entries = directory["name"], directory["meta"], directory["arrays"]
        if not (isinstance(name, str) and isinstance(meta, dict)):
            raise SnapshotError("chunk has an unreadable directory: name or meta is missing")
        arrays = {}
        for array, dtype, shape in entries:
            arrays[str(array)], start = _array(body, start, dtype, shape)
    except (KeyError, TypeError, ValueError, RecursionError) as error:
        raise SnapshotError(f"chunk has an unreadable directory: {error}") from None
    if start != len(body):
        raise SnapshotError(f"chunk has {len(body) - start} bytes that no array claims")
    return RawChunk(name, arrays, meta)


def _digest(body: memoryview, version: int) -> bytes:
    if version < 3:  # noqa: PLR2004
        return hashlib.blake2b(body, digest_size=_DIGEST).digest()
    return hashlib.sha256(body).digest()


def _array(body: memoryview, start: int, dtype: object, shape: object) -> tuple[Array, int]:
    if not isinstance(dtype, str) or dtype not in _DTYPES:
        raise SnapshotError(f"chunk has an array of unknown type {dtype!r}")
    if not isinstance(shape, list) or not all(type(n) is int and n >= 0 for n in shape):
        raise SnapshotError("chunk has an array of impossible shape")
    count = 1
    for n in shape:
        count *= n
    end = start + count * np.dtype(dtype).itemsize
    if end > len(body) or len(shape) > 4:
        raise SnapshotError("chunk has an array larger than itself")
    flat = np.frombuffer(body[start:end], dtype)
    return flat.astype(flat.dtype.newbyteorder("="), copy=False).reshape(shape), end
