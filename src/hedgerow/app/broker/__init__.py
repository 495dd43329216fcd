"""Kafka: readings in by batches, outputs out, topics looked after."""
