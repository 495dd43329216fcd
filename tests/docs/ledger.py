"""Every command of every page, and what runs it.

A command is a line of a `sh` block, a `python` block, or code in a sentence that can be typed as it
stands. What names a command (`hedgerow dlq`) or shows its form (`hedgerow explain SERIES`) is none.
"""

from __future__ import annotations

from collections.abc import Iterator
from typing import NamedTuple

from docs.blocks import ROOT, blocks_of, commands_of, pages
from docs.elsewhere import ELSEWHERE, SAME_AS, never_made, without_remark
from docs.sentences import code_of, is_command

OF_PAGES = "tests/docs/test_pages.py::test_the_blocks_of_a_page_do_what_it_says"
IN_SENTENCES = "tests/docs/test_inline.py::test_whole_commands_in_sentences_do_what_they_are_for"
CI = (ROOT / ".ci" / "run").read_text("utf-8")


class Entry(NamedTuple):
    """A command of a page.

    Attributes
    ----------
    run_by : str
        The test or the step of ``.ci/run`` that runs it; empty where nothing does.
    why_not : str
        Why nothing may.
    """

    place: str
    command: str
    run_by: str
    why_not: str = ""


def ledger() -> Iterator[Entry]:
    """Give every command, page by page."""
    in_blocks: dict[str, str] = {}
    in_sentences: list[tuple[str, str]] = []
    for page in pages():
        for block in blocks_of(page):
            if block.language == "python":
                yield Entry(block.place, "(python)", OF_PAGES)
            if block.language != "sh":
                continue
            for typed in commands_of(block.text):
                command = without_remark(typed)
                entry = _judged(block.place, command, OF_PAGES)
                in_blocks[command] = entry.run_by
                yield entry
        in_sentences += [(page, code) for code in code_of(page) if is_command(code)]
    for page, code in in_sentences:
        yield _judged(page, code, in_blocks.get(code) or _of_a_sentence(code))


def _judged(place: str, command: str, otherwise: str) -> Entry:
    for one in ELSEWHERE:
        if one.matches(command):
            return Entry(place, command, one.where)
    why_not = never_made(command)
    return Entry(place, command, "" if why_not else otherwise, why_not)


def _of_a_sentence(code: str) -> str:
    program, target, *_ = [*code.split(), ""]
    if program == "hedgerow" or code in SAME_AS:
        return IN_SENTENCES if program == "hedgerow" else OF_PAGES
    if program == "make" and made_in_ci(target):
        return f".ci/run: make {target}"
    return ""


def made_in_ci(target: str) -> bool:
    """Whether a step of ``.ci/run`` makes a target."""
    words = [line.split() for line in CI.splitlines()]
    return any(
        pair == ("make", target) for line in words for pair in zip(line, line[1:], strict=False)
    )
