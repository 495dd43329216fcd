"""The runbook: an entry for each rule and no other, and what it names exists."""

from __future__ import annotations

import re

import pytest
from deploy.dashboards import BOARDS, panels
from deploy.promises import ROOT, alerts

PAGE = (ROOT / "docs" / "runbook.md").read_text("utf-8")
ENTRIES = {
    text.partition("\n")[0]: " ".join(text.partition("\n")[2].split())
    for text in PAGE.split("\n## ")[1:]
}


def test_there_is_an_entry_for_each_rule_and_no_other() -> None:
    assert list(ENTRIES) == list(alerts())


@pytest.mark.parametrize("name", ENTRIES)
def test_an_entry_tells_what_it_means_how_to_see_and_what_to_do(name: str) -> None:
    parts = re.findall(r"\*\*(\w+)\.\*\*", ENTRIES[name])
    assert parts == ["Means", "See", "Do"]


@pytest.mark.parametrize("name", ENTRIES)
def test_panels_that_are_named_stand_on_the_dashboard(name: str) -> None:
    seen = ENTRIES[name].partition("**See.** ")[2].partition("**Do.**")[0]
    titles = {board: {panel["title"] for panel in panels(board)} for board in BOARDS}
    board = ""
    for named, title in re.findall(r"\b(Service|City|service|city),|\*([A-Z][^*]+)\*", seen):
        board = named.lower() or board
        if title and board:
            assert title in titles[board]


def test_other_entries_that_are_named_exist() -> None:
    named = re.findall(r"[sS]ee ([A-Z][a-z]+[A-Z]\w+)|\(([A-Z][a-z]+[A-Z]\w+)\)", PAGE)
    assert len(named) >= 4
    assert {one or other for one, other in named} <= set(ENTRIES)
