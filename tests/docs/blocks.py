"""The fenced blocks of the pages a user reads, and the commands in them.

A block says by the word after its fence what it is: `sh` and `python` are run, `toml` and
`json` are read, `text` right after a `sh` or `python` block of its section is what that printed,
and the words of `SHOWN` are there to be looked at. CONTRIBUTING.md tells it to writers.
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path

ROOT = Path(__file__).resolve().parents[2]
RUN = ("sh", "python")
READ = ("toml", "json")
SHOWN = ("text", "mermaid", "yaml", "html", "csv", "http")
_FENCE = re.compile(r"^(?P<indent> *)(?P<fence>`{3,})(?P<info>[^`]*)$")
_HEREDOC = re.compile(r"<<-?\s*['\"]?(\w+)['\"]?")


@dataclass(frozen=True, slots=True)
class Block:
    """A fenced block.

    Attributes
    ----------
    info : tuple of str
        The words after the fence, the language first.
    output_of : int or None
        The line of the block whose output this one shows.
    """

    page: str
    line: int
    info: tuple[str, ...]
    text: str
    output_of: int | None = None

    @property
    def language(self) -> str:
        return self.info[0] if self.info else ""

    @property
    def place(self) -> str:
        return f"{self.page}:{self.line}"


def pages() -> list[str]:
    """Return every page for users, by its path in the repository."""
    found = [ROOT / "README.md", ROOT / "CONTRIBUTING.md"]
    for folder in ("docs", "deploy", "examples", "requirements"):
        found += sorted((ROOT / folder).glob("**/*.md"))
    return [str(page.relative_to(ROOT)) for page in found]


def blocks_of(page: str, text: str | None = None) -> list[Block]:
    """Cut a page into its blocks."""
    lines = (text if text is not None else (ROOT / page).read_text("utf-8")).splitlines()
    found: list[Block] = []
    source: int | None = None  # the last block of this section that is run
    number = 0
    while number < len(lines):
        opening = _FENCE.match(lines[number])
        if lines[number].startswith("#"):
            source = None
        number += 1
        if opening is None:
            continue
        line, body = number, []
        while number < len(lines) and lines[number].strip() != opening["fence"]:
            body.append(lines[number].removeprefix(opening["indent"]))
            number += 1
        number += 1
        info = tuple(opening["info"].split())
        shows = source if info[:1] == ("text",) else None
        found.append(Block(page, line, info, "\n".join(body) + "\n", shows))
        source = line if info[:1] in (("sh",), ("python",)) else None
    return found


def commands_of(text: str) -> Iterator[str]:
    """Give the commands of a `sh` block: a line each, longer with a backslash or a here-document.

    >>> list(commands_of("# a remark\\nls \\\\\\n  -l\\n"))
    ['ls \\\\\\n  -l']
    """
    lines: Sequence[str] = text.splitlines()
    number = 0
    while number < len(lines):
        command = [lines[number]]
        while lines[number].endswith("\\") and number + 1 < len(lines):
            number += 1
            command.append(lines[number])
        document = _HEREDOC.search(command[0])
        while document and lines[number].strip() != document[1] and number + 1 < len(lines):
            number += 1
            command.append(lines[number])
        number += 1
        joined = "\n".join(command)
        if joined.strip() and not joined.lstrip().startswith("#"):
            yield joined
