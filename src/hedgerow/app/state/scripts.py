"""What Redis does in one call: the Lua behind every claim and every manifest that is put in place.

Before: `store` has written the chunks of a snapshot. After: its manifest stands, or nothing has
changed. The first key of each is a partition's ``state`` (`keys`), the first argument mostly the
token of a claim: with another one than is stored there, the call does nothing and says so.
"""

from __future__ import annotations

from redis.asyncio import Redis
from redis.commands.core import AsyncScript

CLAIM = """
if redis.call('HGET', KEYS[1], 'token') == ARGV[1] then
  return tonumber(redis.call('HGET', KEYS[1], 'epoch'))
end
redis.call('HSET', KEYS[1], 'token', ARGV[1])
return redis.call('HINCRBY', KEYS[1], 'epoch', 1)
"""

REFUSED_TOKEN, REFUSED_GENERATION = -1, -2

# An answer that was lost is asked for again: the same flip a second time succeeds.
FLIP = """
local held = redis.call('HMGET', KEYS[1], 'token', 'generation', 'epoch', 'manifest')
if held[1] ~= ARGV[1] then return {-1, tonumber(held[3] or '0') or -1} end
local generation = tonumber(held[2] or '0') or -1
if generation == ARGV[2] + 1 and held[4] == ARGV[3] then return {1, generation} end
if generation ~= tonumber(ARGV[2]) then return {-2, generation} end
if held[4] then redis.call('HSET', KEYS[1], 'previous', held[4]) end
redis.call('HSET', KEYS[1], 'generation', generation + 1, 'manifest', ARGV[3])
return {1, generation + 1}
"""

DROP_PREVIOUS = """
if redis.call('HGET', KEYS[1], 'token') ~= ARGV[1] then return 0 end
return redis.call('HDEL', KEYS[1], 'previous', 'older')
"""

RETIRE_PREVIOUS = """
if redis.call('HGET', KEYS[1], 'token') ~= ARGV[1] then return 0 end
redis.call('HSET', KEYS[1], 'older', ARGV[2])
return redis.call('HDEL', KEYS[1], 'previous')
"""

REVERT = """
if redis.call('HGET', KEYS[1], 'token') ~= ARGV[1] then return 0 end
redis.call('HSET', KEYS[1], 'generation', ARGV[2], 'manifest', ARGV[3], 'older', ARGV[4])
redis.call('HDEL', KEYS[1], 'previous')
return 1
"""

STAGE = """
if redis.call('HGET', KEYS[1], 'token') ~= ARGV[1] then return 0 end
redis.call('HSET', KEYS[1], 'staged', ARGV[2])
return 1
"""

# What was before belongs to other partitions: it must not be gone back to.
PROMOTE = """
local held = redis.call('HMGET', KEYS[1], 'staged', 'epoch')
if not held[1] then return 0 end
redis.call('HSET', KEYS[1], 'generation', ARGV[1], 'manifest', held[1], 'token', '')
redis.call('HINCRBY', KEYS[1], 'epoch', 1)
return redis.call('HDEL', KEYS[1], 'staged', 'previous', 'older')
"""


class Scripts:
    """The calls, registered with a client, which sends them once and then by their hashes.

    Parameters
    ----------
    client : Redis
        Connected to one database.
    """

    def __init__(self, client: Redis) -> None:
        self.claim: AsyncScript = client.register_script(CLAIM)
        self.flip: AsyncScript = client.register_script(FLIP)
        self.drop_previous: AsyncScript = client.register_script(DROP_PREVIOUS)
        self.retire_previous: AsyncScript = client.register_script(RETIRE_PREVIOUS)
        self.revert: AsyncScript = client.register_script(REVERT)
        self.stage: AsyncScript = client.register_script(STAGE)
        self.promote: AsyncScript = client.register_script(PROMOTE)
