"""Whether what a page shows is what was printed.

`...` or `…` alone on a line stands for any lines. What no two runs share, such as durations,
rates, ports, folders and progress bars, is left out of the comparison; where the fence says `text
varies`, no number is compared at all.
"""

from __future__ import annotations

import difflib
import re

_NEVER_THE_SAME = (
    (re.compile(r"\x1b\[[0-9;]*m"), ""),
    (re.compile(r"\b\d+(\.\d+)?(?= ?(ms|s|seconds)\b)"), "N"),
    (re.compile(r"\b[\d,]+(\.\d+)?(?= (readings|rows|messages)/s\b)"), "N"),
    (re.compile(r"\b(127\.0\.0\.1|localhost|\[::1\]):\d+\b"), "HOST:PORT"),
    (re.compile(r"/tmp/\S+?(?=[/\s]|$)"), "FOLDER"),
)
_PROGRESS = re.compile(r"^.* \d+% [\d,]+ readings, [\d,]+/s *\n", re.MULTILINE)
_NUMBER = re.compile(r"[-+]?\d[\d,.]*")
_ANYTHING = ("...", "…")


def differences(shown: str, printed: str, *, varies: bool = False) -> list[str]:
    """Compare a block with what its commands printed.

    >>> differences("sent in 1.2 s\\n...\\n", "sent in 0.9 s\\nand more\\n")
    []
    >>> differences("3 rows\\n", "4 rows\\n")
    ['shown:   3 rows', 'printed: 4 rows']
    >>> differences("3 rows\\n", "4 rows\\n", varies=True)
    []
    """
    due, found = _plain(shown, varies), _plain(printed, varies)
    pattern = "".join(
        r"(?:.*\n)*?" if line in _ANYTHING else re.escape(line) + "\n" for line in due
    )
    if re.fullmatch(pattern, "".join(line + "\n" for line in found)):
        return []
    changed = difflib.ndiff([line for line in due if line not in _ANYTHING], found)
    marks = {"- ": "shown:   ", "+ ": "printed: "}
    return [marks[line[:2]] + line[2:] for line in changed if line[:2] in marks]


def _plain(text: str, varies: bool) -> list[str]:
    text = _PROGRESS.sub("", text)
    for pattern, word in _NEVER_THE_SAME:
        text = pattern.sub(word, text)
    if varies:  # a number that is longer moves the columns
        text = re.sub(r"─+", "─", _NUMBER.sub("N", text))
    lines = text.strip("\n").splitlines()
    return [" ".join(line.split()) if varies else line.rstrip() for line in lines]
