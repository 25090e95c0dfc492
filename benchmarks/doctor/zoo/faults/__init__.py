"""The planted faults: one file an area, and `catalogue` with all of them."""
