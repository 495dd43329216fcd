"""The console's chart library: what the build took out of the wheel, and what it would refuse."""

from __future__ import annotations

import hashlib
import importlib.util
import subprocess
import zipfile
from pathlib import Path
from types import ModuleType

import pytest

ROOT = Path(__file__).resolve().parents[2]


@pytest.fixture(scope="module")
def vendor() -> ModuleType:
    spec = importlib.util.spec_from_file_location("vendor", ROOT / "scripts" / "vendor_charts.py")
    assert spec is not None
    assert spec.loader is not None
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


def wheel_of(folder: Path, files: dict[str, bytes]) -> Path:
    path = folder / "forged-1.0-py3-none-any.whl"
    with zipfile.ZipFile(path, "w") as archive:
        for name, content in files.items():
            archive.writestr(name, content)
    return path


def real(vendor: ModuleType) -> dict[str, bytes]:
    return {
        inside: (vendor.VENDOR / name).read_bytes() for name, (inside, _) in vendor.FILES.items()
    }


def test_what_is_served_is_what_the_authors_publish(vendor: ModuleType) -> None:
    for name, (_, expected) in vendor.FILES.items():
        served = (vendor.VENDOR / name).read_bytes()
        assert hashlib.sha256(served).hexdigest() == expected


def test_it_is_not_in_git() -> None:
    told = subprocess.run(
        ["git", "ls-files", "src/hedgerow/app/console/static/vendor"],
        cwd=ROOT, capture_output=True, text=True, check=True,
    )  # fmt: skip
    assert told.stdout == ""


def test_a_wheel_with_the_right_files_is_taken(vendor: ModuleType, tmp_path: Path) -> None:
    files = real(vendor)
    assert set(vendor.unpack(wheel_of(tmp_path, files)).values()) == set(files.values())


def test_a_changed_file_is_refused(vendor: ModuleType, tmp_path: Path) -> None:
    files = {name: content + b" " for name, content in real(vendor).items()}
    with pytest.raises(ValueError, match="has the hash"):
        vendor.unpack(wheel_of(tmp_path, files))


def test_a_wheel_without_it_is_refused(vendor: ModuleType, tmp_path: Path) -> None:
    with pytest.raises(ValueError, match="holds no youplot/vendor/uplot"):
        vendor.unpack(wheel_of(tmp_path, {"other.py": b""}))


def test_the_wheel_is_pinned_by_hash(vendor: ModuleType) -> None:
    lines = vendor.WHEEL.read_text("utf-8").splitlines()
    assert lines[0] == "youplot==1.0.0 \\"
    assert all("--hash=sha256:" in line for line in lines[1:])
