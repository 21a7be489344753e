"""From a table and a calibration to the milliseconds of any network, with an interval."""

from latency_tables.model.agreement import Agreement
from latency_tables.model.calibration import Calibration, MeasuredNetworks, fit_calibration
from latency_tables.model.features import Features
from latency_tables.model.model import LatencyModel, LatencyPrediction

__all__ = [
    "Agreement",
    "Calibration",
    "Features",
    "LatencyModel",
    "LatencyPrediction",
    "MeasuredNetworks",
    "fit_calibration",
]
