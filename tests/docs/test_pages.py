"""Every block of every page: run, read, or run by another test that is named."""

from __future__ import annotations

import ast
import os
import shlex
import subprocess
from functools import cache
from pathlib import Path

import pytest
from docs.blocks import READ, ROOT, RUN, SHOWN, Block, blocks_of, commands_of, pages
from docs.elsewhere import (
    ELSEWHERE,
    SAME_AS,
    WHOLE_DEMO,
    Elsewhere,
    is_elsewhere,
    without_remark,
)
from docs.sentences import code_of, is_command
from docs.session import Session
from docs.story import STORIES, kept

PAGES = pages()
KNOWN = (*RUN, *READ, *SHOWN)
# What is shown for these is compared where they are typed.
COMPARED = ("kubectl ", "docker ", "hedgerow state adopt", "kafka-acls ")


@cache
def all_commands() -> list[str]:
    in_blocks = [
        command
        for page in PAGES
        for block in blocks_of(page)
        if block.language == "sh"
        for command in commands_of(block.text)
    ]
    return in_blocks + [code for page in PAGES for code in code_of(page) if is_command(code)]


@pytest.mark.parametrize("page", PAGES)
def test_every_block_says_what_it_is(page: str) -> None:
    nameless = [block.place for block in blocks_of(page) if block.language not in KNOWN]
    assert nameless == [], f"say after the fence which of {', '.join(KNOWN)} it is"


@pytest.mark.pages
@pytest.mark.timeout(600)
@pytest.mark.parametrize("page", [page for page in PAGES if blocks_of(page)])
def test_the_blocks_of_a_page_do_what_it_says(page: str, tmp_path: Path) -> None:
    faults: list[str] = []
    story = STORIES / f"{page.replace('/', '-')}.log"
    with Session(tmp_path, whole_demo=page in WHOLE_DEMO) as session, kept(session, story):
        shown = {block.output_of for block in blocks_of(page)}
        for block in blocks_of(page):
            try:
                wrong = session.run(block) or session.unshown(block, shown)
            except Exception as error:
                error.add_note(f"in the block at {block.place}")
                raise
            if wrong:
                faults += [f"--- {block.place}", *wrong]
            if wrong and block.language == "sh":
                break  # what comes after would only follow from it
        if faults:
            pytest.fail("\n".join(faults), pytrace=False)


@pytest.mark.parametrize("one", ELSEWHERE, ids=lambda one: one.pattern)
def test_what_is_run_elsewhere_is_on_a_page_and_its_test_exists(
    one: Elsewhere,
) -> None:
    assert any(one.matches(command) for command in all_commands()), "no page shows it any more"
    file, _, name = one.where.partition("::" if "::" in one.where else ": ")
    text = (ROOT / file).read_text("utf-8")
    if "::" in one.where:
        functions = (ast.FunctionDef, ast.AsyncFunctionDef)
        names = {node.name for node in ast.walk(ast.parse(text)) if isinstance(node, functions)}
        assert name in names
    else:
        assert name in text


@pytest.mark.parametrize("page", PAGES)
def test_what_is_printed_elsewhere_is_compared_there(page: str) -> None:
    blocks = {block.line: block for block in blocks_of(page)}
    for block in blocks.values():
        source = blocks.get(block.output_of or 0)
        if source is None or source.language != "sh":
            continue
        commands = list(commands_of(source.text))
        if all(is_elsewhere(command) for command in commands):
            assert commands[0].startswith(COMPARED)
            alone = len(commands) == 1 or commands[0].startswith("kafka-acls ")
            assert alone, f"{block.place}: one command a block, or nobody compares it"


@pytest.mark.parametrize(("typed", "same"), SAME_AS.items())
def test_a_target_runs_what_is_run_in_its_place(typed: str, same: str) -> None:
    told = subprocess.run(
        [*shlex.split(typed), "--dry-run", "--no-print-directory", "--old-file=.venv/.demo"],
        cwd=ROOT, env={k: v for k, v in os.environ.items() if not k.startswith("MAKE")},
        capture_output=True, text=True, check=True,
    )  # fmt: skip
    assert told.stdout.strip() == f".venv/bin/{same}"
    assert typed in {without_remark(command) for command in all_commands()}


def test_a_wrong_output_and_a_failing_command_are_found(tmp_path: Path) -> None:
    page = "```sh\necho 3 rows\n```\n\n```text\n4 rows\n```\n\n```sh\nfalse\n```\n"
    shown, output, failing = blocks_of("page.md", page)
    with Session(tmp_path) as session:
        assert session.run(shown) == []
        assert session.run(output)[:2] == ["shown:   4 rows", "printed: 3 rows"]
        assert session.run(failing) == ["`false` left with 1, not 0:\n"]
    assert output == Block("page.md", 5, ("text",), "4 rows\n", output_of=1)


def test_what_a_command_prints_must_be_shown(tmp_path: Path) -> None:
    printing, silent, any_text = (
        "```sh\necho 3 rows\n```\n",
        "```sh\ntrue\n```\n",
        "```text\n…\n```\n",
    )
    blocks = blocks_of("page.md", printing + silent + printing + any_text)
    shown = {block.output_of for block in blocks}
    with Session(tmp_path) as session:
        told = [session.run(block) or session.unshown(block, shown) for block in blocks]
    assert [len(one) for one in told] == [2, 0, 0, 0]
    assert told[0][1] == "3 rows\n"


def test_all_that_a_failing_page_printed_is_told_and_kept(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    (block,) = blocks_of("page.md", "```sh\necho first\nls nowhere\n```\n")
    story = tmp_path / "kept" / "page.log"
    session = Session(tmp_path / "page")
    with session, pytest.raises(AssertionError), kept(session, story):
        assert session.run(block) == []
    assert "$ echo first\nfirst\n[left with 0]\n$ ls nowhere\nls: " in story.read_text("utf-8")
    assert story.read_text("utf-8") in capsys.readouterr().out
