"""Redis as the state store: one fenced unit of snapshot and offset for each partition.

Keys of a partition share a hash tag, so that they live in one slot of a Redis Cluster::

    hedgerow:{group:topic:3}:state                hash: epoch, token, generation, manifest
    hedgerow:{group:topic:3}:chunks               set: every chunk key ever written, until swept
    hedgerow:{group:topic:3}:chunk:TOKEN:7:bank…  one chunk, never overwritten

Chunks are written first; then one Lua call puts the new manifest in place, if and only if
token and generation are those this worker last wrote. Until that call the old snapshot
stands, whole; after it the new one does.
"""

from __future__ import annotations

import itertools
import secrets
from collections.abc import Iterator, Sequence
from contextlib import contextmanager

import msgspec
from redis.asyncio import Redis
from redis.exceptions import RedisError

from hedgerow.agents.errors import (
    Fenced,
    GenerationMoved,
    Refused,
    StoreCorrupt,
    StoreUnavailable,
)
from hedgerow.agents.ports import Checkpoint, Claim, NoProbe, Partition, Probe, Stored
from hedgerow.app.access.redis import refusal

CLAIM = """
if redis.call('HGET', KEYS[1], 'token') == ARGV[1] then
  return tonumber(redis.call('HGET', KEYS[1], 'epoch'))
end
redis.call('HSET', KEYS[1], 'token', ARGV[1])
return redis.call('HINCRBY', KEYS[1], 'epoch', 1)
"""

FLIP = """
local held = redis.call('HMGET', KEYS[1], 'token', 'generation', 'epoch')
if held[1] ~= ARGV[1] then return {-1, tonumber(held[3] or '0')} end
local generation = tonumber(held[2] or '0')
if generation ~= tonumber(ARGV[2]) then return {-2, generation} end
redis.call('HSET', KEYS[1], 'generation', generation + 1, 'manifest', ARGV[3])
return {1, generation + 1}
"""

REFUSED_TOKEN, REFUSED_GENERATION = -1, -2
CHUNKS_AT_ONCE = 8
MANIFEST_VERSION = 1


class Manifest(msgspec.Struct, frozen=True):
    """Which chunks make up a partition's snapshot, and the offset it belongs to."""

    version: int
    next_offset: int
    log_id: str
    chunks: dict[str, str]


