"""Whether what a page shows is what was printed.

`...` or `…` alone on a line stands for any lines. What no two runs share, such as durations,
rates, ports, folders and progress bars, is left out of the comparison. Where the fence says `text
varies`, numbers and times may be others, but must be written alike: a sign where one is shown,
thousands divided where they are, a time where a time is; and columns stay apart.
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
_TIMES = (
    (re.compile(r"\b\d{4}-\d\d-\d\dT\d\d:\d\d(:\d\d(\.\d+)?)?Z"), "STAMP"),
    (re.compile(r"\b\d{4}-\d\d-\d\d\b"), "DATE"),
    (re.compile(r"\b\d\d:\d\d(:\d\d)?\b"), "TIME"),
)
_RULE = re.compile(r"─+")
# No part of a name, as the 3 of `level_0.3` is.
_NUMBER = re.compile(r"(?<![\w.])(?P<sign>[-+]?)(?P<whole>\d+(?:,\d{3})*)(?P<fraction>\.\d+)?")
_ANYTHING = ("...", "…")
_MANY_DIGITS = 4  # from here on it shows whether thousands are divided


def differences(shown: str, printed: str, *, varies: bool = False) -> list[str]:
    """Compare a block with what its commands printed.

    >>> differences("sent in 1.2 s\\n...\\n", "sent in 0.9 s\\nand more\\n")
    []
    >>> differences("3 rows\\n", "4 rows\\n")
    ['shown:   3 rows', 'printed: 4 rows']
    >>> differences("3 rows  +5%\\n", "1,204 rows  -7%\\n", varies=True)
    []
    >>> differences("skill  +5%\\n", "skill  7%\\n", varies=True)
    ['shown:   skill  +5%', 'printed: skill  7%']
    """
    due, found = _plain(shown, varies), _plain(printed, varies)
    like = _alike if varies else re.escape
    pattern = "".join(r"(?:.*\n)*?" if line in _ANYTHING else like(line) + "\n" for line in due)
    if re.fullmatch(pattern, "".join(line + "\n" for line in found)):
        return []
    return _unlike([line for line in due if line not in _ANYTHING], found, varies)


def _unlike(due: list[str], found: list[str], varies: bool) -> list[str]:
    """Show the lines that differ; of those that may vary, none that another one is like."""
    if varies:
        patterns = {line: re.compile(_alike(line)) for line in due}
        like = {one: next((d for d in due if patterns[d].fullmatch(one)), one) for one in found}
        found = [like[one] for one in found]
    marks = {"- ": "shown:   ", "+ ": "printed: "}
    changed = difflib.ndiff(due, found)
    return [marks[line[:2]] + line[2:] for line in changed if line[:2] in marks]


def _plain(text: str, varies: bool) -> list[str]:
    text = _PROGRESS.sub("", text)
    for pattern, word in (*_NEVER_THE_SAME, *(_TIMES if varies else ())):
        text = pattern.sub(word, text)
    return [line.rstrip() for line in text.strip("\n").splitlines()]


def _alike(line: str) -> str:
    """Give the pattern of lines that are like this one but for their numbers."""
    pattern, at = "", 0
    for number in _NUMBER.finditer(line):
        pattern += _words(line[at : number.start()]) + _number(number)
        at = number.end()
    pattern += _words(line[at:])
    # A first number is as far from the edge as it is long.
    return re.sub(r"^(?: \{2,\}|\\ )?(?=\[-\+\]|-\?)", " *", pattern)


def _words(text: str) -> str:
    """Let columns be as far apart as they must, and rules as long; words are as they are."""
    pattern = re.escape(_RULE.sub("─", text)).replace("─", "─+")
    return re.sub(r"(?:\\ ){2,}", " {2,}", pattern)


def _number(found: re.Match[str]) -> str:
    sign = {"": "-?", "+": "[-+]", "-": "[-+]?"}[found["sign"]]
    if "," in found["whole"]:
        whole = r"\d{1,3}(?:,\d{3})*"
    elif len(found["whole"]) >= _MANY_DIGITS:
        whole = r"\d+"
    else:
        whole = r"(?:\d{1,3}(?:,\d{3})+|\d+)"
    return rf"{sign}{whole}(?:\.\d+)?"
