"""Files of sensors, CSV or GeoJSON, read whole or refused with every fault in it.

Before: a city's list of its sensors. After: ``app/registry/send`` publishes what differs from the
registry, ``hedgerow backtest --registry`` learns by it, and ``hedgerow sensors export`` writes the
same two forms.
"""

from __future__ import annotations

import csv
import io
from collections.abc import Iterable, Iterator, Mapping
from pathlib import Path
from typing import TextIO

import msgspec

from hedgerow.app.errors import InputFileError
from hedgerow.app.registry.forms import Format
from hedgerow.topics import Sensor
from hedgerow.topics.sensors import FIELDS, faults

FAULTS_SHOWN = 10
NUMBERS = (
    "longitude",
    "latitude",
    "x",
    "y",
    "bound_lower",
    "bound_upper",
    "period_seconds",
)
SEPARATOR = ";"  # of neighbours in a cell


_BY_EXTENSION = {".csv": Format.CSV, ".geojson": Format.GEOJSON, ".json": Format.GEOJSON}


def format_of(path: Path | None, given: Format | None) -> Format:
    """Choose the format by name or by the file's extension; CSV where there is no file.

    Raises
    ------
    InputFileError
        If neither tells.
    """
    if given is not None:
        return given
    if path is None:
        return Format.CSV
    try:
        return _BY_EXTENSION[path.suffix.lower()]
    except KeyError:
        raise InputFileError(
            f"{path}: is it CSV or GeoJSON? Call it .csv or .geojson, or say --format"
        ) from None


def read_sensors(path: Path, given: Format | None = None) -> dict[str, Sensor]:
    """Read a file of sensors, by their ids.

    Raises
    ------
    InputFileError
        If it cannot be read, or anything in it is not as it should be; with the place of each
        fault and what would be right.
    """
    form = format_of(path, given)
    try:
        text = path.read_text(encoding="utf-8-sig")
    except OSError as error:
        raise InputFileError(f"{path}: {error.strerror or error}") from None
    except UnicodeDecodeError as error:
        raise InputFileError(f"{path}: not UTF-8 at byte {error.start}; save it as UTF-8") from None
    read = _from_csv if form is Format.CSV else _from_geojson
    found: dict[str, Sensor] = {}
    places: dict[str, str] = {}
    wrong: list[str] = []
    for place, sensor in read(path, text):
        if isinstance(sensor, str):
            wrong.append(f"{place}: {sensor}")
            continue
        wrong += [f"{place}: {fault}" for fault in faults(sensor)]
        if sensor.sensor_id in found:
            wrong.append(f"{place}: {sensor.sensor_id} stands in {places[sensor.sensor_id]} too")
        found[sensor.sensor_id], places[sensor.sensor_id] = sensor, place
    if wrong:
        more = [f"and {len(wrong) - FAULTS_SHOWN} more"] if len(wrong) > FAULTS_SHOWN else []
        lines = "\n  ".join([*wrong[:FAULTS_SHOWN], *more])
        raise InputFileError(f"{path}: nothing was taken, for this is wrong:\n  {lines}")
    return found


def _from_csv(path: Path, text: str) -> Iterator[tuple[str, Sensor | str]]:
    rows = csv.reader(io.StringIO(text, newline=""), strict=True)
    try:
        header = [name.strip() for name in next(rows, [])]
        _check_header(path, header)
        for row in rows:
            place = f"line {rows.line_num}"
            if not any(cell.strip() for cell in row):
                continue
            if len(row) != len(header):
                yield place, f"{len(row)} cells where the first line names {len(header)} columns"
                continue
            yield place, _from_cells(dict(zip(header, map(str.strip, row), strict=True)))
    except csv.Error as error:
        raise InputFileError(f"{path}: line {rows.line_num}: {error}") from None


def _check_header(path: Path, header: list[str]) -> None:
    columns = f"a file of sensors has the columns {', '.join(FIELDS)}"
    unknown = [name for name in header if name not in FIELDS]
    if unknown:
        raise InputFileError(f"{path}: line 1: unknown column {unknown[0]!r}; {columns}")
    if "sensor_id" not in header:
        raise InputFileError(f"{path}: line 1: there is no column sensor_id; {columns}")
    if len(set(header)) < len(header):
        raise InputFileError(f"{path}: line 1: a column is named twice; {columns}")


