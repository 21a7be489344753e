"""What `import hwnas` shows of the room below: a lazy package can only pass on what stands in its own modules."""

from latency_tables import HwnasError, LatencyModel, MissingOpError, Op, ProfilerError, TableError, load_table
from latency_tables.additive import Slot

__all__ = ["HwnasError", "LatencyModel", "MissingOpError", "Op", "ProfilerError", "Slot", "TableError", "load_table"]
