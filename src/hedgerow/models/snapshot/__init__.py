"""A learner as bytes and back, also for other partitions."""
