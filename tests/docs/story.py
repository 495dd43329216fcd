"""Where all that a page's commands printed is kept, so that no failure has to be seen twice."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from docs.blocks import ROOT
from docs.session import Session

STORIES = ROOT / "build" / "pages"


@contextmanager
def kept(session: Session, story: Path) -> Iterator[None]:
    """Keep all that a page's commands printed; of a page that fails, tell it too."""
    try:
        yield
    except BaseException:
        print(session.whole_story())
        print(f"kept in {story}")
        raise
    finally:
        story.parent.mkdir(parents=True, exist_ok=True)
        story.write_text(session.whole_story(), "utf-8")
