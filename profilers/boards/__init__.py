"""Devices without torch: a kit in one file, measured where it is carried or by ssh, and its results read back."""
