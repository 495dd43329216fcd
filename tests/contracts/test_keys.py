"""Whatever is written to Redis has a name that `app/state/keys.py` lists."""

from __future__ import annotations

import re
import uuid

from redis.asyncio import Redis

from hedgerow.agents.ports import Checkpoint, Partition
from hedgerow.app.console.asking import Asking
from hedgerow.app.console.looks import Whose
from hedgerow.app.console.reports import Report, Reports
from hedgerow.app.state import keys
from hedgerow.app.state.census import Census, RedisCensus
from hedgerow.app.state.keys import Keys
from hedgerow.app.state.store import RedisStateStore

PARTITION = Partition("topic", 3)


def listed() -> list[re.Pattern[str]]:
    """Return the names in the module's list; what is in capitals or after a dot may be anything."""
    names = re.findall(r"^ +(hedgerow:\S+)", keys.__doc__ or "", re.MULTILINE)
    return [
        re.compile(re.sub(r"TOKEN|SENSOR|QUANTITY|bank…|\b7\b", r"\\w+", re.escape(name)))
        for name in names
    ]


async def test_every_key_is_listed_and_every_listed_one_is_written(redis: Redis) -> None:
    group = uuid.uuid4().hex
    store = RedisStateStore(redis, prefix=group, group="group", keep=4)
    claim = await store.claim(PARTITION)
    await store.save(claim, Checkpoint(0, 1, ("meta",), {"meta": b"1"}))
    await store.save(claim, Checkpoint(1, 2, ("meta",), {"meta": b"2"}))
    await store.stage(claim, Checkpoint(2, 3, ("meta",), {"meta": b"3"}))
    await store.check_writable(claim)
    await RedisCensus(redis, prefix=group, group="group", topic="topic").write(Census(8))
    report = Report("w", 3, None, None, 0, 0.0, 2, None)
    await Reports(redis, prefix=group, group="group", topic="topic").write([report])
    asking = Asking(redis, prefix=group, group="group")
    await asking.ask(Whose(PARTITION, "sensor", "quantity"))
    await asking.answer([PARTITION], lambda *_: [])
    await asking.ask(Whose(PARTITION, "another", "quantity"))
    await redis.set(keys.doctor_key(group), b"1")
    written = [
        "hedgerow" + key.decode().removeprefix(group) async for key in redis.scan_iter(f"{group}:*")
    ]
    assert [key for key in written if not any(one.fullmatch(key) for one in listed())] == []
    assert [one for one in listed() if not any(map(one.fullmatch, written))] == []


def test_keys_of_a_partition_lie_in_one_slot() -> None:
    names = Keys("p", "g")
    tag = "{g:topic:3}"
    for key in (
        names.state(PARTITION),
        names.chunks(PARTITION),
        names.chunk(PARTITION, "t", 1, "meta"),
        names.writable(PARTITION),
        names.holder(PARTITION),
        names.asked(PARTITION),
        names.told(PARTITION, "sensor", "quantity"),
    ):
        assert key.startswith(f"p:{tag}:")
