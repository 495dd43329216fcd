"""What Redis holds at the end of a run, read key by key, nothing of it decoded but the manifest.

The names of stored chunks differ from run to run (token, generation); the snapshot's own names
and bytes must not.
"""

from __future__ import annotations

import json
from dataclasses import dataclass
from typing import Any

import redis
from faults.verifier import PartitionState


@dataclass(frozen=True, slots=True)
class Where:
    """Where in which Redis the snapshots of one group lie."""

    url: str
    prefix: str
    group: str
    topic: str
    partitions: int


def read_state(where: Where) -> dict[int, PartitionState]:
    """Return the snapshot of each partition that has one."""
    states = {}
    with redis.Redis.from_url(where.url) as client:
        for number, body in _manifests(client, where).items():
            chunks = {name: client.get(key) for name, key in body["chunks"].items()}
            lost = [name for name, data in chunks.items() if data is None]
            if lost:
                raise AssertionError(f"partition {number}: the manifest names absent {lost}")
            states[number] = PartitionState(body["next_offset"], chunks)
    return states


def saved_offsets(where: Where) -> dict[int, int]:
    """Return the offset each partition's newest snapshot stands at."""
    with redis.Redis.from_url(where.url) as client:
        found = _manifests(client, where)
        return {number: manifest["next_offset"] for number, manifest in found.items()}


def _manifests(client: redis.Redis, where: Where) -> dict[int, dict[str, Any]]:
    found = {}
    for number in range(where.partitions):
        key = f"{where.prefix}:{{{where.group}:{where.topic}:{number}}}:state"
        manifest = client.hget(key, "manifest")
        if manifest is not None:
            found[number] = json.loads(manifest)
    return found
