"""``python -m benchmarks.nab``: score anomaly detectors, print the tables, write the page.

The data is looked for in the folder of ``HEDGEROW_DATA``, by default ``../shared/data`` beside the
checkout: ``nab`` (https://github.com/numenta/NAB or a part of it) and ``aarhus_traffic``.
"""

from __future__ import annotations

from pathlib import Path
from string import Template
from typing import Annotated

import typer
from rich.console import Console
from rich.markdown import Markdown

from benchmarks.nab.corpus import data_folder, read_corpus
from benchmarks.nab.figures import (
    DETECTORS,
    OURS,
    RUNGS,
    Row,
    score_categories,
    score_detectors,
    score_left_out,
    score_shifted,
)
from benchmarks.nab.scoring import PROFILES, score_corpus
from benchmarks.nab.traffic import measure_rates
from hedgerow.models.alerts import anomaly

HERE = Path(__file__).resolve().parent
PAGE = HERE.parents[1] / "docs" / "anomaly.md"
# Scored from the outputs that the NAB repository publishes for these files, by the same rules.
PUBLISHED = [Row("HTM", (73.3, 65.8, 77.8)), Row("ARTime", (79.0, 68.0, 84.9))]


def table(first: str, rows: list[Row]) -> str:
    """Write rows as a Markdown table."""
    lines = [
        f"| {first} | {' | '.join(profile.name for profile in PROFILES)} |",
        "|---|" + "---:|" * len(PROFILES),
    ]
    lines += [f"| {row.name} | {' | '.join(f'{x:.1f}' for x in row.figures)} |" for row in rows]
    return "\n".join(lines)


def write_page(nab: Path, traffic: Path) -> str:
    """Compute every figure and put them into the page."""
    files = read_corpus(nab)
    detectors, scores = score_detectors(files, DETECTORS)
    ours = scores[OURS]
    rungs, _ = score_detectors(files, RUNGS)
    left_out = Row(
        "folder's own files left out", tuple(score_left_out(files, ours, p) for p in PROFILES)
    )
    default = Row(
        f"the default, {anomaly.THRESHOLD}",
        tuple(score_corpus(files, ours, p, anomaly.THRESHOLD).score for p in PROFILES),
    )
    best = Row("the best for all files", detectors[-1].figures)
    rates = "\n".join(
        f"| {rate.quantity} | {rate.median:.2f} | {rate.mean:.2f} | {rate.most:.2f} |"
        for rate in measure_rates(traffic)
    )
    labelled = [row for row in score_categories(files, ours) if row.figures[0] == row.figures[0]]
    return Template((HERE / "page.md").read_text()).substitute(
        files=len(files),
        rows=f"{sum(len(file.values) for file in files):,}",
        windows=sum(len(file.windows) for file in files),
        detectors=table("detector", [*detectors[:-1], *PUBLISHED, detectors[-1]]),
        categories=table("folder", labelled),
        thresholds=table("threshold", [best, left_out, default]),
        default_threshold=anomaly.THRESHOLD,
        default_standard=f"{default.figures[0]:.1f}",
        default_low_fp=f"{default.figures[1]:.1f}",
        default_low_fn=f"{default.figures[2]:.1f}",
        best_threshold=f"{score_corpus(files, ours, PROFILES[0]).threshold:.2f}",
        shifted=table("hours shifted", score_shifted(files)),
        rungs=table("new extremes of", rungs),
        rates=rates,
        bytes=f"{8 * anomaly.SIZE + 4 * anomaly.HOURS_SIZE:,}",
    )


def main(
    nab: Annotated[Path | None, typer.Option(help="Folder with NAB's data/ and labels/.")] = None,
    traffic: Annotated[Path | None, typer.Option(help="Folder of the Aarhus road sensors.")] = None,
    write: Annotated[bool, typer.Option(help="Also write docs/anomaly.md.")] = False,
) -> None:
    """Score anomaly detectors as the Numenta Anomaly Benchmark does."""
    page = write_page(nab or data_folder() / "nab", traffic or data_folder() / "aarhus_traffic")
    Console().print(Markdown(page))
    if write:
        PAGE.write_text(page)


typer.run(main)
