"""hedgerow: online learning on a city's sensor streams."""
