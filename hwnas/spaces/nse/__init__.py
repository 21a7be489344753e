"""Evolving search spaces (NSE): places that take any subset of a pool of branches."""
