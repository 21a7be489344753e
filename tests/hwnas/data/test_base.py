import dataclasses

import numpy as np
import pytest

from hwnas.data import DataError, Dataset, Split
from latency_tables.errors import HwnasError


def split(*greys):
    images = np.stack([np.full((3, 2, 2), grey, np.uint8) for grey in greys])
    return Split(images, np.arange(len(greys)) % 2)


@pytest.fixture
def dataset():
    return Dataset("d", split(0, 255), split(7, 9), split(1, 2, 3), ("a", "b"), True)


def test_sizes(dataset):
    assert (len(dataset.train), len(dataset.test), dataset.num_classes, dataset.size) == (2, 3, 2, 2)


def test_mean_std_of_black_and_white_is_a_half_each(dataset):
    mean, std = dataset.mean_std
    assert mean.tolist() == [0.5] * 3
    assert std.tolist() == [0.5] * 3
    assert mean.dtype == std.dtype == np.float32


def test_mean_std_is_per_channel_and_floored():
    images = np.zeros((2, 3, 1, 1), np.uint8)
    images[:, 0] = 51  # constant: 0.2, std 0 -> the floor
    images[1, 1] = 51  # 0 and 51: mean 0.1, std 0.1
    one = Split(images, np.array([0, 1]))
    mean, std = Dataset("d", one, one, one, ("a", "b"), False).mean_std
    np.testing.assert_allclose(mean, [0.2, 0.1, 0], rtol=1e-6)
    np.testing.assert_allclose(std, [1e-3, 0.1, 1e-3], rtol=1e-6)


def test_mean_std_over_several_blocks_equals_numpy():
    images = np.random.default_rng(0).integers(0, 256, (2500, 3, 2, 2), dtype=np.uint8)
    one = Split(images, np.zeros(2500, np.int64))
    mean, std = Dataset("d", one, one, one, ("a",), False).mean_std
    np.testing.assert_allclose(mean, (images / 255).mean(axis=(0, 2, 3)), rtol=1e-6)
    np.testing.assert_allclose(std, (images / 255).std(axis=(0, 2, 3)), rtol=1e-6)


def test_digest_is_of_the_contents_not_of_the_name(dataset):
    assert len(dataset.digest) == 64
    assert dataclasses.replace(dataset, name="other").digest == dataset.digest
    assert dataclasses.replace(dataset, train=split(0, 255)).digest == dataset.digest


@pytest.mark.parametrize(
    "change",
    [
        {"train": split(0, 254)},
        {"test": split(1, 2)},
        {"validation": Split(split(7, 9).images, np.array([1, 0]))},
        {"train": split(0, 255, 7), "validation": split(9)},
        {"classes": ("a", "c")},
        {"mirror": False},
    ],
)
def test_digest_tells_data_apart(dataset, change):
    assert dataclasses.replace(dataset, **change).digest != dataset.digest


def test_digest_of_a_view_is_that_of_its_copy(dataset):
    view = Split(split(0, 1, 255, 1).images[::2], np.array([0, 1]))
    assert dataclasses.replace(dataset, train=view).digest == dataset.digest


@pytest.mark.parametrize(
    ("images", "labels"),
    [
        (np.zeros((2, 3, 4, 4), np.float32), np.zeros(2, np.int64)),
        (np.zeros((2, 4, 4, 3), np.uint8), np.zeros(2, np.int64)),
        (np.zeros((2, 3, 4, 4), np.uint8), np.zeros(3, np.int64)),
        (np.zeros((2, 3, 4, 4), np.uint8), np.zeros(2, np.int32)),
    ],
)
def test_split_refuses_other_arrays(images, labels):
    with pytest.raises(ValueError, match="not "):
        Split(images, labels)


def test_data_errors_are_the_users():
    assert issubclass(DataError, HwnasError)