def _from_cells(cells: Mapping[str, str]) -> Sensor | str:
    values: dict[str, str | float | tuple[str, ...]] = {}
    for name, cell in cells.items():
        if not cell:
            continue
        if name in NUMBERS:
            try:
                values[name] = float(cell)
            except ValueError:
                return f"{name} {cell!r} is not a number; write it with a point, as 12.5"
        elif name == "neighbours":
            values[name] = tuple(part.strip() for part in cell.split(SEPARATOR) if part.strip())
        else:
            values[name] = cell
    if "sensor_id" not in values:
        return "sensor_id is empty"
    return msgspec.convert(values, Sensor)


class _Geometry(msgspec.Struct):
    type: str
    coordinates: tuple[float, ...] = ()


class _Feature(msgspec.Struct):
    type: str = ""
    geometry: _Geometry | None = None
    properties: dict[str, msgspec.Raw] | None = None
    id: str | int | None = None


class _Collection(msgspec.Struct):
    type: str = ""
    features: tuple[msgspec.Raw, ...] = ()


def _from_geojson(path: Path, text: str) -> Iterator[tuple[str, Sensor | str]]:
    try:
        collection = msgspec.json.decode(text, type=_Collection)
    except msgspec.DecodeError as error:
        raise InputFileError(f"{path}: not GeoJSON: {error}") from None
    if collection.type != "FeatureCollection":
        raise InputFileError(f'{path}: not GeoJSON: its type must be "FeatureCollection"')
    at, line = 0, 1
    for number, raw in enumerate(collection.features, 1):
        begins = text.find(bytes(raw).decode(), at)
        line += text.count("\n", at, begins)
        at = begins
        place = f"line {line}, feature {number}"
        try:
            yield place, _from_feature(msgspec.json.decode(raw, type=_Feature))
        except msgspec.DecodeError as error:
            yield place, f"{error}; a sensor has {', '.join(FIELDS)}"


def _from_feature(feature: _Feature) -> Sensor | str:
    properties = dict(feature.properties or {})
    if feature.id is not None:
        properties.setdefault("sensor_id", msgspec.Raw(msgspec.json.encode(str(feature.id))))
    unknown = [name for name in properties if name not in FIELDS]
    if unknown:
        return f"unknown property {unknown[0]!r}; a sensor has {', '.join(FIELDS)}"
    if "sensor_id" not in properties:
        return "sensor_id is neither among the properties nor the feature's id"
    known = {name: value for name, value in properties.items() if bytes(value) != b"null"}
    if feature.geometry is not None:
        if feature.geometry.type != "Point" or len(feature.geometry.coordinates) not in {2, 3}:
            return f"geometry {feature.geometry.type!r} must be a Point of longitude and latitude"
        for name, degrees in zip(
            ("longitude", "latitude"), feature.geometry.coordinates, strict=False
        ):
            known[name] = msgspec.Raw(msgspec.json.encode(degrees))
    return msgspec.json.decode(msgspec.json.encode(known), type=Sensor)


def write_sensors(sensors: Iterable[Sensor], form: Format, into: TextIO) -> None:
    """Write sensors as `read_sensors` reads them."""
    if form is Format.GEOJSON:
        features = [_feature(sensor) for sensor in sensors]
        body = msgspec.json.encode({"type": "FeatureCollection", "features": features})
        into.write(msgspec.json.format(body, indent=1).decode() + "\n")
        return
    rows = csv.writer(into, lineterminator="\n")
    rows.writerow(FIELDS)
    for sensor in sensors:
        rows.writerow([_cell(getattr(sensor, name)) for name in FIELDS])


def _feature(sensor: Sensor) -> dict[str, object]:
    properties = msgspec.to_builtins(sensor)
    position = [properties.pop("longitude", None), properties.pop("latitude", None)]
    geometry = None if None in position else {"type": "Point", "coordinates": position}
    return {"type": "Feature", "geometry": geometry, "properties": properties}


def _cell(value: str | float | tuple[str, ...] | None) -> str:
    if value is None:
        return ""
    if isinstance(value, tuple):
        return SEPARATOR.join(value)
    return value if isinstance(value, str) else repr(value).removesuffix(".0")
