"""The names of everything that is kept in Redis.

Before: the settings give ``redis.prefix`` and the group. After: `store`, `census`, the console and
the doctor read and write under these names and no others. Keys of a partition share a hash tag, so
that they live in one slot of a Redis Cluster::

    hedgerow:{group:topic:3}:state                hash: epoch, token, generation, manifest,
                                                  previous (the manifest before), older (a
                                                  list of those before that, where more are
                                                  to be kept), staged (one that a move of
                                                  series has made ready)
    hedgerow:{group:topic:3}:chunks               set: every chunk key ever written, until swept
    hedgerow:{group:topic:3}:chunk:TOKEN:7:bank…  one chunk, never overwritten
    hedgerow:{group:topic:3}:writable             for a second: whether writing works
    hedgerow:{group:topic:3}:holder               for 16 s: how the worker is that holds it
    hedgerow:{group:topic:3}:asked                for 15 s: the series that a console asks about
    hedgerow:{group:topic:3}:told:SENSOR/QUANTITY for 15 s: what the holder answered
    hedgerow:{group:topic}:census                 with how many partitions it was learned
    hedgerow:doctor                               for a second: whether writing works

The state of a group is its ``state``, ``chunks`` and ``census``, and the chunks they name: a copy
needs these. The rest comes again by itself.
"""

from __future__ import annotations

from dataclasses import dataclass

from hedgerow.agents.ports import Partition


def doctor_key(prefix: str) -> str:
    """Name what ``hedgerow doctor`` writes to see whether it may."""
    return f"{prefix}:doctor"


@dataclass(frozen=True, slots=True)
class Keys:
    """The names of one group's keys.

    Attributes
    ----------
    prefix, group : str
        First parts of every key.

    Examples
    --------
    >>> keys, partition = Keys("hedgerow", "city"), Partition("sensor-data", 3)
    >>> keys.state(partition)
    'hedgerow:{city:sensor-data:3}:state'
    >>> keys.chunk(partition, "5f0c", 7, "meta")
    'hedgerow:{city:sensor-data:3}:chunk:5f0c:7:meta'
    >>> keys.told(partition, "bridge-7", "speed")
    'hedgerow:{city:sensor-data:3}:told:bridge-7/speed'
    >>> keys.census("sensor-data")
    'hedgerow:{city:sensor-data}:census'
    """

    prefix: str
    group: str

    def state(self, partition: Partition) -> str:
        """Name who owns a partition, and its manifests."""
        return self._of(partition, "state")

    def chunks(self, partition: Partition) -> str:
        """Name the list of its chunks."""
        return self._of(partition, "chunks")

    def chunk(self, partition: Partition, token: str, attempt: int, name: str) -> str:
        """Name a chunk, by the claim and the attempt that wrote it."""
        return self._of(partition, f"chunk:{token}:{attempt}:{name}")

    def writable(self, partition: Partition) -> str:
        """Name what is written to see whether that works."""
        return self._of(partition, "writable")

    def holder(self, partition: Partition) -> str:
        """Name the report of the worker that holds a partition."""
        return self._of(partition, "holder")

    def asked(self, partition: Partition) -> str:
        """Name the questions about its series."""
        return self._of(partition, "asked")

    def told(self, partition: Partition, sensor_id: str, quantity: str) -> str:
        """Name the answer about one of its series."""
        return self._of(partition, f"told:{sensor_id}/{quantity}")

    def census(self, topic: str) -> str:
        """Name the census of a topic."""
        return f"{self.prefix}:{{{self.group}:{topic}}}:census"

    def _of(self, partition: Partition, name: str) -> str:
        return f"{self.prefix}:{{{self.group}:{partition.topic}:{partition.number}}}:{name}"
