"""hedgerow.models."""
