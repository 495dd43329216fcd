"""Runs the fuzzers and writes down how much they ran: ``make fuzz``, ``make fuzz RUNS=5000``.

Corpora are kept in ``build/fuzz`` and grow from run to run; what breaks a target is left there
as ``crash-*`` or ``timeout-*``, and belongs into a test.
"""

from __future__ import annotations

import argparse
import re
import subprocess
import sys
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path

HERE = Path(__file__).parent
ROOT = HERE.parents[1]
WORK = ROOT / "build" / "fuzz"
PAGE = ROOT / "docs" / "fuzzing.md"
ENOUGH = 1_000_000  # executions for a run to be written down
MEMORY_MB = 1024
SLOWEST_SECONDS = 10
DONE = re.compile(r"Done (\d+) runs? in (\d+) second")
COVERAGE = re.compile(r"cov: (\d+)")
PEAK = re.compile(r"stat::peak_rss_mb:\s+(\d+)")


@dataclass(frozen=True, slots=True)
class Target:
    """A fuzzer: its program, what it reads, and the longest input."""

    name: str
    reads: str
    longest: int


TARGETS = (
    Target("codec", "messages: decoded or dead-lettered, the fast way as the thorough one", 5000),
    Target("snapshot", "chunks of a snapshot, most with a right checksum, and the restore", 40_000),
)


def main() -> int:
    """Run all targets one after the other."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--runs", type=int, default=ENOUGH)
    runs = parser.parse_args().runs
    lines = [fuzz(target, runs) for target in TARGETS]
    if None in lines:
        return 1
    if runs >= ENOUGH:
        PAGE.write_text(page([line for line in lines if line is not None]), "utf-8")
    return 0


def fuzz(target: Target, runs: int) -> str | None:
    """Run one target; return its line of the page, nothing if it broke."""
    corpus = WORK / target.name
    corpus.mkdir(parents=True, exist_ok=True)
    program = [sys.executable, str(HERE / f"{target.name}.py")]
    subprocess.run([*program, "--seeds", str(corpus)], check=True)
    options = [
        f"-runs={runs}",
        f"-max_len={target.longest}",
        f"-timeout={SLOWEST_SECONDS}",
        f"-rss_limit_mb={MEMORY_MB}",
        "-print_final_stats=1",
        "-keep_seed=1",  # a seed of each kind of chunk, though all reach the same branches
        f"-artifact_prefix={WORK}/",
    ]
    fuzzing = subprocess.Popen(
        [*program, *options, str(corpus)], stderr=subprocess.PIPE, text=True, errors="replace"
    )
    said = []
    assert fuzzing.stderr is not None
    for line in fuzzing.stderr:
        said.append(line)
        print(line, end="", flush=True)
    text = "".join(said)
    done = DONE.search(text)
    if fuzzing.wait() != 0 or done is None:
        return None
    covered, peak = COVERAGE.findall(text), PEAK.search(text)
    return (
        f"| `tests/fuzz/{target.name}.py` | {target.reads} | {int(done[1]):,} | {done[2]} "
        f"| {peak[1] if peak else '?'} | {covered[-1] if covered else '?'} "
        f"| {datetime.now(UTC).date().isoformat()} |"
    )


def page(lines: list[str]) -> str:
    """Write the page."""
    return "\n".join(
        [
            "# Fuzzing",
            "",
            "Written by `make fuzz`. [atheris](https://github.com/google/atheris) guides the input",
            "by what the code under it has reached. An exception other than the one that refuses,",
            f"an input that takes {SLOWEST_SECONDS} s or more than {MEMORY_MB} MB of memory ends",
            "the run; none did. What is found on the way becomes a test beside those of the part.",
            "",
            "| target | reads | executions | seconds | peak MB | branches reached | on |",
            "|---|---|---:|---:|---:|---:|---|",
            *lines,
            "",
        ]
    )


if __name__ == "__main__":
    sys.exit(main())
