"""``hedgerow verify``: checks on any cluster that nothing is missing and no id means two things."""
# ruff: noqa: PLC0415 - the clients are imported when the command runs

from __future__ import annotations

import json
from collections.abc import Sequence
from dataclasses import asdict
from typing import TYPE_CHECKING, Annotated

import typer

from hedgerow.app.cli.asking import ask, with_exit_codes
from hedgerow.app.cli.output import (
    ConfigOption,
    JsonOption,
    columns,
    errors,
    printable,
    read_settings,
    results,
)

if TYPE_CHECKING:
    from hedgerow.app.audit.verify import Finding
    from hedgerow.app.settings import Settings

COLUMNS = (
    ("partition", "partition"),
    ("first", "from"),
    ("next_offset", "to"),
    ("readings", "readings"),
    ("predictions", "predictions"),
    ("excused", "excused"),
    ("missing", "missing"),
    ("strange", "strange"),
    ("repeats", "repeats"),
    ("differing", "differing"),
    ("letters_missing", "letters missing"),
)


def add_to(app: typer.Typer) -> None:
    """Add the command."""
    app.command(epilog="Example: hedgerow verify --topic predictions")(verify)


def verify(
    config: ConfigOption = None,
    topic: Annotated[
        str | None, typer.Option(help="Where predictions are; topics.predictions otherwise.")
    ] = None,
    as_json: JsonOption = False,
) -> None:
    """Look for gaps and repeats in what was published; leaves with 1 if a promise was broken.

    Reads the readings, the predictions and the dead letters that are kept, and the state in
    Redis. Changes nothing; workers may go on meanwhile.
    """
    settings = read_settings(config)
    from hedgerow.app.audit.verify import verdict

    findings = _findings(settings, topic or settings.topics.predictions)
    if as_json:
        typer.echo(json.dumps([{**asdict(one), "good": one.good} for one in findings]))
    else:
        _show(findings)
        results.print(verdict(findings))
    raise typer.Exit(0 if all(one.good for one in findings) else 1)


def _findings(settings: Settings, topic: str) -> list[Finding]:
    from hedgerow.app.audit.evidence import Verification
    from hedgerow.app.cli.progress import ReplayProgress
    from hedgerow.app.state.admin import state_admin

    with with_exit_codes(), ReplayProgress(errors, "reading the state") as bar:
        kept = ask(state_admin(settings), lambda admin: admin.kept())
        looking = Verification(settings, topic, kept, bar.describe)
        findings = looking.findings()
    if looking.foreign:
        errors.print(
            f"{looking.foreign:,} records of {topic} are no predictions of this topic's readings",
            style="yellow",
        )
    return findings


def _show(findings: Sequence[Finding]) -> None:
    rows = [[f"{getattr(one, name):,}" for name, _ in COLUMNS] for one in findings]
    heading, *lines = columns([text for _, text in COLUMNS], rows)
    results.print(heading, style="bold")
    for one, line in zip(findings, lines, strict=True):
        results.print(line, style="" if one.good else "red")
    for one in findings:
        for example in one.examples:
            results.print(f"look at {printable(example)}", style="red")
        if not one.whole:
            errors.print(
                f"partition {one.partition}: Kafka no longer holds all that was learned; what is "
                "held was checked, and readings that are late cannot be told from missing ones "
                "among the last few",
                style="yellow",
            )
