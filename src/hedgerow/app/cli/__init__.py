"""The ``hedgerow`` command: one file per group of commands."""

from hedgerow.app.cli.root import main

__all__ = ["main"]
