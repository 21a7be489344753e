"""Sums of tables over a few genes each: what they are made of, looked up fast, searched exactly."""
