"""The parts of the benchmark, one file each: ``measure`` takes the tools, gives the figures."""
