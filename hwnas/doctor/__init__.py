"""What of this machine is fit to measure, and what is installed: one finding per check, with its fix."""
