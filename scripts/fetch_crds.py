"""Bring the definitions of the custom resources that ``deploy/kubernetes`` uses, for its tests.

They come from the Go modules of KEDA and of the Prometheus operator, which ``go mod download``
fetches; a module whose contents have another hash than the one written here is refused.
"""

from __future__ import annotations

import json
import shutil
import subprocess
import sys
from dataclasses import dataclass
from pathlib import Path
from tempfile import TemporaryDirectory

BUILD = Path(__file__).parent.parent / "build" / "crds"


@dataclass(frozen=True, slots=True)
class Module:
    """A Go module, and which of its files are wanted.

    Attributes
    ----------
    path, version, sum : str
        As ``go.mod`` and ``go.sum`` write them.
    folder : str
        Where in it the files are.
    """

    path: str
    version: str
    sum: str
    folder: str
    files: tuple[str, ...]


MODULES = (
    Module(
        "github.com/kedacore/keda/v2",
        "v2.21.0",
        "h1:R6z2HZvstK4RLUMxroNACzBj74xGxt3kG59b5Xc+Xps=",
        "config/crd/bases",
        ("keda.sh_scaledobjects.yaml", "keda.sh_triggerauthentications.yaml"),
    ),
    Module(
        "github.com/prometheus-operator/prometheus-operator",
        "v0.85.0",
        "h1:M5xLCLEoaW2IJfnuCwFzzpL+jSVQu3KGT84Pye+fW8s=",
        "example/prometheus-operator-crd",
        (
            "monitoring.coreos.com_servicemonitors.yaml",
            "monitoring.coreos.com_prometheusrules.yaml",
        ),
    ),
)


def fetch(module: Module) -> dict[str, bytes]:
    """Download a module and read the wanted files.

    Raises
    ------
    ValueError
        If its contents are not those that were reviewed, or it cannot be had.
    """
    if shutil.which("go") is None:
        raise ValueError("no `go` on the PATH; install Go (Debian: golang-go)")
    with TemporaryDirectory() as outside:  # outside any module, so that no go.mod is looked for
        done = subprocess.run(
            ["go", "mod", "download", "-json", f"{module.path}@{module.version}"],
            cwd=outside,
            capture_output=True,
            text=True,
            check=False,
        )
    answer = json.loads(done.stdout or "{}")
    if "Dir" not in answer:
        raise ValueError(f"{module.path}: {answer.get('Error') or done.stderr.strip()}")
    if answer["Sum"] != module.sum:
        raise ValueError(
            f"{module.path} {module.version} has the hash {answer['Sum']}, expected {module.sum}"
        )
    folder = Path(answer["Dir"]) / module.folder
    return {name: (folder / name).read_bytes() for name in module.files}


def main() -> int:
    """Write every definition into ``build/crds``."""
    try:
        found = {name: text for module in MODULES for name, text in fetch(module).items()}
    except ValueError as error:
        print(error, file=sys.stderr)
        return 1
    BUILD.mkdir(parents=True, exist_ok=True)
    for name, text in found.items():
        (BUILD / name).write_bytes(text)
    return 0


if __name__ == "__main__":
    sys.exit(main())
