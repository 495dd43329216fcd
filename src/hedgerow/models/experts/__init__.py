"""Who forecasts: the experts, what they see and how each learns."""
