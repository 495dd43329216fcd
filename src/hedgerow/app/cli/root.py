"""The ``hedgerow`` command itself: its subcommands, its version, its exit codes.

Commands import what they run only when they run, so that ``--help`` answers at once.
"""

from __future__ import annotations

import errno
import os
import sys
from collections.abc import Sequence
from typing import Annotated

import typer

from hedgerow.app.cli import (
    backtest,
    demo,
    dlq,
    doctor,
    explain,
    replay,
    sensors,
    state,
    tail,
    topics,
    verify,
    worker,
)
from hedgerow.app.cli.output import errors, printable
from hedgerow.app.cli.reading_help import tidied
from hedgerow.app.errors import AppError

NO_ROOM = frozenset({errno.ENOSPC, errno.EDQUOT, errno.EFBIG})
EXIT_CODES = (
    "Exit codes: 0 done, 1 failed (or `doctor` found a fault), 2 wrong option or setting, "
    "3 no broker, 4 no Redis, 5 unusable file, 6 port taken, 7 part not installed, "
    "8 worker had to stop, 9 topic missing, 10 demo failed, "
    "11 access refused, 12 workers are running, 130 Ctrl-C."
)

app = typer.Typer(
    name="hedgerow",
    help="Learn a city's sensor streams online: forecasts and alerts from Kafka.",
    epilog=f"Example: hedgerow demo\n\n{EXIT_CODES}",
    no_args_is_help=True,
    add_completion=True,
    pretty_exceptions_enable=False,
    rich_markup_mode="rich",
    context_settings={"help_option_names": ["-h", "--help"]},
)
worker.add_to(app)
topics.add_to(app)
replay.add_to(app)
backtest.add_to(app)
tail.add_to(app)
dlq.add_to(app)
sensors.add_to(app)
state.add_to(app)
explain.add_to(app)
verify.add_to(app)
doctor.add_to(app)
demo.add_to(app)


def _version(wanted: bool) -> None:
    if wanted:
        from importlib.metadata import version  # noqa: PLC0415

        typer.echo(f"hedgerow {version('hedgerow')}")
        raise typer.Exit


@app.callback()
def _root(
    _show_version: Annotated[
        bool,
        typer.Option("--version", help="Show the version.", callback=_version, is_eager=True),
    ] = False,
) -> None:
    pass


def main(arguments: Sequence[str] | None = None) -> None:
    """Run the command line, and leave with its exit code.

    Parameters
    ----------
    arguments : sequence of str, optional
        What was typed after ``hedgerow``; taken from the process otherwise.

    Raises
    ------
    SystemExit
        Always.
    """
    try:
        try:
            command = tidied(typer.main.get_command(app))
            command(None if arguments is None else list(arguments), prog_name="hedgerow")
        finally:
            sys.stdout.flush()  # what cannot be written is told here, not when Python ends
    except AppError as error:
        errors.print(f"hedgerow: {printable(str(error))}", style="red")
        sys.exit(error.exit_code)
    except OSError as error:
        if error.errno not in NO_ROOM:
            raise
        sys.stdout = open(os.devnull, "w")  # noqa: SIM115 - for what Python would still flush
        errors.print(f"hedgerow: the output cannot be written: {error.strerror}", style="red")
        sys.exit(1)
