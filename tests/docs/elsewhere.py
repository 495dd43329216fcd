"""Commands of the pages that another test runs, and what stands in for a name on a page.

A page that shows a new command needs no line here unless its command cannot run beside the
embedded broker and Redis: then one line says why, and which test or step of ``.ci/run`` runs it.
"""

from __future__ import annotations

import re
from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class Elsewhere:
    """Commands that are not run here.

    Attributes
    ----------
    pattern : str
        Matches the whole command, without its remark.
    why : str
        What it needs.
    where : str
        ``file::test``, or ``file: words`` that stand in it.
    """

    pattern: str
    why: str
    where: str

    def matches(self, command: str) -> bool:
        return re.fullmatch(self.pattern, without_remark(command), re.DOTALL) is not None


def without_remark(command: str) -> str:
    """Take the remark off the end of a command.

    >>> without_remark("make demo      # a year of readings")
    'make demo'
    """
    return re.sub(r"\s+#.*$", "", command).strip()


ELSEWHERE = (
    Elsewhere(r"git clone .*", "is how whoever runs this got here", ".ci/run: from a fresh clone"),
    Elsewhere(r"\$EDITOR .*", "is a person's", "CONTRIBUTING.md: and a test that fails without it"),
    Elsewhere(r"make test( ARGS=.*)?", "is what runs this", ".ci/run: make test"),
    Elsewhere(r"make (check|lint|format)", "takes minutes", ".ci/run: make lint"),
    Elsewhere(r"make venv|\. \.venv/bin/activate", "made what runs this", ".ci/run: make test"),
    Elsewhere(r"make charts", "is a part of every installation", ".ci/run: make test"),
    Elsewhere(r"\.ci/run", "runs all of this", ".ci/run: from a fresh clone"),
    Elsewhere(r"\.venv/bin/pytest tests/topics --pdb", "is a part of", ".ci/run: make test"),
    Elsewhere(
        r"hedgerow state adopt --yes",
        "wants a topic that was deleted and made anew",
        "tests/e2e/test_log_faults.py::"
        "test_a_topic_made_anew_stops_the_worker_and_can_be_adopted",
    ),
    Elsewhere(
        r"docker (compose|build) .*",
        "needs a Docker engine",
        "tests/deploy/test_compose.py::test_every_command_of_the_pages_was_typed",
    ),
    Elsewhere(
        r"kubectl .*",
        "needs kubectl, and what answers it as a cluster does",
        "tests/deploy/test_kubectl.py::test_every_command_of_the_pages_was_typed",
    ),
    Elsewhere(
        r"kafka-acls .*",
        "needs a broker that checks who may do what",
        "tests/security/test_kafka_acls.py::"
        "test_every_line_gives_the_permission_that_the_tests_let_a_worker_in_by",
    ),
)  # fmt: skip

# Targets that no test and no step of .ci/run makes, and why; a dry run shows that they exist, and
# the programs behind them are asked whether they take the options.
NEVER_MADE = {
    "bench": "takes 25 minutes of a quiet machine",
    "bench-accuracy": "takes 40 minutes, and data that is not shipped",
    "bench-nab": "reads data that is not shipped",
    "bench-cost": "takes minutes of a quiet machine",
    "faults": "takes half an hour; `make test-kafka` runs all of it but the slow cases",
    "coverage": "is `make test` with lines counted",
    "audit": "asks the advisory database",
    "lock": "asks the registry of packages for their newest versions",
}


def never_made(command: str) -> str:
    """Tell why nothing makes a target, if nothing does.

    >>> never_made("make lint"), never_made("make coverage ARGS=-v")
    ('', 'is `make test` with lines counted')
    """
    program, target, *_ = [*command.split(), ""]
    return NEVER_MADE.get(target, "") if program == "make" else ""


def is_elsewhere(command: str) -> bool:
    """Whether a page's command is not typed beside the page."""
    return bool(never_made(command)) or any(one.matches(command) for one in ELSEWHERE)


# What is typed elsewhere and need not be shown: each builder tells its steps in a way of its own.
UNSHOWN = r"docker build .*"

# What the Makefile's targets run, where running the target would install things.
SAME_AS = {"make demo": "hedgerow demo", "make demo KEEP=1": "hedgerow demo --keep"}

# Names on the pages, and the part of the stack that stands in for them; the longer ones first.
STAND_INS = (
    ("kafka-1:9092,kafka-2:9092", "bootstrap"),
    ("redis://redis:6379/0", "redis"),
    ("redis://localhost:6379/0", "redis"),
    ("localhost:9092", "bootstrap"),
    ("http://localhost:8000", "http"),
    ("http://127.0.0.1:8000", "http"),
)


@dataclass(frozen=True, slots=True)
class Endless:
    """Commands that go on until they are told to end, and how they end then."""

    pattern: str
    signal: int
    code: int
    shows: str  # what it prints when it is well under way


ENDLESS = (
    Endless(r"hedgerow demo --keep", 2, 0, "\n  tail "),
    Endless(r"hedgerow worker\b.*", 15, 0, "goes on at offset"),
    Endless(r"hedgerow (predictions|alerts) tail\b(?!.*--(no-follow|limit)).*", 2, 130, "\n"),
)

# Pages whose commands meet the whole demo, learned to its end, rather than four days of it.
WHOLE_DEMO = ("docs/runbook.md", "docs/understanding.md")

# Commands that nothing may learn beside: the page's own worker leaves for them, and what
# they ask is answered with yes.
WORKERS_LEAVE = r"hedgerow state (repartition|adopt|forget|reset|rollback)\b.*"
