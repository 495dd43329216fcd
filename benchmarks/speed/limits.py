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
        each fetched record; a half of a small step. Not tried: a report for the last
        record of each partition only, the partition chosen by us and gaps forbidden.""",
    "latency": """
        **Latency.** Broker, load, worker and the consumer that measures share two
        hardware threads, and want 1.2 of them in this part: whoever is to run next waits
        for another's turn, and a step of few readings takes two to three times as long as
        on a free core. Reckoned, the load's own linger is 2.5 ms of a reading's way, the
        time until the next fetch 5, its step with all that came beside it 4; the rest is
        the broker, twice, and turns. Taken off, from 29 and 75 ms: the small
        batches of a fetch are stepped in one unit and their outputs written at once, so
        that a fetch may come every 10 ms instead of 20, and outputs need not linger for
        each other; a fixed cost of a step of 230 µs, 130 now. Tried: 5 and 7 ms between
        fetches, a shorter switch interval of the interpreter, delivery reports taken
        every 20 ms instead of one by one: no gain beyond the noise.""",
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
