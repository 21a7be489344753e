"""Spaces that evolve: a part of a huge space, of which the best survives and the rest makes room (NSE)."""
