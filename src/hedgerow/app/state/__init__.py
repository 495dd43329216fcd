"""Redis: snapshots with their offsets, and what commands do with them."""
