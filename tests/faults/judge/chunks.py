"""Chunks of a snapshot taken apart by their published format, without the product's reader.

A head (magic, version, sizes), a JSON directory, plain little-endian arrays, a checksum.
"""

from __future__ import annotations

import json
import math
import struct
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

import numpy as np

HEAD = struct.Struct("<8sIIQ")
DIGEST_BYTES = 32
# The fields of a row where NaN marks a slot without a reading (of the series, of its day or
# week), a forecast that nobody sent, or an expert that had none.
MISSING = ("ring", "pattern", "outside.", ".pending[")


@dataclass(frozen=True, slots=True)
class Chunk:
    """One chunk, opened."""

    version: int
    meta: Mapping[str, Any]
    arrays: Mapping[str, np.ndarray]


def open_chunk(data: bytes) -> Chunk:
    magic, version, directory_bytes, total = HEAD.unpack_from(data)
    assert (magic, total) == (b"HEDGEROW", len(data))
    at = HEAD.size + directory_bytes
    directory = json.loads(data[HEAD.size : at])
    arrays = {}
    for name, kind, shape in directory["arrays"]:
        flat = np.frombuffer(data, np.dtype(kind), math.prod(shape), at)
        arrays[name] = flat.reshape(shape)
        at += flat.nbytes
    assert at == len(data) - DIGEST_BYTES
    return Chunk(version, directory["meta"], arrays)


def not_finite(chunks: Mapping[str, bytes]) -> list[str]:
    """Name every number of a snapshot that is infinite, or NaN where NaN means nothing."""
    found = []
    for name, data in chunks.items():
        arrays = open_chunk(data).arrays
        for array, values in arrays.items():
            if values.dtype.kind != "f":
                continue
            if np.isinf(values).any():
                found.append(f"{name} {array}: infinite")
            if not name.startswith("rows/"):
                if np.isnan(values).any():
                    found.append(f"{name} {array}: NaN")
                continue
            layout = open_chunk(chunks[f"layout/{name.split('/')[1]}"]).meta["fields"]
            found += [
                f"{name} {field}: NaN"
                for field, offset, size, single in layout
                if array == ("singles" if single else "rows")
                and not (field.startswith(MISSING[:3]) or MISSING[3] in field)
                and np.isnan(values[:, offset : offset + size]).any()
            ]
    return found
