"""What Redis holds at the end of a run, read key by key, nothing of it decoded but the manifest.

The names of stored chunks differ from run to run (token, generation); the snapshot's own names
and bytes must not.
"""

from __future__ import annotations

import json
from collections.abc import Mapping
from contextlib import suppress
from dataclasses import dataclass
from typing import Any

import redis
from faults.judge.verifier import PartitionState


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


@dataclass(frozen=True, slots=True)
class StoredUnit:
    """A snapshot as some release has left it."""

    version: int  # of the manifest
    next_offset: int
    chunks: Mapping[str, bytes]


def put_state(where: Where, partition: int, unit: StoredUnit) -> None:
    """Put a snapshot in place as a worker that is gone by now would have left it."""
    base = f"{where.prefix}:{{{where.group}:{where.topic}:{partition}}}"
    keys = {name: f"{base}:chunk:0123456789abcdef:1:{name}" for name in unit.chunks}
    manifest = {
        "version": unit.version,
        "next_offset": unit.next_offset,
        "log_id": "",
        "chunks": keys,
    }
    state = {
        "token": "0123456789abcdef",
        "epoch": 1,
        "generation": 1,
        "manifest": json.dumps(manifest),
    }
    with redis.Redis.from_url(where.url) as client:
        client.sadd(f"{base}:chunks", *keys.values())
        client.mset({keys[name]: data for name, data in unit.chunks.items()})
        client.hset(f"{base}:state", mapping=state)


def forget(where: Where) -> None:
    """Take a run's keys out of Redis, if it still answers."""
    with suppress(redis.ConnectionError), redis.Redis.from_url(where.url) as client:
        keys = list(client.scan_iter(f"{where.prefix}:*", count=1000))
        if keys:
            client.unlink(*keys)


def _manifests(client: redis.Redis, where: Where) -> dict[int, dict[str, Any]]:
    found = {}
    for number in range(where.partitions):
        key = f"{where.prefix}:{{{where.group}:{where.topic}:{number}}}:state"
        manifest = client.hget(key, "manifest")
        if manifest is not None:
            found[number] = json.loads(manifest)
    return found
