"""``python -m hedgerow``: the command, where its script is not on the PATH."""

from hedgerow.app.cli import main

main()
