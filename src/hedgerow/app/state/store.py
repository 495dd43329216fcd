"""Redis as the state store: one fenced unit of snapshot and offset for each partition.

What lies under which name stands in `keys`, what Redis does in one call in `scripts`.

Chunks are written first; then one Lua call puts the new manifest in place, if and only if
token and generation are those this worker last wrote. Until that call the old snapshot
stands, whole; after it the new one does, and the old one is kept beside it until the next
checkpoint begins: what is found damaged can be given up for it. Where ``checkpoint.keep`` asks for
more, it then goes to the older ones.
"""

from __future__ import annotations

import itertools
import logging
import secrets
from collections.abc import Iterator, Sequence
from contextlib import contextmanager, suppress

from msgspec.structs import replace
from redis.asyncio import Redis

from hedgerow.agents.errors import (
    Fenced,
    GenerationMoved,
    RolledBack,
    StoreCorrupt,
    StoreTooNew,
    StoreUnavailable,
)
from hedgerow.agents.ports import Checkpoint, Claim, NoProbe, Partition, Probe, Stored
from hedgerow.app.state.failures import unavailable
from hedgerow.app.state.keys import Keys
from hedgerow.app.state.manifest import (
    VERSION,
    Manifest,
    decode_manifest,
    encode_list,
    encode_manifest,
    split_list,
)
from hedgerow.app.state.scripts import REFUSED_GENERATION, REFUSED_TOKEN, Scripts

logger = logging.getLogger(__name__)

