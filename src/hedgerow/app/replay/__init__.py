"""Files of readings, read and sent to a topic."""
