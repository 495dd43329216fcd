"""The fuzzers are programs, not tests; `make fuzz` runs them."""

collect_ignore = ["codec.py", "run.py", "snapshot.py"]
