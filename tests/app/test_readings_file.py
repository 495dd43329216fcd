"""Files of readings: every format, every kind of cell, and what a bad row costs."""

import gzip
import json
import re
import sys
from datetime import UTC, datetime
from pathlib import Path
from zoneinfo import ZoneInfo

import pytest

from hedgerow.app.errors import InputFileError, MissingPart
from hedgerow.app.replay.readings_file import BadRow, Columns, ReadingsFile, Row

TWO_ROWS = "sensor_id,timestamp,value\na,2026-01-01T08:00:00Z,1.5\nb,2026-01-01T09:00:00Z,2\n"


def written(path: Path, text: str) -> Path:
    path.write_text(text, encoding="utf-8")
    return path


def messages(file: ReadingsFile) -> list[dict[str, object]]:
    return [json.loads(row.message) for row in file.rows() if isinstance(row, Row)]


def bad(file: ReadingsFile) -> list[BadRow]:
    return [row for row in file.rows() if isinstance(row, BadRow)]


def test_a_csv_with_our_own_column_names_needs_no_options(tmp_path: Path) -> None:
    file = ReadingsFile(written(tmp_path / "r.csv", TWO_ROWS))
    assert list(file.rows()) == [
        Row(
            "a",
            1767254400000,
            b'{"sensor_id":"a","timestamp":"2026-01-01T08:00:00Z","value":1.5}',
            1,
        ),
        Row(
            "b",
            1767258000000,
            b'{"sensor_id":"b","timestamp":"2026-01-01T09:00:00Z","value":2.0}',
            1,
        ),
    ]


def test_a_packed_csv_reads_the_same(tmp_path: Path) -> None:
    plain = ReadingsFile(written(tmp_path / "r.csv", TWO_ROWS))
    (tmp_path / "r.csv.gz").write_bytes(gzip.compress(TWO_ROWS.encode()))
    assert list(ReadingsFile(tmp_path / "r.csv.gz").rows()) == list(plain.rows())


def test_columns_can_have_any_name_and_order(tmp_path: Path) -> None:
    path = written(tmp_path / "r.csv", "kW,when,extra,meter\n3,2026-01-01,x,m1\n")
    columns = Columns(sensor="meter", time="when", value="kW")
    assert messages(ReadingsFile(path, columns)) == [
        {"sensor_id": "m1", "timestamp": "2026-01-01T00:00:00Z", "value": 3.0}
    ]


def test_a_file_of_one_sensor_gets_its_name_from_outside(tmp_path: Path) -> None:
    path = written(tmp_path / "r.csv", "timestamp,value\n2026-01-01,3\n")
    (row,) = ReadingsFile(path, Columns(sensor_name="bridge-7")).rows()
    assert isinstance(row, Row)
    assert row.sensor_id == "bridge-7"


def test_several_quantities_make_one_message_without_the_empty_ones(tmp_path: Path) -> None:
    path = written(
        tmp_path / "r.csv", "sensor_id,timestamp,count,speed\nr,2026-01-01,3,44\nr,2026-01-02,,45\n"
    )
    rows = list(ReadingsFile(path, Columns(quantities=("count", "speed"))).rows())
    assert [row.readings for row in rows if isinstance(row, Row)] == [2, 1]
    assert [json.loads(row.message)["values"] for row in rows if isinstance(row, Row)] == [
        {"count": 3, "speed": 44},
        {"speed": 45},
    ]


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("2026-01-01T08:00:00Z", "2026-01-01T08:00:00Z"),
        ("2026-01-01 08:00", "2026-01-01T07:00:00Z"),  # Vienna, as the file's times are
        ("2026-01-01T08:00:00+03:00", "2026-01-01T05:00:00Z"),
        ("1767254400", "2026-01-01T08:00:00Z"),
        ("1767254400250", "2026-01-01T08:00:00.250Z"),
    ],
)
def test_times_are_read_as_they_come(tmp_path: Path, text: str, expected: str) -> None:
    path = written(tmp_path / "r.csv", f"sensor_id,timestamp,value\na,{text},1\n")
    file = ReadingsFile(path, Columns(timezone=ZoneInfo("Europe/Vienna")))
    assert [message["timestamp"] for message in messages(file)] == [expected]


@pytest.mark.parametrize(
    ("row", "error"),
    [
        ("a,2026-01-01", "not a row"),
        (",2026-01-01,1", "no sensor id"),
        ("a,,1", "not a time"),
        ("a,yesterday,1", "'yesterday' is not a time"),
        ("a,1e400,1", "1e400 is not a time"),
        ("a,2026-01-01,", "no value"),
        ("a,2026-01-01,n/a", "'n/a' in column 'value' is not a finite number"),
        ("a,2026-01-01,nan", "not a finite number"),
    ],
)
def test_a_bad_row_is_handed_over_with_its_line_and_the_rest_goes_on(
    tmp_path: Path, row: str, error: str
) -> None:
    path = written(tmp_path / "r.csv", f"{TWO_ROWS}{row}\nc,2026-01-01,3\n")
    file = ReadingsFile(path)
    (found,) = bad(file)
    assert found.line == 4
    assert re.search(error, found.error)
    assert len(messages(file)) == 3


