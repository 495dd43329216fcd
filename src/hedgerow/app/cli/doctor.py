"""``hedgerow doctor``."""

from __future__ import annotations

import json
from dataclasses import asdict
from typing import Annotated

import typer

from hedgerow.app.cli.output import ConfigOption, printable, read_settings, results

STYLES = {"ok": "green", "warn": "yellow", "fail": "bold red"}


def add_to(app: typer.Typer) -> None:
    """Add the command."""
    app.command(epilog="Example: hedgerow doctor --config city.toml")(doctor)


def doctor(
    config: ConfigOption = None,
    as_json: Annotated[bool, typer.Option("--json", help="One JSON document.")] = False,
) -> None:
    """Check broker, topics, Redis, versions and clock, and say what to do.

    Leaves with 1 when something must be mended before a worker can run.
    """
    settings = read_settings(config)
    from hedgerow.app.doctor.check import Status  # noqa: PLC0415
    from hedgerow.app.doctor.examine import examine  # noqa: PLC0415

    checks = []
    for check in examine(settings):
        checks.append(check)
        if not as_json:
            results.print(f"{check.status:<5}", style=STYLES[check.status], end="")
            results.print(f"{check.name}: {printable(check.found)}")
            if check.advice:
                results.print(f"     {'note' if check.status is Status.OK else 'do'}: ", end="")
                results.print(printable(check.advice))
    failed = sum(check.status is Status.FAIL for check in checks)
    warned = sum(check.status is Status.WARN for check in checks)
    if as_json:
        results.print(json.dumps([asdict(check) for check in checks]))
    else:
        results.print(f"{len(checks)} checks, {warned} warnings, {failed} failures")
    raise typer.Exit(1 if failed else 0)
