"""The manifest of a snapshot: what Redis is told when a checkpoint is complete.

Before: ``app/state/store`` has written the chunks. After: one Lua call puts the manifest in place.
It carries its own checksum, for a wrong offset would be as bad as a wrong chunk.
"""

from __future__ import annotations

import hashlib
from collections.abc import Sequence

import msgspec

from hedgerow.agents.errors import StoreCorrupt, StoreTooNew
from hedgerow.agents.ports import Partition, Progress

VERSION = 2
_UNCHECKED = 1  # the first version had neither generation nor checksum


class Manifest(msgspec.Struct, frozen=True):
    """Which chunks make up a partition's snapshot, and the offset it belongs to.

    Attributes
    ----------
    chunks : dict of str to str
        Redis key of each chunk.
    """

    version: int
    next_offset: int
    log_id: str
    chunks: dict[str, str]
    generation: int = 0
    progress: Progress = Progress()
    checksum: str = ""


def encode_manifest(manifest: Manifest) -> bytes:
    """Return a manifest as JSON, its checksum filled in.

    Examples
    --------
    >>> body = encode_manifest(Manifest(VERSION, 42, "", {"meta": "k"}, generation=7))
    >>> decode_manifest(body, Partition("sensor-data", 3)).next_offset
    42
    """
    return msgspec.json.encode(msgspec.structs.replace(manifest, checksum=_checksum(manifest)))


def decode_manifest(body: bytes, partition: Partition) -> Manifest:
    """Read a manifest back.

    Raises
    ------
    StoreCorrupt
        If it is no manifest, or was changed or cut short.
    StoreTooNew
        If a later release wrote it.
    """
    try:
        manifest = msgspec.json.decode(body, type=Manifest)
    except (msgspec.DecodeError, UnicodeDecodeError) as error:
        raise StoreCorrupt(f"the manifest of {partition} cannot be read: {error}") from None
    if manifest.version > VERSION:
        raise StoreTooNew(
            f"the manifest of {partition} has version {manifest.version}, "
            f"this release reads up to {VERSION}; run a newer one"
        )
    unchecked = manifest.version == _UNCHECKED and not manifest.checksum
    if not unchecked and manifest.checksum != _checksum(manifest):
        raise StoreCorrupt(f"the manifest of {partition} was changed: its checksum does not fit")
    return manifest


def encode_list(manifests: Sequence[Manifest]) -> bytes:
    """Write manifests as one list."""
    return msgspec.json.encode([msgspec.Raw(encode_manifest(one)) for one in manifests])


def split_list(bodies: bytes | None, partition: Partition) -> list[bytes]:
    """Take such a list apart, its manifests not read; nothing where none is kept.

    Raises
    ------
    StoreCorrupt
        If it is no list.
    """
    if bodies is None:
        return []
    try:
        found = msgspec.json.decode(bodies, type=list[msgspec.Raw])
    except msgspec.DecodeError as error:
        raise StoreCorrupt(f"the older manifests of {partition} cannot be read: {error}") from None
    return [bytes(one) for one in found]


def _checksum(manifest: Manifest) -> str:
    body = msgspec.json.encode(msgspec.structs.replace(manifest, checksum=""))
    return hashlib.blake2b(body, digest_size=16).hexdigest()
