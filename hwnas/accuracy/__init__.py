"""Accuracy estimators: the supernet, predictors fitted on it, and the training they need."""

from hwnas.accuracy._base import AccuracyEstimate, AccuracyEstimator, Predictor
from hwnas.accuracy.batches import Batch, Batches
from hwnas.accuracy.checkpoint import Checkpoint, CheckpointError, load_checkpoint, load_weights, save_checkpoint
from hwnas.accuracy.numerics import Numerics
from hwnas.accuracy.predictors import AdditiveGaussianProcess, GaussianProcessPredictor
from hwnas.accuracy.supernet import Supernet, accuracy, likelihood, recalibrate
from hwnas.accuracy.supernet_accuracy import SupernetAccuracy
from hwnas.accuracy.tabular import TabularBenchmark
from hwnas.accuracy.trained import TrainedAccuracy
from hwnas.accuracy.training import Curve, Recipe, train_network, train_supernet, trained_weights

__all__ = [
    "AccuracyEstimate",
    "AccuracyEstimator",
    "AdditiveGaussianProcess",
    "Batch",
    "Batches",
    "Checkpoint",
    "CheckpointError",
    "Curve",
    "GaussianProcessPredictor",
    "Numerics",
    "Predictor",
    "Recipe",
    "Supernet",
    "SupernetAccuracy",
    "TabularBenchmark",
    "TrainedAccuracy",
    "accuracy",
    "likelihood",
    "load_checkpoint",
    "load_weights",
    "recalibrate",
    "save_checkpoint",
    "train_network",
    "train_supernet",
    "trained_weights",
]
