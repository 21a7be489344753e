"""What rooms of hwnas share: tiny spaces, tiny data."""

from functools import cached_property

import numpy as np
import pytest
import torch
from torch import nn

from hwnas.data import Dataset, Split
from hwnas.spaces import MBConvSpace, SearchSpace, Slot
from hwnas.spaces.mbconv.space import FUSED, HSWISH_SE, RELU, Block, Preset, Stage
from hwnas.training import Batches
from latency_tables import Op


class ConvSpace(SearchSpace):
    """Three plain convolutions, each of one of three kernels, and a head: all that a space of your own needs."""

    name, input_shape, num_classes = "conv", (3, 32, 32), 10
    cardinalities = (3, 3, 3, 1)

    @cached_property
    def slots(self):
        slots, channels, size = [], 3, 32
        for out in (16, 32, 64):
            ops = [Op.of("conv", (channels, size, size), out=out, kernel=kernel) for kernel in (1, 3, 5)]
            slots.append(Slot((len(slots),), tuple((op,) for op in ops)))
            channels, size = out, size // 2
        head = Op.of("head", (channels, size, size), classes=self.num_classes)
        return (*slots, Slot((len(slots),), ((head,),)))

    def build_op(self, op):
        channels = op.in_shape[0]
        if op.kind == "head":
            return nn.Sequential(nn.AdaptiveAvgPool2d(1), nn.Flatten(), nn.Linear(channels, op["classes"]))
        return nn.Sequential(nn.Conv2d(channels, op["out"], op["kernel"], 2, op["kernel"] // 2), nn.ReLU())

    def weight_source(self, op):
        return Op.of("conv", op.in_shape, out=op["out"], kernel=5) if op.kind == "conv" else op


@pytest.fixture(scope="session")
def conv_space():
    return ConvSpace


@pytest.fixture(scope="session")
def tiny_space():
    blocks = tuple(Block(kind, expand, kernel) for kind in (RELU, HSWISH_SE) for expand in (2, 3) for kernel in (3, 5))
    stages = tuple(Stage(width, 2, (1, 2), (*blocks, Block(FUSED, 3, 3))) for width in (8, 16))
    return MBConvSpace(Preset("tiny", 16, 8, 1, True, stages, head_width=32, mix_width=24), num_classes=3)


@pytest.fixture(scope="session")
def randomise_batch_norm():
    """Statistics far from 0 and 1, so that folding them wrongly shows."""

    def randomise(module, seed=0):
        generator = torch.Generator().manual_seed(seed)
        with torch.no_grad():
            for layer in module.modules():
                if isinstance(layer, nn.BatchNorm2d):
                    for tensor, low, high in (
                        (layer.running_mean, -0.5, 0.5),
                        (layer.running_var, 0.5, 2.0),
                        (layer.weight, 0.5, 1.5),
                        (layer.bias, -0.5, 0.5),
                    ):
                        if tensor is not None:
                            tensor.uniform_(low, high, generator=generator)
        return module

    return randomise


@pytest.fixture
def rng():
    return np.random.default_rng(0)


class _WithoutDropout(MBConvSpace):
    def build_op(self, op):
        module = super().build_op(op)
        for layer in module.modules():
            if isinstance(layer, nn.Dropout):
                layer.p = 0.0
        return module


def _preset():
    blocks = tuple(Block(kind, expand, kernel) for kind in (RELU, HSWISH_SE) for expand in (2, 3) for kernel in (3, 5))
    stages = tuple(Stage(width, 2, (1, 2), (*blocks, Block(FUSED, 2, 3))) for width in (8, 16))
    return Preset("tiny", 16, 8, 1, False, stages, head_width=32)


def chain_of_blocks():
    return MBConvSpace(_preset(), num_classes=3)


@pytest.fixture(scope="session")
def space():
    return chain_of_blocks()


@pytest.fixture(scope="session")
def still_space():
    """The same space without dropout."""
    return _WithoutDropout(_preset(), num_classes=3)


def _split(rng, n):
    """Class 0 is bright on the left, class 1 on the right, class 2 in the middle rows."""
    labels = np.arange(n, dtype=np.int64) % 3
    images = rng.integers(0, 120, (n, 3, 16, 16))
    for image, label in zip(images, labels, strict=True):
        image[[np.s_[:, :, :6], np.s_[:, :, 10:], np.s_[:, 6:10]][label]] += 120
    return Split(images.astype(np.uint8), labels)


def three_classes():
    rng = np.random.default_rng(0)
    return Dataset("tiny", _split(rng, 48), _split(rng, 30), _split(rng, 30), ("left", "right", "middle"), mirror=False)


@pytest.fixture(scope="session")
def data():
    return three_classes()


@pytest.fixture(scope="session")
def batches(data):
    return Batches(data, 16)
