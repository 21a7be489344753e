"""RegNet's AnyNetX."""
