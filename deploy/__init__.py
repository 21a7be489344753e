"""Export, and verification on the device."""
