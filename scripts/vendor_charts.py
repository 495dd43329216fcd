"""Bring the console's chart library: out of a pinned wheel, into the package, checked by hash.

The library is uPlot. A wheel carries it byte for byte as its authors publish it, so that Python
and pip are enough to have it (docs/adr/0016). `make charts` calls this; the file is not in git.
"""

from __future__ import annotations

import hashlib
import subprocess
import sys
import tempfile
import zipfile
from pathlib import Path

ROOT = Path(__file__).resolve().parents[1]
WHEEL = ROOT / "requirements" / "charts.txt"
VENDOR = ROOT / "src" / "hedgerow" / "app" / "console" / "static" / "vendor"
# Of uPlot 1.6.31 as published by its authors, dist/uPlot.iife.min.js and dist/uPlot.min.css.
FILES = {
    "uplot.js": (
        "youplot/vendor/uplot.iife.min.js",
        "2d27e8ad3d228164525ce213f9dc716f39b4e3aee0cc773fb3491c96cf4921a2",
    ),
    "uplot.css": (
        "youplot/vendor/uplot.min.css",
        "df630c6a8d6f8eeaff264b50f73ce5b114f646ffd9a0bb74f049b0a00135fa04",
    ),
}


def main() -> int:
    """Download, check, write; say in a sentence what is wrong otherwise."""
    with tempfile.TemporaryDirectory(prefix="hedgerow-charts-") as folder:
        command = [
            *(sys.executable, "-m", "pip", "download", "--quiet", "--disable-pip-version-check"),
            *("--no-deps", "--require-hashes", "--only-binary", ":all:"),
            *("--requirement", str(WHEEL), "--dest", folder),
        ]
        if subprocess.run(command, check=False).returncode != 0:
            return _fail(f"pip cannot bring the wheel that {WHEEL.name} pins; its message is above")
        try:
            contents = unpack(next(Path(folder).glob("*.whl")))
        except ValueError as error:
            return _fail(str(error))
    VENDOR.mkdir(parents=True, exist_ok=True)
    for name, content in contents.items():
        (VENDOR / name).write_bytes(content)
    return 0


def unpack(wheel: Path) -> dict[str, bytes]:
    """Take the library's files out of the wheel.

    Raises
    ------
    ValueError
        If one is missing, or is not what its authors publish.
    """
    contents = {}
    with zipfile.ZipFile(wheel) as archive:
        for name, (inside, expected) in FILES.items():
            if inside not in archive.namelist():
                raise ValueError(f"{wheel.name} holds no {inside}")
            contents[name] = archive.read(inside)
            found = hashlib.sha256(contents[name]).hexdigest()
            if found != expected:
                raise ValueError(
                    f"{inside} in {wheel.name} has the hash {found}, and not {expected}"
                )
    return contents


def _fail(sentence: str) -> int:
    print(f"the console's charts are not there: {sentence}", file=sys.stderr)
    return 1


if __name__ == "__main__":
    sys.exit(main())
