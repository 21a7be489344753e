"""A table from a handful of whole-network timings."""
