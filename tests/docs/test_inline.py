"""Commands that stand in a sentence: their names and options exist."""

from __future__ import annotations

import re
import shlex

import pytest
import typer.main
from docs.blocks import ROOT, pages

from hedgerow.app.cli.root import app

INLINE = re.compile(r"`((?:hedgerow|make) [^`]+)`", re.DOTALL)
TARGETS = set(re.findall(r"^([a-z-]+):", (ROOT / "Makefile").read_text("utf-8"), re.MULTILINE))


def inline(page: str) -> list[str]:
    return [" ".join(text.split()) for text in INLINE.findall((ROOT / page).read_text("utf-8"))]


@pytest.mark.parametrize("page", [page for page in pages() if inline(page)])
def test_commands_in_sentences_exist(page: str) -> None:
    assert [text for text in inline(page) if fault(text)] == []


def fault(text: str) -> str | None:
    """Tell what is wrong with a command, if anything."""
    program, *words = shlex.split(text.replace("…", ""))
    if program == "make":
        return next((word for word in words if "=" not in word and word not in TARGETS), None)
    command = typer.main.get_command(app)
    while words and words[0] in (inner := getattr(command, "commands", {})):
        command = inner[words.pop(0)]
    if hasattr(command, "commands") and words and not words[0].startswith(("-", "COMMAND")):
        return words[0]
    known = {name for option in command.params for name in (*option.opts, *option.secondary_opts)}
    known |= {"--help", "-h"}
    return next(
        (word for word in words if word.startswith("-") and word.split("=")[0] not in known), None
    )


def test_a_wrong_option_and_a_wrong_target_are_found() -> None:
    assert fault("hedgerow state list --jsno") == "--jsno"
    assert fault("hedgerow stat list") == "stat"
    assert fault("make coffee") == "coffee"
    assert fault("make bench-nab ARGS=x") is None
