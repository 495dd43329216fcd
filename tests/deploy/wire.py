"""Reads a Secret as kubectl sends it: in protobuf, for it comes from no file.

Only the fields that `kubectl create secret generic` fills are known here;
``k8s.io/api/core/v1/generated.proto`` and ``apimachinery/pkg/runtime/generated.proto`` number them.
"""

from __future__ import annotations

import base64
from collections.abc import Iterator

from deploy.manifests import Yaml

MEDIA_TYPE = "application/vnd.kubernetes.protobuf"
_MAGIC = b"k8s\x00"
_NUMBER, _BYTES = 0, 2  # wire types
_MORE = 0x80  # another byte of a number follows
_ENTRIES = 2  # the field of a Secret that holds its data


def secret_of(body: bytes) -> Yaml:
    """Read a Secret.

    Raises
    ------
    ValueError
        If it is something else.
    """
    if not body.startswith(_MAGIC):
        raise ValueError(f"no object in protobuf begins with {body[:4]!r}")
    envelope = dict(_fields(body[len(_MAGIC) :]))
    what = dict(_fields(envelope[1]))
    if what[2] != b"Secret":
        raise ValueError(f"a {what[2].decode()} in protobuf is not known here")
    parts = list(_fields(envelope[2]))
    meta = dict(_fields(dict(parts)[1]))
    entries = [dict(_fields(part)) for number, part in parts if number == _ENTRIES]
    return {
        "apiVersion": what[1].decode(),
        "kind": "Secret",
        "metadata": {"name": meta[1].decode()},
        "data": {one[1].decode(): base64.b64encode(one[2]).decode() for one in entries},
    }


def _fields(message: bytes) -> Iterator[tuple[int, bytes]]:
    """Give the fields of a message that hold bytes; numbers are passed over."""
    at = 0
    while at < len(message):
        tag, at = _varint(message, at)
        length, at = _varint(message, at)
        if tag & 7 == _BYTES:
            yield tag >> 3, message[at : at + length]
            at += length
        elif tag & 7 != _NUMBER:
            raise ValueError(f"wire type {tag & 7} is not known here")


def _varint(message: bytes, at: int) -> tuple[int, int]:
    value = shift = 0
    while message[at] & _MORE:
        value |= (message[at] ^ _MORE) << shift
        shift += 7
        at += 1
    return value | message[at] << shift, at + 1
