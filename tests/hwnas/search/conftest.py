from functools import cached_property

import numpy as np
import pytest

from hwnas.accuracy import AccuracyEstimate, AccuracyEstimator
from hwnas.spaces import MBConvSpace, SearchSpace, Slot, every_network
from hwnas.spaces.mbconv.space import HSWISH_SE, RELU, Block, Preset, Stage
from latency_tables import LatencyModel, LatencyTable, Op, OpCost, Provenance, TableRow, Target


class ChainSpace(SearchSpace):
    """`genes` slots of `values` ops each; no modules, for nothing here builds a network."""

    name, input_shape, num_classes = "chain", (3, 8, 8), 2

    def __init__(self, genes=6, values=4):
        self.genes, self.values = genes, values

    @property
    def cardinalities(self):
        return (self.values,) * self.genes

    @cached_property
    def slots(self):
        return tuple(
            Slot((slot,), tuple((Op.of("op", (3, 8, 8), slot=slot, choice=choice),) for choice in range(self.values)))
            for slot in range(self.genes)
        )

    def build_op(self, op):
        raise NotImplementedError


class Additive(AccuracyEstimator):
    """Every choice of every slot is worth something of its own."""

    def __init__(self, space, seed=0):
        self.space = space
        rng = np.random.default_rng([seed, 1])
        self.worth = [rng.random(len(slot.options)) / len(space.slots) for slot in space.slots]

    def estimate(self, population):
        choices = self.space.slot_options(population)
        mean = sum(worth[column] for worth, column in zip(self.worth, choices.T, strict=True))
        return AccuracyEstimate(mean, np.full(len(mean), 0.01))


def _latency(space, seed=0):
    """A latency model whose table has made-up microseconds for every op of the space."""
    rng = np.random.default_rng([seed, 2])
    rows = tuple(TableRow(op, OpCost(0.1, 1, 1), median_us=float(rng.uniform(50, 500))) for op in space.all_ops)
    target = Target("cpu", "onnxruntime", "1", "fp32", 1, 1)
    provenance = Provenance(target, space.name, 350.0, "", {}, "2026-01-01", 1.0)
    return LatencyModel(LatencyTable(rows, provenance, b""), space)


@pytest.fixture(scope="session")
def chain():
    return ChainSpace


@pytest.fixture(scope="session")
def tiny_mbconv():
    blocks = tuple(Block(kind, expand, 3) for kind in (RELU, HSWISH_SE) for expand in (2, 3))
    stages = tuple(Stage(width, 2, (1, 2), blocks) for width in (8, 16))
    return MBConvSpace(Preset("tiny", 16, 8, 1, False, stages, head_width=32), num_classes=3)


@pytest.fixture(scope="session")
def additive():
    return Additive


@pytest.fixture(scope="session")
def latency():
    return _latency


@pytest.fixture(scope="session")
def enumerated():
    return every_network