class RedisStateStore:
    """Snapshots in Redis.

    Parameters
    ----------
    client : Redis
        Connected to one database; bytes in, bytes out.
    prefix, group : str
        First parts of every key.
    probe : Probe, optional
        Told which points a checkpoint has reached.
    """

    def __init__(
        self, client: Redis, *, prefix: str, group: str, probe: Probe | None = None
    ) -> None:
        self._redis = client
        self._probe = probe or NoProbe()
        self._prefix = prefix
        self._group = group
        self._claim = client.register_script(CLAIM)
        self._flip = client.register_script(FLIP)
        self._attempts = itertools.count(1)
        self._written: dict[str, Manifest] = {}

    async def claim(self, partition: Partition) -> Claim:
        """Take the partition under a new random token."""
        token = secrets.token_hex(8)
        with _unavailable():
            epoch = await self._claim(keys=[self._key(partition, "state")], args=[token])
        return Claim(partition, int(epoch), token)

    async def holds(self, claim: Claim) -> bool:
        """Tell whether the claim's token is the one stored."""
        with _unavailable():
            token = await self._redis.hget(self._key(claim.partition, "state"), "token")
        return token == claim.token.encode()

    async def load(self, claim: Claim) -> Stored | None:
        """Read the snapshot, and sweep chunks that no manifest names."""
        partition = claim.partition
        stored, manifest = await self._read(partition)
        if manifest is not None:
            self._written[claim.token] = manifest
        await self._sweep(partition, manifest)
        return stored

    async def peek(self, partition: Partition) -> Stored | None:
        """Read the snapshot without claiming the partition (for looking at it)."""
        return (await self._read(partition))[0]

    async def save(self, claim: Claim, checkpoint: Checkpoint) -> int:
        """Write the chunks, then put the manifest in place."""
        partition = claim.partition
        attempt = next(self._attempts)  # a name is never used twice, whatever became of the first
        before = self._written.get(claim.token)
        kept = before.chunks if before is not None else {}
        new = {
            name: self._key(partition, f"chunk:{claim.token}:{attempt}:{name}")
            for name in checkpoint.chunks
        }
        manifest = Manifest(
            MANIFEST_VERSION,
            checkpoint.next_offset,
            checkpoint.log_id,
            {name: new.get(name) or kept[name] for name in checkpoint.names},
        )
        with _unavailable():
            await self._write(partition, [(new[n], data) for n, data in checkpoint.chunks.items()])
            self._probe.at("written")
            verdict, number = await self._flip(
                keys=[self._key(partition, "state")],
                args=[claim.token, checkpoint.generation, msgspec.json.encode(manifest)],
            )
        if verdict == REFUSED_TOKEN:
            await self._forget(partition, list(new.values()))
            raise Fenced(f"epoch {claim.epoch} was followed by epoch {number}")
        if verdict == REFUSED_GENERATION:
            await self._forget(partition, list(new.values()))
            raise GenerationMoved(
                f"generation {number} is stored where {checkpoint.generation} was written last",
                int(number),
            )
        self._probe.at("flipped")
        self._written[claim.token] = manifest
        await self._sweep(partition, manifest)
        return int(number)

    # ---------------------------------------------------------------- pieces

    def _key(self, partition: Partition, name: str) -> str:
        tag = f"{self._group}:{partition.topic}:{partition.number}"
        return f"{self._prefix}:{{{tag}}}:{name}"

    async def _read(self, partition: Partition) -> tuple[Stored | None, Manifest | None]:
        with _unavailable():
            fields = await self._redis.hmget(
                self._key(partition, "state"), ["generation", "manifest"]
            )
        generation, body = (_bytes(field) for field in fields)
        if generation is None or body is None:
            return None, None
        try:
            manifest = msgspec.json.decode(body, type=Manifest)
        except msgspec.DecodeError as error:
            raise StoreCorrupt(f"the manifest of {partition} cannot be read: {error}") from None
        if manifest.version > MANIFEST_VERSION:
            raise StoreCorrupt(
                f"the manifest of {partition} has version {manifest.version}, "
                f"this release reads up to {MANIFEST_VERSION}; run a newer one"
            )
        chunks: dict[str, bytes] = {}
        names = list(manifest.chunks)
        for first in range(0, len(names), CHUNKS_AT_ONCE):
            part = names[first : first + CHUNKS_AT_ONCE]
            with _unavailable():
                values = await self._redis.mget([manifest.chunks[name] for name in part])
            for name, value in zip(part, values, strict=True):
                data = _bytes(value)
                if data is None:
                    raise StoreCorrupt(f"chunk {name} of {partition} is missing from Redis")
                chunks[name] = data
        return Stored(int(generation), manifest.next_offset, manifest.log_id, chunks), manifest

    async def _write(self, partition: Partition, chunks: Sequence[tuple[str, bytes]]) -> None:
        for first in range(0, len(chunks), CHUNKS_AT_ONCE):
            part = chunks[first : first + CHUNKS_AT_ONCE]
            pipe = self._redis.pipeline(transaction=False)
            pipe.sadd(self._key(partition, "chunks"), *(key for key, _ in part))
            for key, data in part:
                pipe.set(key, data)
            await pipe.execute()

    async def _sweep(self, partition: Partition, manifest: Manifest | None) -> None:
        with _unavailable():
            known = await self._redis.smembers(self._key(partition, "chunks"))
        live = set(manifest.chunks.values()) if manifest is not None else set()
        written = {(_bytes(key) or b"").decode() for key in known}
        await self._forget(partition, sorted(written - live))

    async def _forget(self, partition: Partition, keys: Sequence[str]) -> None:
        if not keys:
            return
        with _unavailable():
            pipe = self._redis.pipeline(transaction=False)
            pipe.unlink(*keys)
            pipe.srem(self._key(partition, "chunks"), *keys)
            await pipe.execute()


def _bytes(value: bytes | str | None) -> bytes | None:
    """Return what Redis sent as the bytes it is: the client does not decode here."""
    return value.encode() if isinstance(value, str) else value


@contextmanager
def _unavailable() -> Iterator[None]:
    """Turn the client's many failures into the two the agents know."""
    try:
        yield
    except (RedisError, OSError) as error:
        sentence = refusal(error)
        if sentence is not None:
            raise Refused(sentence) from error
        raise StoreUnavailable(f"Redis: {error}") from error
