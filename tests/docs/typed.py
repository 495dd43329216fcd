"""Commands of one program that the pages show, in blocks and in sentences.

What runs them elsewhere than beside a page (the compose stack, a cluster) compares with this: a
command that a page shows and nobody types is a failure there.
"""

from __future__ import annotations

import re
from collections.abc import Iterator

from docs.blocks import ROOT, Block, blocks_of, commands_of, pages
from docs.elsewhere import without_remark
from docs.outputs import differences

_INLINE = re.compile(r"`([^`\n]+(?:\n[^`\n]+)?)`")
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
    """Tell how what a command printed differs from what pages show for it, if they show any."""
    return [
        difference
        for shown in _shown_for(command)
        for difference in differences(shown.text, printed, varies="varies" in shown.info)
    ]


def _shown_for(command: str) -> Iterator[Block]:
    for page in pages():
        blocks = {block.line: block for block in blocks_of(page)}
        for block in blocks.values():
            source = blocks.get(block.output_of or 0)
            if source and [without_remark(one) for one in commands_of(source.text)] == [command]:
                yield block


def _in_sentences(*files: str) -> Iterator[str]:
    for file in (*pages(), *files):
        text = (ROOT / file).read_text("utf-8")
        if file in files:
            text = _COMMENT.sub("", text)
        yield from (" ".join(one.split()) for one in _INLINE.findall(text))
