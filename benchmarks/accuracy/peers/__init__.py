"""What others offer, each behind one function: a series in, a forecast for each horizon out."""
