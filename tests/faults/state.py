"""What Redis holds at the end of a run, read key by key, nothing of it decoded but the manifest.

The names of stored chunks differ from run to run (token, generation); the snapshot's own names
and bytes must not.
"""

from __future__ import annotations

import json

import redis
from faults.verifier import PartitionState


def read_state(
    url: str, *, prefix: str, group: str, topic: str, partitions: int
) -> dict[int, PartitionState]:
    """Return the snapshot of each partition that has one."""
    states = {}
    with redis.Redis.from_url(url) as client:
        for number in range(partitions):
            tag = f"{prefix}:{{{group}:{topic}:{number}}}"
            manifest = client.hget(f"{tag}:state", "manifest")
            if manifest is None:
                continue
            body = json.loads(manifest)
            chunks = {name: client.get(key) for name, key in body["chunks"].items()}
            lost = [name for name, data in chunks.items() if data is None]
            if lost:
                raise AssertionError(f"partition {number}: the manifest names absent {lost}")
            states[number] = PartitionState(body["next_offset"], chunks)
    return states


def stored_keys(url: str, *, prefix: str, group: str) -> int:
    """Count every key of a group, live or forgotten."""
    with redis.Redis.from_url(url) as client:
        return sum(1 for _ in client.scan_iter(match=f"{prefix}:{{{group}:*", count=1000))
