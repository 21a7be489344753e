"""What was measured: rows, provenance, files, look-up, calibration. Needs numpy; pyarrow to read and write tables."""

from latency_tables.errors import HwnasError, MissingOpError, ProfilerError, TableError
from latency_tables.measurement import Measurement, Statistics, quiet_reference_us, summarise
from latency_tables.model.calibration import Calibration, MeasuredNetworks, fit_calibration
from latency_tables.model.features import Features
from latency_tables.model.model import LatencyModel, LatencyPrediction
from latency_tables.op import Op
from latency_tables.storage.files import load_table, save_table
from latency_tables.storage.journal import Journal, JournalError
from latency_tables.table import Coverage, LatencyTable, OpCost, Provenance, TableRow
from latency_tables.target import Target

__all__ = [
    "Calibration",
    "Coverage",
    "Features",
    "HwnasError",
    "Journal",
    "JournalError",
    "LatencyModel",
    "LatencyPrediction",
    "LatencyTable",
    "MeasuredNetworks",
    "Measurement",
    "MissingOpError",
    "Op",
    "OpCost",
    "ProfilerError",
    "Provenance",
    "Statistics",
    "TableError",
    "TableRow",
    "Target",
    "fit_calibration",
    "load_table",
    "quiet_reference_us",
    "save_table",
    "summarise",
]
