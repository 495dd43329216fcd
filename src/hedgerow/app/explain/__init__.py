"""What ``hedgerow explain`` does: a state, the log after it, and a forecast as a sum."""
