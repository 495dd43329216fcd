"""The two forms of a file of sensors; light, for commands that only name them."""

from __future__ import annotations

from enum import StrEnum


class Format(StrEnum):
    """How a file of sensors is written."""

    CSV = "csv"
    GEOJSON = "geojson"
