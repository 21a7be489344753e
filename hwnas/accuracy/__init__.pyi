from ._base import AccuracyEstimate as AccuracyEstimate
from ._base import AccuracyEstimator as AccuracyEstimator
from ._base import Predictor as Predictor
from .predictors import AdditiveGaussianProcess as AdditiveGaussianProcess
from .predictors import GaussianProcessPredictor as GaussianProcessPredictor
from .supernet_accuracy import SupernetAccuracy as SupernetAccuracy
from .tabular import TabularBenchmark as TabularBenchmark
from .trained import TrainedAccuracy as TrainedAccuracy
