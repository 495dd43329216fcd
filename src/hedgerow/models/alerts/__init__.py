"""What is worth a word: anomalies, drift, bounds, stuck and silent series."""
