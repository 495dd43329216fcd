"""hedgerow.agents."""
