"""Accuracy estimators: tabular, zero-cost, supernet, trained, and predictors fitted on them."""

from hwnas.accuracy._base import AccuracyEstimate, AccuracyEstimator, Predictor
from hwnas.accuracy.journaled import Journaled
from hwnas.accuracy.predictors import AdditiveGaussianProcess, GaussianProcessPredictor
from hwnas.accuracy.supernet_accuracy import SupernetAccuracy
from hwnas.accuracy.tabular import TabularBenchmark
from hwnas.accuracy.trained import TrainedAccuracy

__all__ = [
    "AccuracyEstimate",
    "AccuracyEstimator",
    "AdditiveGaussianProcess",
    "GaussianProcessPredictor",
    "Journaled",
    "Predictor",
    "SupernetAccuracy",
    "TabularBenchmark",
    "TrainedAccuracy",
]
