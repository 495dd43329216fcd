"""``python -m benchmarks``: measure how fast the worker is."""

import typer

from benchmarks.speed.command import main

app = typer.Typer(add_completion=False, pretty_exceptions_enable=False)
app.command()(main)
app()
