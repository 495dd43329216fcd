"""Texts in a snapshot: one run of bytes, and how long each is."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np
from numpy.typing import NDArray


def pack(texts: Sequence[str]) -> tuple[NDArray[np.uint8], NDArray[np.int64]]:
    """Return texts as the run of their bytes and the size of each."""
    # JSON can carry lone surrogates, so an id may hold them.
    encoded = [text.encode("utf-8", "surrogatepass") for text in texts]
    sizes = np.array([len(text) for text in encoded], np.int64)
    return np.frombuffer(b"".join(encoded), np.uint8), sizes


def unpack(blob: NDArray[np.uint8], sizes: NDArray[np.int64]) -> list[str]:
    """Return the texts that `pack` made one run of."""
    data = blob.tobytes()
    ends = np.cumsum(sizes).tolist()
    starts = [0, *ends[:-1]]
    return [data[a:b].decode("utf-8", "surrogatepass") for a, b in zip(starts, ends, strict=False)]


def unpack_names(arrays: Mapping[str, NDArray[Any]]) -> list[tuple[str, str]]:
    """Return sensor and quantity of each series in a ``series`` chunk, in order."""
    sensors = unpack(arrays["sensors"], arrays["sensor_sizes"])
    quantities = unpack(arrays["quantities"], arrays["quantity_sizes"])
    return list(zip(sensors, quantities, strict=True))
