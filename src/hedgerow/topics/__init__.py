"""hedgerow.topics."""
