"""Shell completion: what a shell asks for, and what it is told."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

import pytest

from hedgerow.app.cli.tail import KINDS
from hedgerow.app.settings import AlertSettings

PATH = f"{Path(sys.executable).parent}:{os.environ['PATH']}"
SHELLS = ("bash", "zsh", "fish")


def hedgerow(**variables: str) -> str:
    return subprocess.run(
        ["hedgerow"],
        env={**os.environ, "PATH": PATH, **variables},
        capture_output=True,
        text=True,
        timeout=60,
        check=True,
    ).stdout


def completed(shell: str, typed: str) -> str:
    """Ask as a shell does when Tab is pressed."""
    if shell == "bash":
        count = str(len(typed.split(" ")) - 1)
        return hedgerow(_HEDGEROW_COMPLETE="complete_bash", COMP_WORDS=typed, COMP_CWORD=count)
    return hedgerow(
        _HEDGEROW_COMPLETE=f"complete_{shell}",
        _TYPER_COMPLETE_ARGS=typed,
        _TYPER_COMPLETE_FISH_ACTION="get-args",
    )


@pytest.mark.parametrize("shell", SHELLS)
@pytest.mark.parametrize(
    ("typed", "due"),
    [
        ("hedgerow pred", ["predictions"]),
        ("hedgerow dlq re", ["replay"]),
        ("hedgerow replay x.csv --sensor", ["--sensor-column", "--sensor"]),
        ("hedgerow alerts tail --severity ", ["critical", "warning"]),
        ("hedgerow alerts tail --kind for", ["forecast-breach"]),
    ],
)
def test_commands_options_and_their_words_are_completed(
    shell: str, typed: str, due: list[str]
) -> None:
    told = completed(shell, typed)
    assert [word for word in due if word not in told] == []
    assert "worker" not in told


def test_the_words_of_kind_are_the_alert_rules() -> None:
    assert set(KINDS) == {name.replace("_", "-") for name in AlertSettings.model_fields}


@pytest.mark.parametrize("shell", SHELLS)
def test_a_shell_gets_a_script_of_its_own_kind(shell: str) -> None:
    script = hedgerow(_HEDGEROW_COMPLETE=f"source_{shell}")
    line = {"bash": "complete -o default", "zsh": "#compdef hedgerow", "fish": "complete --command"}
    assert line[shell] in script
    assert f"_HEDGEROW_COMPLETE=complete_{shell}" in script


def test_a_real_bash_completes_by_the_script() -> None:
    script = (
        'eval "$(_HEDGEROW_COMPLETE=source_bash hedgerow)"\n'
        "COMP_WORDS=(hedgerow state a); COMP_CWORD=2\n"
        '_hedgerow_completion hedgerow; echo "${COMPREPLY[@]}"'
    )
    done = subprocess.run(
        ["bash", "-c", script],
        env={**os.environ, "PATH": PATH},
        capture_output=True,
        text=True,
        timeout=60,
        check=True,
    )
    assert done.stdout.split() == ["adopt"]


def test_a_press_of_tab_is_not_waited_for() -> None:
    before = os.times().children_user
    completed("bash", "hedgerow pred")
    assert os.times().children_user - before < 1.5  # seconds of CPU: no client, no numba
