"""The locked requirements: hashed, without an address, and in step with pyproject.toml."""

from __future__ import annotations

import re
import tomllib
from pathlib import Path

import pytest
from packaging.requirements import Requirement
from packaging.utils import canonicalize_name
from packaging.version import Version

ROOT = Path(__file__).resolve().parents[2]
LOCKS = ("run", "demo", "dev", "bench", "build", "fuzz", "kubernetes", "peers")
PIN = re.compile(r"^([a-z0-9._-]+)(?:\[[a-z0-9, _-]+\])?==([^ ;]+)(?: ; [^\\]*)? \\$")
HASH = re.compile(r"^    --hash=sha256:[0-9a-f]{64}(?: \\)?$")


def pins(lock: str) -> dict[str, set[Version]]:
    """Versions a lock file names for every package; several when they differ by Python."""
    found: dict[str, set[Version]] = {}
    for line in (ROOT / "requirements" / f"{lock}.txt").read_text("utf-8").splitlines():
        if match := PIN.match(line):
            found.setdefault(canonicalize_name(match[1]), set()).add(Version(match[2]))
    return found


def declared(lock: str) -> list[Requirement]:
    """What pyproject.toml asks for, as far as it belongs into the lock."""
    project = tomllib.loads((ROOT / "pyproject.toml").read_text("utf-8"))
    extras = project["project"]["optional-dependencies"]
    wanted = {
        "run": project["project"]["dependencies"],
        "demo": [*project["project"]["dependencies"], *extras["embedded"]],
        "dev": [
            *project["project"]["dependencies"],
            *extras["embedded"],
            *extras["parquet"],
            *project["dependency-groups"]["dev"],
        ],
        "bench": [*project["project"]["dependencies"], *extras["bench"]],
        "build": project["build-system"]["requires"],
        "fuzz": project["dependency-groups"]["fuzz"],
        "kubernetes": project["dependency-groups"]["kubernetes"],
        "peers": (ROOT / "requirements" / "peers.in").read_text("utf-8").splitlines(),
    }
    return [Requirement(text) for text in wanted[lock]]


@pytest.mark.parametrize("lock", LOCKS)
def test_every_line_is_a_pin_or_its_hash(lock: str) -> None:
    lines = (ROOT / "requirements" / f"{lock}.txt").read_text("utf-8").splitlines()

    odd = [line for line in lines if not PIN.match(line) and not HASH.match(line)]

    assert odd == []


@pytest.mark.parametrize("lock", LOCKS)
def test_no_address_of_a_registry_stands_in_a_lock(lock: str) -> None:
    text = (ROOT / "requirements" / f"{lock}.txt").read_text("utf-8")

    assert not re.search(r"://|index-url|find-links|trusted-host", text)


@pytest.mark.parametrize("lock", LOCKS)
def test_the_lock_holds_what_the_project_declares(lock: str) -> None:
    held = pins(lock)

    stale = [
        str(wanted)
        for wanted in declared(lock)
        if not any(v in wanted.specifier for v in held.get(canonicalize_name(wanted.name), ()))
    ]

    assert stale == [], "run `make lock`"


@pytest.mark.parametrize("lock", [lock for lock in LOCKS if lock not in {"dev", "fuzz", "peers"}])
def test_the_locks_agree_on_every_version(lock: str) -> None:
    everything = pins("dev")

    differing = {
        name
        for name, versions in pins(lock).items()
        # These bring packages that nothing else here has.
        if everything.get(name) != versions
        and (lock not in {"bench", "kubernetes"} or name in everything)
    }

    assert differing == set()


def test_an_extra_is_pinned_with_its_package() -> None:
    # pip takes `coverage[toml]` for a requirement of its own: pinned as `coverage` alone, it
    # refuses the whole lock on the day a newer coverage is released.
    lines = (ROOT / "requirements" / "dev.txt").read_text("utf-8").splitlines()

    assert any(line.startswith("coverage[toml]==") for line in lines)


def test_the_audit_covers_what_the_image_installs() -> None:
    page = (ROOT / "docs" / "dependency-audit.md").read_text("utf-8")
    reviewed = {
        canonicalize_name(name): {Version(version) for version in versions.split(", ")}
        for name, versions in re.findall(
            r"^\| ([a-z0-9._-]+) \| ([0-9][^|]*) \|", page, re.MULTILINE
        )
    }

    assert reviewed == pins("run"), "run python scripts/write_dependency_audit.py"
