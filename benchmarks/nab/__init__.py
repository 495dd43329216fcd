"""The Numenta Anomaly Benchmark, scored by our own code: ``python -m benchmarks.nab``."""