def test_ndjson_takes_numbers_and_our_own_messages_and_marks_the_rest(tmp_path: Path) -> None:
    lines = [
        '{"sensor_id": "a", "timestamp": 1767254400, "value": 1}',
        "",
        '{"sensor_id": "r", "timestamp": "2026-01-01", "values": {"count": 3, "speed": 44.5}}',
        '{"sensor_id": "a"',
        "[1]",
        '{"sensor_id": "a", "timestamp": "2026-01-01", "value": true}',
    ]
    file = ReadingsFile(written(tmp_path / "r.ndjson", "\n".join(lines)))
    assert messages(file) == [
        {"sensor_id": "a", "timestamp": "2026-01-01T08:00:00Z", "value": 1.0},
        {
            "sensor_id": "r",
            "timestamp": "2026-01-01T00:00:00Z",
            "values": {"count": 3.0, "speed": 44.5},
        },
    ]
    assert [row.line for row in bad(file)] == [4, 5, 6]


def test_parquet_reads_typed_columns(tmp_path: Path) -> None:
    pyarrow = pytest.importorskip("pyarrow", reason="hedgerow[parquet] is not installed")
    from pyarrow import parquet

    moments = [datetime(2026, 1, 1, 8, tzinfo=UTC), datetime(2026, 1, 1, 9, tzinfo=UTC), None]
    table = pyarrow.table({"sensor_id": ["a", "a", "a"], "timestamp": moments, "value": [1, 2, 3]})
    parquet.write_table(table, tmp_path / "r.parquet")
    file = ReadingsFile(tmp_path / "r.parquet")
    assert [message["timestamp"] for message in messages(file)] == [
        "2026-01-01T08:00:00Z",
        "2026-01-01T09:00:00Z",
    ]
    assert [row.line for row in bad(file)] == [3]
    assert file.fraction == 1.0


def test_parquet_of_one_sensor_needs_no_sensor_column(tmp_path: Path) -> None:
    pyarrow = pytest.importorskip("pyarrow", reason="hedgerow[parquet] is not installed")
    from pyarrow import parquet

    parquet.write_table(
        pyarrow.table({"timestamp": [1767254400], "value": [1.0]}), tmp_path / "r.parquet"
    )
    (row,) = ReadingsFile(tmp_path / "r.parquet", Columns(sensor_name="m")).rows()
    assert isinstance(row, Row)
    assert row.sensor_id == "m"


def test_parquet_without_pyarrow_says_what_to_install(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setitem(sys.modules, "pyarrow", None)
    file = ReadingsFile(written(tmp_path / "r.parquet", ""))
    with pytest.raises(MissingPart, match=r"pip install 'hedgerow\[parquet\]'"):
        list(file.rows())


def test_a_missing_column_is_named_with_those_there_are_and_the_option(tmp_path: Path) -> None:
    file = ReadingsFile(written(tmp_path / "r.csv", "id,ts,value\n"))
    with pytest.raises(
        InputFileError, match=r"no column 'sensor_id'; it has id, ts, value.*--sens"
    ):
        list(file.rows())


@pytest.mark.parametrize("name", ["r.txt", "r", "r.parquet.gz"])
def test_a_format_nobody_knows_is_refused(tmp_path: Path, name: str) -> None:
    with pytest.raises(InputFileError, match=r"not a format that can be replayed"):
        ReadingsFile(written(tmp_path / name, TWO_ROWS))


def test_a_file_that_is_not_there_is_refused(tmp_path: Path) -> None:
    with pytest.raises(InputFileError, match="there is no file"):
        ReadingsFile(tmp_path / "r.csv")


@pytest.mark.parametrize(
    ("name", "content"),
    [
        ("r.csv.gz", b"not packed at all"),
        ("r.csv.gz", gzip.compress(TWO_ROWS.encode() * 99)[:40]),
        ("r.csv", b"sensor_id,timestamp,value\n\xff\xfe\n"),
        ("r.parquet", b"PAR1"),
    ],
    ids=["not packed", "cut off", "not UTF-8", "no Parquet"],  # the packed bytes hold the time
)
def test_a_broken_file_is_an_error_in_a_sentence(tmp_path: Path, name: str, content: bytes) -> None:
    if name == "r.parquet":
        pytest.importorskip("pyarrow", reason="hedgerow[parquet] is not installed")
    (tmp_path / name).write_bytes(content)
    with pytest.raises(
        InputFileError, match=f"{name} (cannot be read|is not a Parquet file|is not UTF-8)"
    ):
        list(ReadingsFile(tmp_path / name).rows())


def test_the_fraction_read_rises_to_one(tmp_path: Path) -> None:
    file = ReadingsFile(written(tmp_path / "r.csv", TWO_ROWS + "a,2026-01-01,1\n" * 5000))
    seen = [file.fraction for _ in file.rows()]
    assert seen == sorted(seen)
    assert seen[0] == 0.0
    assert file.fraction == 1.0


@pytest.mark.parametrize("mark", [";", "\t", "|"])
def test_columns_may_be_parted_as_spreadsheets_part_them(tmp_path: Path, mark: str) -> None:
    plain = ReadingsFile(written(tmp_path / "plain.csv", TWO_ROWS))
    parted = ReadingsFile(written(tmp_path / "parted.csv", TWO_ROWS.replace(",", mark)))
    assert list(parted.rows()) == list(plain.rows())


def test_a_cell_that_is_no_number_is_told_in_part_where_it_is_long(tmp_path: Path) -> None:
    path = written(tmp_path / "r.csv", f"sensor_id,timestamp,value\na,2026-01-01,{'x' * 9_000}\n")
    (row,) = bad(ReadingsFile(path))
    assert row.error == f"'{'x' * 79} … in column 'value' is not a finite number"
