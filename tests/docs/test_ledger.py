"""No command of any page is left over: a test runs it, or it is said why none may."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator

import click
from docs.blocks import blocks_of, commands_of, pages
from docs.elsewhere import NEVER_MADE, SAME_AS, without_remark
from docs.ledger import ledger, made_in_ci
from docs.sentences import code_of, is_command, tree
from docs.story import STORIES

TABLE = STORIES / "commands.tsv"


def test_every_command_is_run_by_a_test_or_it_is_said_why_not() -> None:
    entries = list(ledger())
    TABLE.parent.mkdir(parents=True, exist_ok=True)
    lines = ["\t".join((*entry[:1], entry[1].replace("\n", " "), *entry[2:])) for entry in entries]
    TABLE.write_text("\n".join(lines) + "\n", "utf-8")

    assert [entry for entry in entries if not entry.run_by and not entry.why_not] == []
    assert Counter(bool(entry.run_by) for entry in entries)[True] > 150


def test_what_is_never_made_is_on_a_page_and_no_step_makes_it() -> None:
    shown = {entry.command.split()[1] for entry in ledger() if entry.why_not}
    assert shown == set(NEVER_MADE)
    assert [target for target in NEVER_MADE if made_in_ci(target)] == []


def test_a_command_that_nothing_runs_is_found() -> None:
    codes = code_of(
        "page.md", "Call `make coffee`, `git push`, `hedgerow dlq`, `kubectl get NAME`."
    )
    assert [code for code in codes if is_command(code)] == ["make coffee", "git push"]
    assert not made_in_ci("coffee") and made_in_ci("lint") and made_in_ci("fuzz")


def leaves(command: click.Command, name: str) -> Iterator[str]:
    """Give the commands under this one that its help lists."""
    for word, one in getattr(command, "commands", {}).items():
        if hasattr(one, "commands"):
            yield from leaves(one, f"{name} {word}")
        elif not one.hidden:
            yield f"{name} {word}"


def test_each_command_of_hedgerow_is_shown_at_work() -> None:
    shown = set()
    for page in pages():
        blocks = blocks_of(page)
        with_output = {block.output_of for block in blocks}
        for block in blocks:
            if block.language == "sh" and block.line in with_output:
                shown |= {without_remark(one) for one in commands_of(block.text)}
    typed = [f"{SAME_AS.get(command, command)} " for command in shown]
    lacking = [
        name
        for name in leaves(tree(), "hedgerow")
        if not any(command.startswith(f"{name} ") for command in typed)
    ]
    assert lacking == []


def test_pages_are_all_there_are() -> None:
    assert {"docs/adr/README.md", "requirements/README.md", "examples/README.md"} <= set(pages())
