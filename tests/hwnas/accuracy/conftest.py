import numpy as np
import pytest
from torch import nn

from hwnas.accuracy import Batches
from hwnas.data import Dataset, Split
from hwnas.spaces import MBConvSpace
from hwnas.spaces.mbconv import FUSED, HSWISH_SE, RELU, Block, Preset, Stage


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


@pytest.fixture(scope="session")
def space():
    return MBConvSpace(_preset(), num_classes=3)


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


@pytest.fixture(scope="session")
def data():
    rng = np.random.default_rng(0)
    return Dataset("tiny", _split(rng, 48), _split(rng, 30), _split(rng, 30), ("left", "right", "middle"), mirror=False)


@pytest.fixture(scope="session")
def batches(data):
    return Batches(data, 16)
