"""Checks on any cluster that what was published is what should have been."""