LEAST_KEPT = 2  # generations: the newest, and the one to go back to when it is damaged
CHUNKS_AT_ONCE = 8  # read
BYTES_AT_ONCE = 4 * 2**20  # written: Redis has to answer for them within its timeout


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
    keep : int
        Generations to keep, the newest among them.
    """

    def __init__(
        self,
        client: Redis,
        *,
        prefix: str,
        group: str,
        probe: Probe | None = None,
        keep: int = LEAST_KEPT,
    ) -> None:
        self._redis = client
        self._probe = probe or NoProbe()
        self._keys = Keys(prefix, group)
        self._scripts = Scripts(client)
        self._keep = keep
        self._attempts = itertools.count(1)
        self._written: dict[str, Manifest] = {}

    async def claim(self, partition: Partition) -> Claim:
        """Take the partition under a new random token."""
        token = secrets.token_hex(8)
        with unavailable():
            epoch = await self._scripts.claim(keys=[self._keys.state(partition)], args=[token])
        return Claim(partition, int(epoch), token)

    async def holds(self, claim: Claim) -> bool:
        """Tell whether the claim's token is the one stored."""
        with unavailable():
            token = await self._redis.hget(self._keys.state(claim.partition), "token")
        return token == claim.token.encode()

    async def load(self, claim: Claim) -> Stored | None:
        """Read the snapshot, and sweep chunks that no manifest names."""
        partition = claim.partition
        manifest = await self._manifest(partition)
        if manifest is None:
            await self._sweep(partition)
            return None
        stored = await self._with_chunks(partition, manifest)
        self._written[claim.token] = manifest
        await self._sweep(partition)
        return stored

    async def check(self, claim: Claim, generation: int) -> None:
        """Compare token and generation with what is stored."""
        (token,) = await self._fields(claim.partition, "token")
        epoch, stored = await self.standing(claim.partition)
        if token != claim.token.encode():
            raise _refused_token(claim, epoch)
        if stored != generation:
            raise _refused_generation(generation, stored)

    async def previous(self, claim: Claim) -> Stored | None:
        """Read the generation before, or the newest one before it whose manifest is readable."""
        before = await self._before(claim.partition)
        return await self._with_chunks(claim.partition, before[0]) if before else None

    async def revert(self, claim: Claim, generation: int | None = None) -> None:
        """Put a manifest before the stored one in its place: the one before, or a kept one."""
        before = await self._before(claim.partition)
        left = [i for i, one in enumerate(before) if generation in {None, one.generation}]
        if not left:
            raise StoreCorrupt(f"no generation before the stored one is kept of {claim.partition}")
        manifest, older = before[left[0]], before[left[0] + 1 :]
        with unavailable():
            done = await self._scripts.revert(
                keys=[self._keys.state(claim.partition)],
                args=[
                    claim.token, manifest.generation, encode_manifest(manifest), encode_list(older)
                ],
            )  # fmt: skip
        if not done:
            raise Fenced(f"{claim.partition} was claimed by another worker while it was loaded")
        self._written[claim.token] = manifest

    async def check_writable(self, claim: Claim) -> None:
        """Write a key that expires after a second."""
        with unavailable():
            await self._redis.set(self._keys.writable(claim.partition), b"1", px=1000)

    async def peek(self, partition: Partition, kinds: Sequence[str] = ()) -> Stored | None:
        """Read the snapshot without claiming the partition, or its chunks of these kinds."""
        manifest = await self._manifest(partition)
        return None if manifest is None else await self._with_chunks(partition, manifest, kinds)

    async def kept(self, partition: Partition) -> list[Stored]:
        """List the generations that are kept, the newest first, without their chunks."""
        newest = await self._manifest(partition)
        found = [] if newest is None else [newest, *await self._before(partition)]
        return [
            Stored(one.generation, one.next_offset, one.log_id, {}, one.progress) for one in found
        ]

    async def peek_at(
        self, partition: Partition, generation: int, kinds: Sequence[str] = ()
    ) -> Stored | None:
        """Read a kept generation without claiming the partition, ``None`` if it is not kept."""
        for manifest in (await self._manifest(partition), *await self._before(partition)):
            if manifest is not None and manifest.generation == generation:
                return await self._with_chunks(partition, manifest, kinds)
        return None

    async def save(self, claim: Claim, checkpoint: Checkpoint) -> int:
        """Write the chunks, then put the manifest in place."""
        partition = claim.partition
        new, manifest = self._named(claim, checkpoint)
        state = self._keys.state(partition)
        # Before, not after: one generation more at once would need more memory.
        if self._keep > LEAST_KEPT:
            older = (await self._before(partition))[: self._keep - LEAST_KEPT]
            with unavailable():
                await self._scripts.retire_previous(
                    keys=[state], args=[claim.token, encode_list(older)]
                )
        else:
            with unavailable():
                await self._scripts.drop_previous(keys=[state], args=[claim.token])
        await self._sweep(partition)
        try:
            with unavailable():
                await self._write(
                    partition, [(new[n], data) for n, data in checkpoint.chunks.items()]
                )
        except StoreUnavailable:
            with suppress(StoreUnavailable):  # memory may be full: leave nothing behind
                await self._forget(partition, list(new.values()))
            raise
        with unavailable():
            self._probe.at("written")
            verdict, number = await self._scripts.flip(
                keys=[state],
                args=[claim.token, checkpoint.generation, encode_manifest(manifest)],
            )
        if verdict == REFUSED_TOKEN:
            await self._forget(partition, list(new.values()))
            raise _refused_token(claim, int(number))
        if verdict == REFUSED_GENERATION:
            await self._forget(partition, list(new.values()))
            raise _refused_generation(checkpoint.generation, int(number))
        self._probe.at("flipped")
        self._written[claim.token] = manifest
        return int(number)

    def _named(self, claim: Claim, checkpoint: Checkpoint) -> tuple[dict[str, str], Manifest]:
        """Give the chunks of a checkpoint their keys, and make its manifest."""
        attempt = next(self._attempts)  # a name is never used twice, whatever became of the first
        before = self._written.get(claim.token)
        kept = before.chunks if before is not None else {}
        new = {
            name: self._keys.chunk(claim.partition, claim.token, attempt, name)
            for name in checkpoint.chunks
        }
        manifest = Manifest(
            VERSION,
            checkpoint.next_offset,
            checkpoint.log_id,
            {name: new.get(name) or kept[name] for name in checkpoint.names},
            checkpoint.generation + 1,
            checkpoint.progress,
        )
        return new, manifest

    # ---------------------------------------------------------------- moves, by commands

    async def stage(self, claim: Claim, checkpoint: Checkpoint) -> None:
        """Write a whole snapshot beside the stored one, to be put in place by `promote`."""
        new, manifest = self._named(claim, checkpoint)
        await self._sweep(claim.partition)
        with unavailable():
            await self._write(
                claim.partition, [(new[n], data) for n, data in checkpoint.chunks.items()]
            )
            done = await self._scripts.stage(
                keys=[self._keys.state(claim.partition)],
                args=[claim.token, encode_manifest(manifest)],
            )
        if not done:
            raise Fenced(f"{claim.partition} was claimed by another worker meanwhile")

    async def promote(self, partition: Partition) -> bool:
        """Put a staged snapshot in place, fencing every claim; ``False`` if there is none."""
        (body,) = await self._fields(partition, "staged")
        if body is None:
            return False
        manifest = decode_manifest(body, partition)
        with unavailable():
            await self._scripts.promote(
                keys=[self._keys.state(partition)], args=[manifest.generation]
            )
        await self._sweep(partition)
        return True

    async def forget_all(self, partition: Partition) -> None:
        """Remove everything stored of a partition but its epoch: older claims stay fenced."""
        state = self._keys.state(partition)
        with unavailable():
            await self._redis.hset(state, mapping={"token": ""})
            await self._redis.hincrby(state, "epoch", 1)
            await self._redis.hdel(state, "manifest", "generation", "previous", "older", "staged")
        await self._sweep(partition)

    async def standing(self, partition: Partition) -> tuple[int, int]:
        """Return how often a partition was claimed, and its generation."""
        epoch, generation = await self._fields(partition, "epoch", "generation")
        if not all(number is None or number.isdigit() for number in (epoch, generation)):
            raise StoreCorrupt(f"the state of {partition} has no readable epoch or generation")
        return int(epoch or 0), int(generation or 0)

    # ---------------------------------------------------------------- pieces

    async def _fields(self, partition: Partition, *names: str) -> list[bytes | None]:
        with unavailable():
            fields = await self._redis.hmget(self._keys.state(partition), list(names))
        return [_bytes(field) for field in fields]

    async def _manifest(self, partition: Partition) -> Manifest | None:
        """Read the manifest, ``None`` when the partition was never saved."""
        generation, body = await self._fields(partition, "generation", "manifest")
        if generation is None and body is None:
            return None
        if generation is None or body is None or not generation.isdigit():
            raise StoreCorrupt(f"the state of {partition} lacks its generation or its manifest")
        manifest = decode_manifest(body, partition)
        if manifest.version < VERSION:
            return replace(manifest, generation=int(generation))
        if manifest.generation != int(generation):
            raise StoreCorrupt(
                f"the manifest of {partition} is of generation {manifest.generation}, "
                f"{int(generation)} is stored"
            )
        return manifest

    async def _before(self, partition: Partition) -> list[Manifest]:
        """Read the manifests that are kept of generations before the stored one.

        One that cannot be read is left out, and so dropped by the next checkpoint that keeps the
        others: it would be in the way of all that come.
        """
        generation, body, bodies = await self._fields(partition, "generation", "previous", "older")
        kept = [] if body is None else [body]
        with _left_out():
            kept += split_list(bodies, partition)
        found: list[Manifest] = []
        for one in kept:
            with _left_out():
                found.append(decode_manifest(one, partition))
        if found and found[0].version < VERSION:
            generation = generation if generation is not None and generation.isdigit() else b"1"
            found[0] = replace(found[0], generation=int(generation) - 1)
        return found

    async def _with_chunks(
        self, partition: Partition, manifest: Manifest, only: Sequence[str] = ()
    ) -> Stored:
        chunks: dict[str, bytes] = {}
        names = [name for name in manifest.chunks if not only or name.startswith(tuple(only))]
        for first in range(0, len(names), CHUNKS_AT_ONCE):
            part = names[first : first + CHUNKS_AT_ONCE]
            with unavailable():
                values = await self._redis.mget([manifest.chunks[name] for name in part])
            for name, value in zip(part, values, strict=True):
                data = _bytes(value)
                if data is None:
                    raise StoreCorrupt(f"chunk {name} of {partition} is missing from Redis")
                chunks[name] = data
        return Stored(
            manifest.generation, manifest.next_offset, manifest.log_id, chunks, manifest.progress
        )

    async def _write(self, partition: Partition, chunks: Sequence[tuple[str, bytes]]) -> None:
        for part in _groups(chunks):
            pipe = self._redis.pipeline(transaction=False)
            pipe.sadd(self._keys.chunks(partition), *(key for key, _ in part))
            for key, data in part:
                pipe.set(key, data)
            await pipe.execute()

    async def _sweep(self, partition: Partition) -> None:
        """Delete chunks that neither manifest names; none while one cannot be read."""
        with unavailable():
            known = await self._redis.smembers(self._keys.chunks(partition))
        names = ("manifest", "previous", "staged", "older")
        *bodies, older = await self._fields(partition, *names)
        try:
            kept = [decode_manifest(body, partition) for body in bodies if body is not None]
            kept += [decode_manifest(one, partition) for one in split_list(older, partition)]
        except (StoreCorrupt, StoreTooNew):
            return
        live = {key for manifest in kept for key in manifest.chunks.values()}
        written = {(_bytes(key) or b"").decode() for key in known}
        await self._forget(partition, sorted(written - live))

    async def _forget(self, partition: Partition, keys: Sequence[str]) -> None:
        if not keys:
            return
        with unavailable():
            pipe = self._redis.pipeline(transaction=False)
            pipe.execute_command("UNLINK", *keys)  # a cluster's own unlink waits for each slot
            pipe.srem(self._keys.chunks(partition), *keys)
            await pipe.execute()


