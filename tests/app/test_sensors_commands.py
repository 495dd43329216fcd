"""``hedgerow sensors`` against the embedded stack: import, list, export, import again."""

from __future__ import annotations

import json
from collections.abc import Callable
from io import StringIO
from pathlib import Path
from uuid import uuid4

import pytest
from stack.fixtures import Stack

from hedgerow.app.cli import main

FILE = """sensor_id,name,kind,zone,longitude,latitude,bound_upper
bridge-7,Louise,traffic,centre,12.56,55.68,4000
bridge-8,Knippel,traffic,harbour,12.58,55.67,
"""
Cli = Callable[..., tuple[int, str, str]]


@pytest.fixture
def cli(stack: Stack, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch) -> Cli:
    monkeypatch.setenv("HEDGEROW_CONFIG", "")
    monkeypatch.setenv("HEDGEROW_KAFKA__BOOTSTRAP_SERVERS", stack.bootstrap)
    monkeypatch.setenv("COLUMNS", "200")
    prefix = f"sensors-{uuid4().hex[:8]}"
    for topic in ("readings", "predictions", "alerts", "dead_letters"):
        monkeypatch.setenv(f"HEDGEROW_TOPICS__{topic.upper()}", f"{prefix}.{topic}")
    monkeypatch.setenv("HEDGEROW_TOPICS__SENSOR_REGISTRY", prefix)

    def run(*arguments: str) -> tuple[int, str, str]:
        with pytest.raises(SystemExit) as left:
            main(arguments)
        printed = capsys.readouterr()
        return int(left.value.code or 0), printed.out, printed.err

    assert run("topics", "create")[0] == 0
    return run


def test_a_file_goes_in_once_comes_out_again_and_can_replace(
    cli: Cli, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    path, copy = tmp_path / "sensors.csv", tmp_path / "copy.geojson"
    path.write_text(FILE)

    assert "would be 2 new" in cli("sensors", "import", str(path), "--dry-run")[1]
    assert "2 new, 0 changed, 0 unchanged, 0 removed" in cli("sensors", "import", str(path))[1]
    assert "0 new, 0 changed, 2 unchanged, 0 removed" in cli("sensors", "import", str(path))[1]

    code, out, err = cli("sensors", "export", str(copy))
    assert (code, out) == (0, "")
    assert "2 sensors" in err
    assert "0 new, 0 changed, 2 unchanged" in cli("sensors", "import", str(copy))[1]

    path.write_text(FILE.replace(",4000", ",5000").replace("bridge-8", "bridge-9"))
    monkeypatch.setattr("sys.stdin", StringIO("n\n"))
    code, out, err = cli("sensors", "import", str(path), "--replace")
    assert code == 1
    assert "1 sensors are not in the file: bridge-8" in err
    again = cli("sensors", "import", str(path), "--replace", "--yes")[1]
    assert "1 new, 1 changed, 0 unchanged, 1 removed" in again
    names = [json.loads(line) for line in cli("sensors", "list", "--json")[1].splitlines()]
    assert [(one["sensor_id"], one.get("bound_upper")) for one in names] == [
        ("bridge-7", 5000),
        ("bridge-9", None),
    ]


def test_the_list_can_be_narrowed(cli: Cli, tmp_path: Path) -> None:
    path = tmp_path / "sensors.csv"
    path.write_text(FILE)
    cli("sensors", "import", str(path))

    listed = cli("sensors", "list", "--zone", "harbour")[1]

    assert "Knippel  traffic  harbour" in listed
    assert "12.58, 55.67" in listed
    assert listed.endswith("1 sensors\n")
    assert cli("sensors", "list", "Lou*", "--kind", "traffic")[1].endswith("1 sensors\n")


def test_a_bad_file_and_a_missing_topic_are_told(
    cli: Cli, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    path = tmp_path / "sensors.csv"
    path.write_text("sensor_id,longitude\na,12\n")

    code, _, err = cli("sensors", "import", str(path))
    assert code == 5
    assert "line 2: longitude is given alone; a position has longitude and latitude" in err

    monkeypatch.setenv("HEDGEROW_TOPICS__SENSOR_REGISTRY", "nowhere")
    code, _, err = cli("sensors", "list")
    assert code == 9
    assert "there is no topic nowhere; run `hedgerow topics create`" in err
