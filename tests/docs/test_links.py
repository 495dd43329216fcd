"""Links between the pages: the file is there, and so is the heading."""

from __future__ import annotations

import re

import pytest
from docs.blocks import ROOT, pages

LINK = re.compile(r"\]\(([^)#\s]*)(?:#([^)\s]+))?\)")
HEADING = re.compile(r"^#+ (.+)$", re.MULTILINE)


def anchors(text: str) -> set[str]:
    """Name the headings as GitHub does."""
    words = (re.sub(r"[`*]", "", heading).lower() for heading in HEADING.findall(text))
    return {re.sub(r"[^\w\- ]", "", heading).replace(" ", "-") for heading in words}


@pytest.mark.parametrize("page", pages())
def test_every_link_leads_somewhere(page: str) -> None:
    dead = []
    for path, anchor in LINK.findall((ROOT / page).read_text("utf-8")):
        if ":" in path:
            continue  # another site
        target = (ROOT / page).parent / path if path else ROOT / page
        if not target.exists():
            dead.append(path)
        elif anchor and anchor not in anchors(target.read_text("utf-8")):
            dead.append(f"{path}#{anchor}")
    assert dead == []