def _groups(chunks: Sequence[tuple[str, bytes]]) -> Iterator[list[tuple[str, bytes]]]:
    """Put chunks together, in their order, to be written at once."""
    group: list[tuple[str, bytes]] = []
    size = 0
    for key, data in chunks:
        if group and size + len(data) > BYTES_AT_ONCE:
            yield group
            group, size = [], 0
        group.append((key, data))
        size += len(data)
    if group:
        yield group


@contextmanager
def _left_out() -> Iterator[None]:
    """Go on without an older manifest that cannot be read, and say so."""
    try:
        yield
    except (StoreCorrupt, StoreTooNew) as error:
        logger.warning("an older generation cannot be gone back to, and is let go: %s", error)


def _refused_token(claim: Claim, epoch: int) -> Fenced | RolledBack:
    if epoch < claim.epoch:  # epochs only rise
        return RolledBack(f"its newest claim is epoch {epoch}, ours was {claim.epoch}")
    return Fenced(f"epoch {claim.epoch} was followed by epoch {epoch}")


def _refused_generation(written: int, stored: int) -> GenerationMoved:
    return GenerationMoved(
        f"generation {stored} is stored where {written} was written last", stored
    )


def _bytes(value: bytes | str | None) -> bytes | None:
    """Return what Redis sent as the bytes it is: the client does not decode here."""
    return value.encode() if isinstance(value, str) else value
