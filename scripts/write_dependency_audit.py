"""Write ``docs/dependency-audit.md``: what the image installs, and what a review of it found.

``python scripts/write_dependency_audit.py`` renews the table and the date; the findings are
written here, by whoever reviewed. Advisories are asked for by ``make audit``, where their
database can be reached.
"""

from __future__ import annotations

import re
import sys
from collections.abc import Iterator
from dataclasses import dataclass
from datetime import UTC, datetime
from importlib import metadata
from pathlib import Path

ROOT = Path(__file__).resolve().parent.parent
PAGE = ROOT / "docs" / "dependency-audit.md"
LOCK = ROOT / "requirements" / "run.txt"
PIN = re.compile(r"^([a-z0-9._-]+)(?:\[[^\]]*\])?==([^ ;\\]+)", re.MULTILINE)
NATIVE = (".so", ".dylib", ".pyd")

INTRODUCTION = """\
<!-- Written by scripts/write_dependency_audit.py; edit there. -->
# Dependency audit

Reviewed on {date}: the {count} packages of `requirements/run.txt`, which is what the image
installs. Every one is pinned with the hashes of its files; an installation that meets another
file fails (`tests/deploy/test_lock.py`).

**Advisories.** `make audit` asks the advisory database about every pinned version (`pip-audit`,
hashes required). It could not be reached from where this review was made, so **this page is no
statement that no advisory is open**; run `make audit` before a release, and whenever the lock is
renewed.

**What reads bytes from outside**, and so deserves the first look at an advisory:

| bytes | read by | what stands before it |
|---|---|---|
| messages | aiokafka, cramjam (decompression), msgspec | broker permissions, limits of size |
| answers of brokers, token endpoints | confluent-kafka, aiokafka, `ssl` | TLS, names checked |
| state | redis, msgspec, numpy | TLS, ACL, checksums |
| state of plug-ins | `pickle` | as above, a signature, an allow-list |
| HTTP requests | aiohttp | loopback or token; GET only |
| settings | pydantic, pydantic-settings, `tomllib` | whoever may write them is trusted |

**What makes code run.** numba and llvmlite compile our own source, at the image's build; at run
time the compiled kernels belong to root. River's models run only where a profile names them.
Nothing is fetched or updated at run time.

**What is there for no use of ours.** aiohttp-cors, croniter, intervaltree, venusian, terminaltables
and colorlog belong to Faust (its web server, timers and tables, all switched off).
They are imported, not reached by bytes from outside.

## The packages

"Native" packages bring compiled code, and with it libraries that no Python tool sees:
confluent-kafka brings librdkafka, OpenSSL, zlib, zstd, lz4 and libcurl in versions of its own.

"""


@dataclass(frozen=True, slots=True)
class Package:
    """One package as it is locked and installed."""

    name: str
    version: str
    licence: str
    native: str
    wanted_by: str


def locked() -> dict[str, list[str]]:
    """Return the versions of every locked package; several where they differ by Python."""
    versions: dict[str, list[str]] = {}
    for name, version in PIN.findall(LOCK.read_text("utf-8")):
        versions.setdefault(name, []).append(version)
    return versions


def main() -> int:
    """Write the page."""
    pins = locked()
    other = [name for name, known in pins.items() if _installed(name) not in {*known, None}]
    if other:
        print(f"other versions are installed of {', '.join(other)}: make venv", file=sys.stderr)
        return 1
    date = datetime.now(UTC).date().isoformat()
    rows = "".join(
        f"| {p.name} | {p.version} | {p.licence} | {p.native} | {p.wanted_by} |\n"
        for p in _packages(pins)
    )
    head = "| package | version | licence | native | wanted by |\n|---|---|---|---|---|\n"
    PAGE.write_text(INTRODUCTION.format(date=date, count=len(pins)) + head + rows, "utf-8")
    return 0


def _installed(name: str) -> str | None:
    try:
        return metadata.version(name)
    except metadata.PackageNotFoundError:
        return None  # for another system or another Python


def _packages(pins: dict[str, list[str]]) -> Iterator[Package]:
    wanted: dict[str, set[str]] = {}
    for name in ["hedgerow", *pins]:
        for requirement in _requirements(name):
            wanted.setdefault(requirement, set()).add(name)
    for name, versions in pins.items():
        version = ", ".join(versions)
        if _installed(name) is None:
            yield Package(name, version, "not installed here", "", "")
            continue
        found = metadata.distribution(name)
        native = any(str(file).endswith(NATIVE) for file in found.files or ())
        by = ", ".join(sorted(wanted.get(name, ())))
        yield Package(name, version, _licence(found), "yes" if native else "", by)


def _requirements(name: str) -> Iterator[str]:
    for line in metadata.requires(name) or () if _installed(name) else ():
        if "extra ==" not in line:
            stem = re.match(r"[A-Za-z0-9._-]+", line)
            if stem is not None:
                yield re.sub(r"[-_.]+", "-", stem[0]).lower()


def _licence(found: metadata.Distribution) -> str:
    stated = found.metadata.get("License-Expression")
    if stated:
        return str(stated)
    classified = [
        text.rpartition(" :: ")[2]
        for text in found.metadata.get_all("Classifier") or ()
        if text.startswith("License ::")
    ]
    short = str(found.metadata.get("License") or "unknown").splitlines()[0][:40]
    return ", ".join(classified) or short


if __name__ == "__main__":
    sys.exit(main())
