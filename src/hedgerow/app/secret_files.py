"""Secrets that stand in files: a setting ``x_file`` beside a secret setting ``x``.

Before: the settings name the file, as Docker's and Kubernetes' secrets are mounted. After: the
secret is in its setting and nobody else needs to know where it came from.
"""

from __future__ import annotations

from pathlib import Path

from pydantic import BaseModel, SecretStr

SUFFIX = "_file"
MAX_BYTES = 65_536


def fill_secrets(section: BaseModel) -> None:
    """Put the contents of a section's secret files into the secrets they stand for.

    Raises
    ------
    ValueError
        If a file cannot be used, or the secret is given as well.
    """
    fields = type(section).model_fields
    for name in fields:
        path = getattr(section, name + SUFFIX) if name + SUFFIX in fields else None
        if not (isinstance(path, Path) and is_secret(type(section), name)):
            continue
        if getattr(section, name) is not None:
            raise ValueError(f"{name} and {name}_file are both given; give one of them")
        # The section is frozen for everybody else; it is still being made.
        object.__setattr__(section, name, read_secret(path, name + SUFFIX))


def is_secret(section: type[BaseModel], name: str) -> bool:
    """Tell whether a setting's value must never be shown."""
    return "SecretStr" in repr(section.model_fields[name].annotation)


def read_secret(path: Path, setting: str) -> SecretStr:
    """Read a secret; a line break at its end is no part of it.

    Raises
    ------
    ValueError
        If the file cannot be read, or holds nothing, or too much to be a secret.
    """
    try:
        with path.open("rb") as file:
            data = file.read(MAX_BYTES + 1)
        text = data.decode("utf-8").rstrip("\r\n")
    except OSError as error:
        raise ValueError(
            f"{setting}: {path} cannot be read: {error.strerror}; name a file "
            "that holds the secret and that this user may read"
        ) from None
    except UnicodeDecodeError:
        raise ValueError(f"{setting}: {path} is not UTF-8 text") from None
    if not text or len(data) > MAX_BYTES:
        what = "is empty" if not text else f"is larger than {MAX_BYTES} bytes"
        raise ValueError(f"{setting}: {path} {what}; it must hold the secret and nothing else")
    return SecretStr(text)
