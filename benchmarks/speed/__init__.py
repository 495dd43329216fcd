"""How fast the worker is, beside the raw floor and beside other engines: ``make bench``."""
