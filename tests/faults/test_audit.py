"""The audit on synthetic logs of writes: silent on a sound one, loud on every planted fault."""

from __future__ import annotations

import json
from collections.abc import Sequence
from pathlib import Path

import pytest
from faults.judge.audit import LONGEST_READ, Mark, check_commits

KEY = "p:{group:topic:0}"
Command = Sequence[str]


def claim(token: str) -> Command:
    return ("HSET", f"{KEY}:state", "token", token)


def commit(token: str, generation: int, next_offset: int) -> Command:
    chunks = {"meta": f"{KEY}:chunk:{token}:{generation}:meta", "rows": f"{KEY}:chunk:old:1:rows"}
    manifest = json.dumps({"version": 1, "next_offset": next_offset, "chunks": chunks})
    return ("HSET", f"{KEY}:state", "generation", str(generation), "manifest", manifest)


def log_of(folder: Path, commands: Sequence[Command]) -> Mark:
    """Write commands the way Redis does, split over two parts of the log."""
    half = len(commands) // 2
    for number, part in ((2, commands[:half]), (10, commands[half:])):
        text = b"#TS:1700000000\r\n"
        for command in part:
            text += b"*%d\r\n" % len(command)
            for word in command:
                text += b"$%d\r\n%s\r\n" % (len(word.encode()), word.encode())
        (folder / f"appendonly.aof.{number}.incr.aof").write_bytes(text)
    return Mark({}, folder)


SOUND = [
    claim("a"),
    commit("a", 1, 10),
    ("SET", f"{KEY}:chunk:a:2:rows", "x" * (LONGEST_READ + 1)),
    commit("a", 2, 20),
    claim("b"),
    commit("b", 3, 20),
    ("HSET", "another:state", "token", "z"),
]


def test_a_sound_log_passes(tmp_path: Path) -> None:
    assert check_commits(log_of(tmp_path, SOUND), "p") == ([], 3)


def test_what_lies_before_the_mark_is_not_looked_at(tmp_path: Path) -> None:
    log_of(tmp_path, SOUND)
    sizes = {path.name: path.stat().st_size for path in tmp_path.iterdir()}
    assert check_commits(Mark(sizes, tmp_path), "p") == ([], 0)


@pytest.mark.parametrize(
    ("more", "found"),
    [
        ([commit("a", 4, 30)], "put in place by a, fenced by b"),
        ([commit("b", 3, 30)], "generation 3 follows 3"),
        ([commit("b", 5, 30)], "generation 5 follows 3"),
        ([commit("b", 4, 19)], "went back from 20 to 19"),
    ],
)
def test_a_fault_is_found(tmp_path: Path, more: list[Command], found: str) -> None:
    problems, _ = check_commits(log_of(tmp_path, [*SOUND, *more]), "p")
    assert any(found in problem for problem in problems), problems
