"""Code that stands in the sentences of a page, and which of it is a command that can be typed."""

from __future__ import annotations

import re
import shlex
from fnmatch import fnmatchcase
from functools import cache

import click
import typer.main
from docs.blocks import ROOT

from hedgerow.app.cli.root import app

PROGRAMS = (
    "hedgerow", "make", "docker", "kubectl", "kafka-acls", "git", "curl", "python", "pip", "pytest",
    "redis-cli", "redis-server", "promtool", "amtool", "go", "mvn", ".", ".venv/bin/*",
)  # fmt: skip
ALONE = ("./*", ".ci/*")  # commands without another word
# Names of commands that could be typed so, but mean nothing without what they are about; and
# those that need what only a test of their own can bring about.
NAMES = {
    "hedgerow state reset": "names a command: wants a series or a partition",
    "hedgerow state rollback": "names a command: wants a partition",
    "hedgerow state adopt": "wants a topic that was made anew: tests/e2e/test_log_faults.py",
}
BY_THEMSELVES = (["--help"], ["--install-completion"])
_BLOCK = re.compile(r"^( *)(`{3,}).*?^\1\2$", re.MULTILINE | re.DOTALL)
_CODE = re.compile(r"`([^`]+)`")
_FORM = re.compile(r"…|<\w|\b[A-Z]{2,}\b(?!=)")


def code_of(page: str, text: str | None = None) -> list[str]:
    """Give the code in a page's sentences, each in one line.

    >>> code_of("page.md", "call `ls\\n-l`\\n```sh\\ncd\\n```\\n")
    ['ls -l']
    """
    whole_page = text if text is not None else (ROOT / page).read_text("utf-8")
    return [" ".join(code.split()) for code in _CODE.findall(_BLOCK.sub("", whole_page))]


def is_command(code: str) -> bool:
    """Whether code can be typed as it stands, rather than names something or shows a form.

    >>> [is_command(code) for code in ("make demo", "hedgerow explain SERIES", "kubectl", "a b")]
    [True, False, False, False]
    """
    first, *words = code.split()
    if any(fnmatchcase(first, program) for program in ALONE):
        return True
    if not words or not any(fnmatchcase(first, program) for program in PROGRAMS):
        return False
    if first == "hedgerow":
        return whole(code)
    return not _FORM.search(code) and code != "docker compose"


@cache
def tree() -> click.Command:
    """Return `hedgerow` with all its commands."""
    return typer.main.get_command(app)


@cache
def whole(text: str) -> bool:
    """Whether a command of `hedgerow` has all that it wants."""
    words = shlex.split(text.replace("…", ""))[1:]
    if words in BY_THEMSELVES:
        return True
    command = tree()
    while words and words[0] in (inner := getattr(command, "commands", {})):
        command = inner[words.pop(0)]
    if hasattr(command, "commands") or any(word.isupper() for word in words):
        return False
    given = [word for word in words if not word.startswith("-")]
    needed = [one for one in command.params if one.required and one.name != "partition"]
    return len(given) >= len(needed) and text not in NAMES
