"""Makes ``--help`` readable: paragraphs as wide as the terminal, no type where no value is wanted.

Before: typer makes the commands of their functions. After: ``root`` runs them.
"""

from __future__ import annotations

from typing import Any, TypeVar

import typer

# typer brings commands and options of its own, without public names for their types.
Command = TypeVar("Command", bound=Any)


def tidied(command: Command) -> Command:
    """Mend the help of a command and of all below it, and return it.

    A docstring's lines end where the source's do; of them paragraphs are made. An option without a
    value, such as ``--all``, was shown with ``<bool>``, as if it wanted one.
    """
    command.help = joined(command.help)
    context = typer.Context(command, help_option_names=["-h", "--help"])
    for option in command.get_params(context):
        if getattr(option, "is_flag", False):
            option.metavar = ""
    for below in getattr(command, "commands", {}).values():
        tidied(below)
    return command


def joined(text: str | None) -> str | None:
    r"""Join the lines of each paragraph.

    Examples
    --------
    >>> joined("One\ntwo.\n\nThree.")
    'One two.\n\nThree.'
    """
    if text is None:
        return None
    return "\n\n".join(" ".join(part.split()) for part in text.split("\n\n"))
