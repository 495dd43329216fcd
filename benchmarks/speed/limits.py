"""What stands in the way of the figures that were not reached, and what was tried."""

from __future__ import annotations

from benchmarks.speed.goals import PRESET, Parts, missed
from benchmarks.speed.table import blocks

# By part: what its missed goals have in common.
TRIED = {
    "throughput": """
        **Rate and ratios.** This host's speed differs by a third from hour to hour; the
        floor of the same run tells how it was. The others cost less on this machine than
        on the one the goals were set on: there River took 383 µs a reading in a plain
        loop. Ours would have to cost less than the raw floor for some of them. Taken off:
        a compiled writer of predictions, records handed on as aiokafka parsed them,
        copies and small numpy calls of a step. What is left is what the profile below
        shows.""",
    "profile": """
        **All but the kernel.** A third of it is what the floor has too (librdkafka's
        threads, fetching). Of the rest the most is writing 13 numbers a reading in their
        shortest decimal form, and a Python call for each delivery report; without the
        reports nobody could tell when the outputs before an offset have arrived. Taken
        off: half of what writing a prediction took, by a compiled writer; the copy of
        each fetched record; a quarter of a small step.""",
    "latency": """
        **Latency.** Broker, load, worker and the consumer that measures share two
        hardware threads, and a step of few readings takes two to three times as long
        there as on a free core: caches are cold, the other thread busy. Of 28 ms in the
        median of a traced run, 17 went by until a fetch had the reading (the load's
        linger, the broker, half of 20 ms between fetches), 6 behind the other partitions
        of that fetch, 1.3 in its own batch's step (1.0 of CPU, for 27 readings), 3 until
        the broker had acknowledged the prediction. Taken off: fetches at a pace, so that
        what comes is fresh; one Faust message for a fetch; a quarter of a small step.
        Tried: `kafka.linger_ms` = 1 takes off 3 ms, for more requests and CPU; 10 and 5 ms
        between fetches make it 40 and 31 ms, since the loop cannot follow; 30 ms between
        them and a shorter switch interval of the interpreter gained nothing. Not tried:
        one step over all partitions of a fetch.""",
    "scale": """
        **Many series.** Taking over is reading the state from Redis, checking and copying
        it, 1.6 GB for 100,000 series: the interpreter holds one thread while another
        copies, and new memory has to be got from the host. Taken off: half of the
        checksum's time, blank rows that were overwritten, waiting for the last partition
        before the first one goes on. What a reading costs grows because a row of 16 KB is
        no longer in any cache; the next reading's row is fetched ahead.""",
    "checkpoints": """
        **Checkpoints.** A slice of a copy is a megabyte, or one row; what is longer was
        the host's, or another process's turn.""",
}


def limits(parts: Parts) -> list[str]:
    """Write of every part with a figure that was not reached what is known about it.

    Returns
    -------
    list of str
        A section, or none where all was reached.
    """
    found = dict.fromkeys(goal.part for goal in missed(parts))
    if not found:
        return []
    texts = [TRIED.get(part, f"**{part}.** Nothing was tried yet.") for part in found]
    return [blocks(f"What was not reached (`{PRESET}`), and what was tried", *texts)]
