"""Sums of tables over a few genes each: made of slots, looked up at the speed of memory, searched exactly."""

from latency_tables.additive.factors import Factors, NotSeparable
from latency_tables.additive.hinged import Hinge, Hinged
from latency_tables.additive.slots import Slot, Slots

__all__ = ["Factors", "Hinge", "Hinged", "NotSeparable", "Slot", "Slots"]
