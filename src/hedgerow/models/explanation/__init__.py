"""A forecast as a sum: which expert said what with what weight, and what each went by."""
