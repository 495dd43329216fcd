"""Which partition a key goes to, as the senders of readings reckon.

Java's clients and those that follow them hash by murmur2, librdkafka and what is built on it
by CRC-32 unless told otherwise. Both leave messages without a key to chance.
"""

from __future__ import annotations

import zlib
from collections.abc import Iterable

from hedgerow.app.settings import Partitioner

_MASK = 0xFFFFFFFF


def partition_of(partitioner: Partitioner, key: bytes, partitions: int) -> int:
    """Return the partition of a key.

    Examples
    --------
    >>> [partition_of(one, b"bridge-7", 8) for one in Partitioner]
    [5, 3]
    """
    if partitioner is Partitioner.MURMUR2:
        return (_murmur2(key) & 0x7FFFFFFF) % partitions
    return zlib.crc32(key) % partitions


def recognise(sample: Iterable[tuple[bytes, int]], partitions: int) -> dict[Partitioner, float]:
    """Tell which share of a sample of (key, partition) each partitioner explains.

    Examples
    --------
    >>> recognise([(b"a", zlib.crc32(b"a") % 8)], 8)[Partitioner.CRC32]
    1.0
    """
    pairs = set(sample)
    return {
        one: sum(partition_of(one, key, partitions) == at for key, at in pairs) / max(1, len(pairs))
        for one in Partitioner
    }


def _murmur2(data: bytes) -> int:
    """Hash as Kafka's Java client does (org.apache.kafka.common.utils.Utils.murmur2)."""
    m, length = 0x5BD1E995, len(data)
    h = (0x9747B28C ^ length) & _MASK
    whole = length // 4 * 4
    for at in range(0, whole, 4):
        k = int.from_bytes(data[at : at + 4], "little") * m & _MASK
        k = (k ^ (k >> 24)) * m & _MASK
        h = (h * m & _MASK) ^ k
    if length > whole:
        h = (h ^ int.from_bytes(data[whole:], "little")) * m & _MASK
    h = (h ^ (h >> 13)) * m & _MASK
    return h ^ (h >> 15)
