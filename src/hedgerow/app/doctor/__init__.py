"""Looks at everything a worker leans on and says what to do about it."""
