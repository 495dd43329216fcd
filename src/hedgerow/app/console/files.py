"""The page's own files: markup, style, scripts, and the chart library that the build brought.

Before: ``scripts/vendor_charts.py`` put the library beside them. After: `routes` serves them, as
they were when the worker started.
"""

from __future__ import annotations

import logging
from dataclasses import dataclass
from pathlib import Path

logger = logging.getLogger(__name__)

STATIC = Path(__file__).with_name("static")
LIBRARY = ("vendor/uplot.js", "vendor/uplot.css")
NO_LIBRARY = (
    "the console draws no charts: its chart library is not there. Run `make charts` (or "
    "`python scripts/vendor_charts.py`) in the source tree, or install a wheel built after that, "
    "and start the worker again"
)
TYPES = {
    ".css": "text/css",
    ".html": "text/html",
    ".js": "text/javascript",
    ".svg": "image/svg+xml",
    ".txt": "text/plain",
}


@dataclass(frozen=True, slots=True)
class PageFile:
    """One file, ready to be sent."""

    body: bytes
    content_type: str


def page_files(folder: Path = STATIC) -> dict[str, PageFile]:
    """Read the page's files, by their path below the page; warn where the charts are missing.

    Examples
    --------
    >>> page_files()["index.html"].content_type
    'text/html'
    """
    files = {
        path.relative_to(folder).as_posix(): PageFile(path.read_bytes(), TYPES[path.suffix])
        for path in sorted(folder.rglob("*"))
        if path.suffix in TYPES
    }
    if any(name not in files for name in LIBRARY):
        logger.warning("%s", NO_LIBRARY)
    return files
