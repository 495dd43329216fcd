"""The parts of the benchmark, one file each: ``measure`` takes the tools, ``section`` writes."""
