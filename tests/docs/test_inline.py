"""Commands that stand in a sentence: their names and options exist, and whole ones are run."""

from __future__ import annotations

import os
import re
import shlex
import subprocess
import sys
from pathlib import Path

import pytest
from docs.blocks import ROOT, pages
from docs.elsewhere import SAME_AS
from docs.sentences import code_of, tree, whole
from docs.session import Session
from docs.story import STORIES, kept
from docs.typed import typed_on_pages

TARGETS = set(re.findall(r"^([a-z-]+):", (ROOT / "Makefile").read_text("utf-8"), re.MULTILINE))


def inline(page: str) -> list[str]:
    return [code for code in code_of(page) if code.startswith(("hedgerow ", "make "))]


@pytest.mark.parametrize("page", [page for page in pages() if inline(page)])
def test_commands_in_sentences_exist(page: str) -> None:
    assert [text for text in inline(page) if fault(text)] == []


def fault(text: str) -> str | None:
    """Tell what is wrong with a command, if anything."""
    program, *words = shlex.split(text.replace("…", ""))
    if program == "make":
        return next((word for word in words if "=" not in word and word not in TARGETS), None)
    command = tree()
    while words and words[0] in (inner := getattr(command, "commands", {})):
        command = inner[words.pop(0)]
    if hasattr(command, "commands") and words and not words[0].startswith(("-", "COMMAND")):
        return words[0]
    known = {name for option in command.params for name in (*option.opts, *option.secondary_opts)}
    known |= {"--help", "-h"}
    return next(
        (word for word in words if word.startswith("-") and word.split("=")[0] not in known), None
    )


# Reading first; those that take away, last.
ORDER = ("", "state reset", "state repartition", "state forget --", "state forget")
SENTENCES = {text for page in pages() for text in inline(page) if text.startswith("hedgerow")}


@pytest.mark.pages
@pytest.mark.timeout(600)
def test_whole_commands_in_sentences_do_what_they_are_for(tmp_path: Path) -> None:
    in_blocks = typed_on_pages("hedgerow", sentences=False) | set(SAME_AS.values())
    typed = sorted(text for text in SENTENCES - in_blocks if whole(text))
    wrong: list[str] = []
    with (
        Session(tmp_path, partitions=4) as session,
        kept(session, STORIES / "in-sentences.log"),
    ):
        for text in sorted(typed, key=rank):
            wrong += session.type(text)
        if wrong:
            pytest.fail("\n".join(wrong), pytrace=False)
    assert len(typed) > 10


def rank(text: str) -> int:
    return max(place for place, words in enumerate(ORDER) if words in text)


@pytest.mark.parametrize(
    "text", sorted({text for page in pages() for text in inline(page) if text[0] == "m"})
)
def test_targets_in_sentences_run_something_that_takes_these_options(text: str) -> None:
    made = subprocess.run(
        [*shlex.split(text), "--dry-run"], cwd=ROOT, capture_output=True, text=True, check=True
    ).stdout
    assert made.strip()
    for line in made.splitlines():
        if found := re.search(r"\bpython -m (benchmarks[\w.]*)(.*)", line):
            module = ROOT / found[1].replace(".", "/")
            file = module / "__main__.py" if module.is_dir() else module.with_suffix(".py")
            if "typer" not in file.read_text("utf-8"):
                assert found[2].split() == []  # takes no options, --help included
                continue
            asked = [sys.executable, "-m", found[1], *shlex.split(found[2]), "--help"]
            told = subprocess.run(
                asked, cwd=ROOT, env={**os.environ, "PYTHONPATH": "tests"},
                capture_output=True, text=True, check=False,
            )  # fmt: skip
            assert told.returncode == 0, told.stderr
            assert "usage: " in told.stdout.lower()


def test_a_wrong_option_and_a_wrong_target_are_found() -> None:
    assert fault("hedgerow state list --jsno") == "--jsno"
    assert fault("hedgerow stat list") == "stat"
    assert fault("make coffee") == "coffee"
    assert fault("make bench-nab ARGS=x") is None
