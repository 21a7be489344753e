"""The supernet as a source of accuracies: extract, recalibrate batch norm, measure on the validation split."""

from __future__ import annotations

import numpy as np
from torch import nn

from hwnas.accuracy._base import AccuracyEstimate, AccuracyEstimator
from hwnas.spaces import Genotype, Population
from hwnas.training.batches import Batches
from hwnas.training.evaluate import accuracy, recalibrate
from hwnas.training.supernet import Supernet

_CALIBRATION_IMAGES = 256


class SupernetAccuracy(AccuracyEstimator):
    """Validation accuracy of sub-networks with shared weights; the deviation is the binomial one."""

    def __init__(self, supernet: Supernet, batches: Batches):
        self.supernet, self.batches = supernet, batches
        data = batches.data
        self._calibration = list(batches.plain(data.train, limit=_CALIBRATION_IMAGES))
        self._validation = list(batches.plain(data.validation))

    def evaluate(self, arch: Genotype) -> float:
        """Validation accuracy of one network."""
        return accuracy(self.network(arch), self._validation)

    def network(self, arch: Genotype) -> nn.Module:
        """The network itself, its batch norm recalibrated."""
        network = self.supernet.extract(arch)
        recalibrate(network, self._calibration)
        return network

    def estimate(self, population: Population) -> AccuracyEstimate:
        """One network after the other."""
        mean = np.array([self.evaluate(arch) for arch in population])
        return AccuracyEstimate(mean, np.sqrt(mean * (1 - mean) / len(self.batches.data.validation)))
