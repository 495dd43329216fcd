"""Files of sensors: both forms, faults with their lines, and what a file changes."""

from __future__ import annotations

from io import StringIO
from pathlib import Path

import pytest

from hedgerow.app.errors import InputFileError
from hedgerow.app.registry.files import Format, read_sensors, write_sensors
from hedgerow.app.registry.send import changes
from hedgerow.app.registry.table import SensorTable, chosen
from hedgerow.topics import Sensor, encode_sensor

BRIDGE = Sensor(
    "bridge-7",
    name="Dronning Louises Bro, øst",
    kind="bicycles",
    unit="bicycles/h",
    zone="Indre By",
    longitude=12.5636,
    latitude=55.6868,
    bound_lower=0.0,
    bound_upper=4000.0,
    period_seconds=3600.0,
    neighbours=("bridge-8", "bridge-9/speed"),
)
HALL = Sensor("hall", x=3.5, y=-1.0)


@pytest.mark.parametrize("form", Format)
def test_what_is_written_is_read_back(tmp_path: Path, form: Format) -> None:
    into = StringIO()
    write_sensors([BRIDGE, HALL], form, into)
    path = tmp_path / f"sensors.{form}"
    path.write_text(into.getvalue(), encoding="utf-8")

    assert list(read_sensors(path).values()) == [BRIDGE, HALL]


def test_a_csv_file_needs_no_more_than_the_columns_it_has(tmp_path: Path) -> None:
    path = tmp_path / "some.txt"
    path.write_text("\ufeffzone,sensor_id\r\nharbour,a\r\n\r\n,b\r\n", encoding="utf-8")

    assert read_sensors(path, Format.CSV) == {"a": Sensor("a", zone="harbour"), "b": Sensor("b")}


def test_a_geojson_feature_may_bear_the_id_itself(tmp_path: Path) -> None:
    path = tmp_path / "a.json"
    path.write_text(
        '{"type":"FeatureCollection","features":[{"type":"Feature","id":7,"geometry":'
        '{"type":"Point","coordinates":[12.5,55.5,3]},"properties":{"zone":null}}]}'
    )

    assert read_sensors(path) == {"7": Sensor("7", longitude=12.5, latitude=55.5)}


@pytest.mark.parametrize(
    ("name", "text", "sentence"),
    [
        ("a.csv", "sensor_id,colour\n", "line 1: unknown column 'colour'; a file of sensors has"),
        ("a.csv", "name\n", "line 1: there is no column sensor_id"),
        ("a.csv", "sensor_id,zone,zone\n", "line 1: a column is named twice"),
        ("a.csv", "sensor_id,zone\na\n", "line 2: 1 cells where the first line names 2 columns"),
        ("a.csv", "sensor_id,zone\n,x\n", "line 2: sensor_id is empty"),
        ("a.csv", 'sensor_id,name\na,"x\ny"\nb,c\na,d\n', "line 5: a stands in line 3 too"),
        (
            "a.csv",
            "sensor_id,bound_upper\na,\nb,3;5\n",
            "line 3: bound_upper '3;5' is not a number",
        ),
        ("a.csv", "sensor_id,x\na,1\n", "line 2: x is given alone"),
        ("a.csv", "sensor_id,bound_upper\na,nan\n", "line 2: bound_upper nan must be a finite"),
        ("a.csv", 'sensor_id\n"a', "line 2: unexpected end of data"),
        ("a.geojson", "{", "not GeoJSON: Input data was truncated"),
        ("a.geojson", '{"type":"Feature"}', 'its type must be "FeatureCollection"'),
        (
            "a.geojson",
            '{"type":"FeatureCollection","features":[\n{"id":"a"},\n{"id":"b",'
            '"geometry":{"type":"LineString","coordinates":[]}}]}',
            "line 3, feature 2: geometry 'LineString' must be a Point",
        ),
        (
            "a.geojson",
            '{"type":"FeatureCollection","features":[{"properties":{"sensor_id":"a","x":"1"}}]}',
            "line 1, feature 1: Expected `float | null`, got `str` - at `$.x`; a sensor has",
        ),
        ("a.xml", "", "is it CSV or GeoJSON? Call it .csv or .geojson, or say --format"),
    ],
)
def test_a_fault_is_told_with_its_place_and_what_would_be_right(
    tmp_path: Path, name: str, text: str, sentence: str
) -> None:
    path = tmp_path / name
    path.write_text(text, encoding="utf-8")

    with pytest.raises(InputFileError) as refused:
        read_sensors(path)

    assert sentence in str(refused.value)


def test_all_faults_of_a_file_are_told_at_once_but_not_without_end(tmp_path: Path) -> None:
    path = tmp_path / "a.csv"
    path.write_text("sensor_id,x\n" + "".join(f"s{i},1\n" for i in range(30)))

    with pytest.raises(InputFileError) as refused:
        read_sensors(path)

    assert "line 11: x is given alone" in str(refused.value)
    assert "line 12" not in str(refused.value)
    assert str(refused.value).endswith("and 20 more")


def test_a_file_changes_what_differs_and_removes_only_when_asked() -> None:
    there = {"bridge-7": Sensor("bridge-7"), "hall": HALL, "old": Sensor("old")}
    wanted = {"bridge-7": BRIDGE, "hall": HALL, "new": Sensor("new")}

    adding, replacing = changes(there, wanted), changes(there, wanted, replace=True)

    assert str(adding) == "1 new, 1 changed, 1 unchanged, 0 removed"
    assert (adding.new, adding.changed) == ([Sensor("new")], [BRIDGE])
    assert replacing.removed == ["old"]
    assert changes(wanted, wanted, replace=True).count == 0


def test_the_last_record_of_a_key_decides_and_of_a_bad_one_nothing_is_declared() -> None:
    table = SensorTable()
    for sensor in (HALL, BRIDGE, Sensor("hall", x=4.0, y=4.0)):
        table.take(*encode_sensor(sensor))
    table.take(b"bridge-7", b'{"sensor_id":"bridge-7","bound_upper":"x"}')
    table.take(b"gone", None)
    table.take(b"\xff", None)

    assert table.sensors == {"hall": Sensor("hall", x=4.0, y=4.0)}
    assert list(table.refused) == [b"bridge-7"]
    table.take(*encode_sensor(BRIDGE))
    assert table.refused == {}
    assert table.sensors["bridge-7"] == BRIDGE


def test_sensors_are_chosen_by_id_or_name_kind_and_zone() -> None:
    every = [HALL, BRIDGE]

    assert chosen(every) == [BRIDGE, HALL]
    assert chosen(every, pattern="bridge-*") == chosen(every, pattern="Dronning*") == [BRIDGE]
    assert chosen(every, kind="bicycles", zone="Indre By") == [BRIDGE]
    assert chosen(every, kind="bicycles", zone="") == []
