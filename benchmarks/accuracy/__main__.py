"""``python -m benchmarks.accuracy``: run the accuracy benchmark and write its report."""

from __future__ import annotations

import sys
from pathlib import Path
from typing import Annotated

import typer
from rich.console import Console
from rich.markdown import Markdown

from benchmarks.accuracy.progress import Bar
from benchmarks.accuracy.report import document, write
from benchmarks.accuracy.run import measure, save
from benchmarks.accuracy.sets import FEEDS

KEPT = Path("build/bench")
errors = Console(stderr=True, highlight=False)


def main(
    quick: Annotated[
        bool, typer.Option("--quick", help="Only our presets and the naive methods; no report.")
    ] = False,
    sets: Annotated[str, typer.Option(help="Which sets, by comma.")] = ",".join(FEEDS),
    out: Annotated[
        Path | None, typer.Option(help="The report; docs/accuracy.md unless --quick.")
    ] = None,
    reuse_peers: Annotated[
        bool,
        typer.Option("--reuse-peers", help="Take the others' forecasts from an earlier run."),
    ] = False,
) -> None:
    """Score the forecasts on the public sets in HEDGEROW_DATA (else ../shared/data).

    Every score goes to build/bench/accuracy.json.
    """
    names = [name for name in sets.split(",") if name]
    unknown = [name for name in names if name not in FEEDS]
    if unknown:
        raise typer.BadParameter(f"no set {unknown[0]}; there are {', '.join(FEEDS)}")
    others, cuts = None, ()
    if not quick:
        from benchmarks.accuracy.peers import everyone  # noqa: PLC0415

        others = everyone.Everyone(everyone.peers(), KEPT / "others", reuse=reuse_peers)
        cuts = everyone.cuts()
    with Bar(errors) as bar:
        findings = measure(names, bar, others, with_regret=not quick)
    save(findings, KEPT / "accuracy.json")
    command = "make bench-accuracy" + (f' ARGS="{" ".join(sys.argv[1:])}"' if sys.argv[1:] else "")
    if out is None and not quick:
        out = Path("docs/accuracy.md")
    if out is not None:
        write(findings, out, command, cuts)
        errors.print(f"written to {out}")
    if quick:
        Console().print(Markdown(document(findings, command, cuts)))


if __name__ == "__main__":
    typer.run(main)
