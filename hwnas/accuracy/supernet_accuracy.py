"""The supernet as a source of accuracies: extract, recalibrate batch norm, measure on the validation split."""

from __future__ import annotations

from collections.abc import Iterator

import numpy as np
import torch
from torch import nn

from hwnas.accuracy._base import AccuracyEstimate, AccuracyEstimator
from hwnas.spaces import Genotype, Population
from hwnas.training.batches import Batches
from hwnas.training.evaluate import recalibrate
from hwnas.training.evaluate_many import NetworkScore, score_each
from hwnas.training.supernet import Supernet

_CALIBRATION_IMAGES = 256


class SupernetAccuracy(AccuracyEstimator):
    """Validation accuracy of sub-networks with shared weights; the deviation is the binomial one."""

    def __init__(self, supernet: Supernet, batches: Batches, device: torch.device | None = None):
        self.supernet, self.batches, self._device = supernet, batches, device or torch.device("cpu")
        data = batches.data
        self._calibration = list(batches.plain(data.train, limit=_CALIBRATION_IMAGES, device=self._device))
        self._validation = list(batches.plain(data.validation, device=self._device))

    def of(self, score: NetworkScore) -> float:
        """What of a network's score is its answer."""
        return score.accuracy

    def evaluate(self, arch: Genotype) -> float:
        """The answer for one network."""
        return float(self.estimate(arch[None]).mean[0])

    def network(self, arch: Genotype) -> nn.Module:
        """The network itself, its batch norm recalibrated."""
        network = self.supernet.extract(arch).to(self._device)
        recalibrate(network, self._calibration)
        return network.cpu()

    def each(self, population: Population) -> Iterator[tuple[int, float, float]]:
        """One network after the other, those with the same first ops together: what these compute is computed once."""
        images = len(self.batches.data.validation)
        for index, score in score_each(self.supernet, population, self._calibration, self._validation):
            mean = self.of(score)
            yield index, mean, float(np.sqrt(mean * (1 - mean) / images))

    def scores(self, population: Population) -> list[NetworkScore]:
        """All that is known of genotypes [n, genes]."""
        found = dict(score_each(self.supernet, population, self._calibration, self._validation))
        return [found[index] for index in range(len(population))]

    def estimate(self, population: Population) -> AccuracyEstimate:
        """The answers for genotypes [n, genes]."""
        mean, std = np.zeros(len(population)), np.zeros(len(population))
        for index, *answer in self.each(population):
            mean[index], std[index] = answer
        return AccuracyEstimate(mean, std)


class SupernetProbability(SupernetAccuracy):
    """Mean probability of the true class on the validation split, in place of accuracy.

    It ranks networks more reliably where images are few; the deviation, the binomial one, is an upper bound.
    """

    def of(self, score: NetworkScore) -> float:
        """The probability, in 0..1."""
        return score.true_class_probability
