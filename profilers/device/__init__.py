"""What a device reports: name, clocks, temperature, throttling, memory, energy; and how to keep it quiet."""
