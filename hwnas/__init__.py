"""Hardware-aware neural architecture search with measured latency tables."""
