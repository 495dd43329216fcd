"""``hedgerow worker``."""

from __future__ import annotations

import typer

from hedgerow.app.cli.output import ConfigOption, read_settings


def add_to(app: typer.Typer) -> None:
    """Add the command."""
    app.command(
        epilog="Example: HEDGEROW_KAFKA__BOOTSTRAP_SERVERS=kafka:9092 "
        "hedgerow worker --config city.toml"
    )(worker)


def worker(config: ConfigOption = None) -> None:
    """Learn and forecast until SIGTERM or Ctrl-C; start more of them to share the work."""
    settings = read_settings(config)
    from hedgerow.app.service.worker import run_worker  # noqa: PLC0415

    raise typer.Exit(run_worker(settings))
