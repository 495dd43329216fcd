"""``python -m benchmarks``: run the speed benchmark."""

import typer

from benchmarks.throughput import main

typer.run(main)
