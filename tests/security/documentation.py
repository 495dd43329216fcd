"""The ready lines of ``docs/security.md``, as an administrator would copy them."""

from __future__ import annotations

import re
import shlex
from collections.abc import Mapping
from pathlib import Path

from confluent_kafka.admin import AclBinding
from security.secure_kafka import command

PAGE = Path(__file__).resolve().parents[2] / "docs" / "security.md"


def redis_acl_line(password: str) -> str:
    """Return the user that a worker needs, with this password."""
    (line,) = re.findall(r"^user hedgerow .*$", PAGE.read_text("utf-8"), re.MULTILINE)
    assert ">PASSWORD" in line
    return str(line).replace(">PASSWORD", f">{password}")


def kafka_rights(
    user: str, names: Mapping[str, str], *, role: str = "hedgerow"
) -> list[AclBinding]:
    """Return the permissions that the page's ``kafka-acls`` lines give to a role.

    Parameters
    ----------
    user : str
        Who shall have them here.
    names : Mapping[str, str]
        What the topics and the group of the page are called here.
    role : str
        Whom the page gives them to.
    """
    rights = []
    lines = rf"^kafka-acls .*--add --allow-principal User:{role} .*$"
    for line in re.findall(lines, PAGE.read_text("utf-8"), re.MULTILINE):
        words = [names.get(word, word) for word in shlex.split(line)]
        rights.append(command(words, user))
    assert rights, f"{PAGE} holds no kafka-acls lines for {role}"
    return rights
