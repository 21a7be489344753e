"""Predictors of accuracy from genotypes, one family a file."""

from hwnas.accuracy.predictors._differentiable import DifferentiablePredictor
from hwnas.accuracy.predictors._ensemble import Fitting, FreeLabels
from hwnas.accuracy.predictors._ranks import ConstantLabelsWarning, NormalScores, RankPredictor
from hwnas.accuracy.predictors.additive import AdditivePredictor
from hwnas.accuracy.predictors.additive_gp import AdditiveGaussianProcess
from hwnas.accuracy.predictors.automatic import AutomaticPredictor
from hwnas.accuracy.predictors.gaussian_process import GaussianProcessPredictor
from hwnas.accuracy.predictors.gcn import GCNEnsemble
from hwnas.accuracy.predictors.linear import RidgePredictor
from hwnas.accuracy.predictors.mlp import MLPEnsemble
from hwnas.accuracy.predictors.trees import GradientBoostingPredictor, RandomForestPredictor

__all__ = [
    "AdditiveGaussianProcess",
    "AdditivePredictor",
    "AutomaticPredictor",
    "ConstantLabelsWarning",
    "DifferentiablePredictor",
    "Fitting",
    "FreeLabels",
    "GCNEnsemble",
    "GaussianProcessPredictor",
    "GradientBoostingPredictor",
    "MLPEnsemble",
    "NormalScores",
    "RandomForestPredictor",
    "RankPredictor",
    "RidgePredictor",
]
