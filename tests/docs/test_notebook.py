"""The notebook of the examples: runs from top to bottom, and prints what is stored in it."""

from __future__ import annotations

import contextlib
import io
import json

import pytest
from docs.blocks import ROOT
from docs.outputs import differences

NOTEBOOK = ROOT / "examples" / "models_alone.ipynb"


def test_the_notebook_prints_what_it_shows() -> None:
    cells = json.loads(NOTEBOOK.read_text("utf-8"))["cells"]
    names: dict[str, object] = {}
    wrong = []
    for cell in cells:
        if cell["cell_type"] != "code":
            continue
        printed = io.StringIO()
        with contextlib.redirect_stdout(printed):
            exec(compile("".join(cell["source"]), cell["id"], "exec"), names)
        shown = "".join(line for output in cell["outputs"] for line in output["text"])
        wrong += differences(shown, printed.getvalue())
    assert wrong == []


@pytest.mark.parametrize(
    "foreign", ["hedgerow.app.", "hedgerow.agents", "confluent", "redis", "/home"]
)
def test_the_notebook_uses_the_models_alone_and_names_no_machine(foreign: str) -> None:
    text = NOTEBOOK.read_text("utf-8")
    assert foreign not in text.replace('files(\\"hedgerow.app\\")', "")
    assert len(text) < 20_000
