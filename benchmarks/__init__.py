"""Measurements we publish: `python -m benchmarks.NAME --help`."""
