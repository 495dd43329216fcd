"""Reads in Redis's own log of writes who put which snapshot in place.

The append-only file holds every write that took effect, in order, those made inside of Lua
too. So it shows what no final state can: a snapshot that a worker put in place after another
had claimed the partition, and that a later one then covered up. Shares no code with the store;
it knows the names of the keys.
"""

from __future__ import annotations

import json
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path

import redis

LONGEST_READ = 1 << 20  # arguments longer than this are chunks: passed over


@dataclass(frozen=True, slots=True)
class Mark:
    """How far the append-only file had come at some moment."""

    sizes: dict[str, int]
    folder: Path


@dataclass(slots=True)
class _Held:
    """One partition as the log has it so far."""

    token: str = ""
    generation: int | None = None
    next_offset: int = -1
    commits: int = 0


def begin(url: str) -> Mark:
    """Note where the log ends now, and keep Redis from rewriting what follows."""
    with redis.Redis.from_url(url) as client:
        client.config_set("auto-aof-rewrite-percentage", 0)
        told = client.config_get("*append*") | client.config_get("dir")
        folder = Path(told["dir"]) / told["appenddirname"]
    return Mark({path.name: path.stat().st_size for path in _files(folder)}, folder)


def check_commits(mark: Mark, prefix: str) -> tuple[list[str], int]:
    """Check all snapshots put in place since the mark under a prefix.

    Returns
    -------
    problems : list of str
        Snapshots of a worker that did not hold the partition, and generations or offsets that
        went back or were passed over.
    commits : int
        How many snapshots were put in place.
    """
    held: dict[str, _Held] = {}
    problems: list[str] = []
    for command in _commands(mark):
        words = [word.decode(errors="replace") for word in command[:2]]
        if words[0].upper() != "HSET" or not words[1].startswith(f"{prefix}:"):
            continue
        pairs = dict(zip(command[2::2], command[3::2], strict=True))
        key = words[1].removesuffix(":state")
        one = held.setdefault(key, _Held())
        if b"token" in pairs:
            one.token = pairs[b"token"].decode()
        if b"manifest" in pairs:
            problems += _commit(key, one, pairs)
    return problems, sum(one.commits for one in held.values())


def _commit(key: str, one: _Held, pairs: dict[bytes, bytes]) -> list[str]:
    manifest = json.loads(pairs[b"manifest"])
    generation, next_offset = int(pairs[b"generation"]), int(manifest["next_offset"])
    # Every checkpoint writes the chunk "meta" anew, under its writer's token.
    writer = manifest["chunks"]["meta"].removeprefix(f"{key}:chunk:").split(":")[0]
    problems = []
    if writer != one.token:
        problems.append(
            f"{key}: generation {generation} was put in place by {writer}, fenced by {one.token}"
        )
    if one.generation is not None and generation != one.generation + 1:
        problems.append(f"{key}: generation {generation} follows {one.generation}")
    if next_offset < one.next_offset:
        problems.append(f"{key}: the offset went back from {one.next_offset} to {next_offset}")
    one.generation, one.next_offset = generation, next_offset
    one.commits += 1
    return problems


def _commands(mark: Mark) -> Iterator[Sequence[bytes]]:
    for path in _files(mark.folder):
        with path.open("rb") as file:
            file.seek(mark.sizes.get(path.name, 0))
            while line := file.readline():
                if not line.startswith(b"*"):
                    continue  # an annotation
                command = []
                for _ in range(int(line[1:])):
                    size = int(file.readline()[1:])
                    if size > LONGEST_READ:
                        file.seek(size, 1)
                        command.append(b"")
                    else:
                        command.append(file.read(size))
                    file.readline()
                yield command


def _files(folder: Path) -> list[Path]:
    """Return the log's parts that hold commands, in the order they were written."""
    return sorted(folder.glob("*.incr.aof"), key=lambda path: int(path.name.split(".")[-3]))
