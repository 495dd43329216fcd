"""Commands of one program that the pages show, in blocks and in sentences.

What runs them elsewhere than beside a page (the compose stack, a cluster) compares with this: a
command that a page shows and nobody types is a failure there.
"""

from __future__ import annotations

import re
from collections.abc import Iterator

from docs.blocks import ROOT, Block, blocks_of, commands_of, pages
from docs.elsewhere import UNSHOWN, without_remark
from docs.outputs import differences
from docs.sentences import code_of

_COMMENT = re.compile(r"^ *#", re.MULTILINE)


def typed_on_pages(program: str, *files: str, sentences: bool = True) -> set[str]:
    """Give the whole commands that begin with a program's name.

    Parameters
    ----------
    program : str
        One word or several, such as ``docker compose``.
    *files : str
        Files besides the pages whose comments show some, by their path in the repository.
    sentences : bool
        Those in sentences too, not in blocks alone.

    Examples
    --------
    >>> "docker compose up --detach" in typed_on_pages("docker compose")
    True
    """
    found = set(_in_sentences(*files)) if sentences else set()
    for page in pages():
        for block in blocks_of(page):
            if block.language == "sh":
                found |= {without_remark(one) for one in commands_of(block.text)}
    return {one for one in found if one.startswith(f"{program} ")}


def unlike(command: str, printed: str) -> list[str]:
    """Tell how what a command printed differs from what pages show for it.

    A page that has it in a block must show what it prints; one that has it in a sentence need not.
    """
    wrong: list[str] = []
    for block, shown in _blocks_with(command):
        if shown is not None:
            wrong += differences(shown.text, printed, varies="varies" in shown.info)
        elif printed.strip() and not re.fullmatch(UNSHOWN, command):
            wrong += [f"{block.place} shows nothing of what this prints:", printed]
    return wrong


def _blocks_with(command: str) -> Iterator[tuple[Block, Block | None]]:
    """Give the blocks that hold a command, each with that which shows what it printed."""
    for page in pages():
        blocks = blocks_of(page)
        shown = {block.output_of: block for block in blocks}
        for block in blocks:
            if block.language == "sh":
                typed = [without_remark(one) for one in commands_of(block.text)]
                if command in typed:
                    yield block, shown.get(block.line)


def _in_sentences(*files: str) -> Iterator[str]:
    for page in pages():
        yield from code_of(page)
    for file in files:
        yield from code_of(file, _COMMENT.sub("", (ROOT / file).read_text("utf-8")))
