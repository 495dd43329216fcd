"""What every script that writes a file from the code or from other files has in common."""

from __future__ import annotations

import argparse
import sys
from pathlib import Path

ROOT = Path(__file__).parent.parent


def write_or_check(path: Path, text: str) -> int:
    """Write a file, or with ``--check`` only say whether it is as it should be.

    Returns
    -------
    int
        The exit code: 1 for a file that is stale.
    """
    name = path.relative_to(ROOT)
    parser = argparse.ArgumentParser(description=f"Write {name}.")
    parser.add_argument("--check", action="store_true", help="only compare; exit code 1 if stale")
    if not parser.parse_args().check:
        path.write_text(text, encoding="utf-8")
        return 0
    if path.is_file() and path.read_text(encoding="utf-8") == text:
        return 0
    print(f"{name} is stale; run python scripts/{Path(sys.argv[0]).name}", file=sys.stderr)
    return 1
