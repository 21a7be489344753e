import numpy as np
import pytest

from hwnas.data import DataError, load_dataset
from hwnas.data.digits import load_digits

# scikit-learn's first image, a zero, in its 17 levels
FIRST = [
    [0, 0, 5, 13, 9, 1, 0, 0],
    [0, 0, 13, 15, 10, 15, 5, 0],
    [0, 3, 15, 2, 0, 11, 8, 0],
    [0, 4, 12, 0, 0, 8, 8, 0],
    [0, 5, 8, 0, 0, 9, 8, 0],
    [0, 4, 11, 0, 1, 12, 7, 0],
    [0, 2, 14, 5, 10, 12, 0, 0],
    [0, 0, 6, 13, 10, 0, 0, 0],
]


def test_shapes_and_classes():
    digits = load_digits()
    assert digits.train.images.shape == (899, 3, 32, 32)
    assert len(digits.train) + len(digits.validation) + len(digits.test) == 1797
    assert digits.classes == tuple("0123456789")
    assert not digits.mirror
    # 178 zeros: 89, 35.6, 53.4
    assert [int((s.labels == 0).sum()) for s in (digits.train, digits.validation, digits.test)] == [
        89,
        36,
        53,
    ]


def test_pixels_and_labels_by_hand():
    digits = load_digits(size=8)
    splits = (digits.train, digits.validation, digits.test)
    images = np.concatenate([split.images for split in splits])
    labels = np.concatenate([split.labels for split in splits])
    assert np.array_equal(images[:, 0], images[:, 1])
    assert np.array_equal(images[:, 0], images[:, 2])
    levels = np.array([0, 16, 32, 48, 64, 80, 96, 112, 128, 143, 159, 175, 191, 207, 223, 239, 255])
    (found,) = np.flatnonzero((images[:, 0] == levels[FIRST]).all(axis=(1, 2)))
    assert labels[found] == 0
    assert sorted(np.unique(images)) == levels.tolist()


def test_the_same_every_time():
    assert load_digits(size=8).digest == load_digits(size=8).digest


def test_limit_is_stratified():
    digits = load_dataset("digits", size=8, limit=100)
    assert [len(digits.train), len(digits.validation), len(digits.test)] == [50, 20, 30]
    assert np.bincount(digits.validation.labels).tolist() == [2] * 10


@pytest.mark.parametrize("options", [{"limit": 29}, {"limit": -1}, {"size": 0}, {"size": 100_000}])
def test_options_out_of_range(options):
    with pytest.raises(DataError, match=r"limit|image size"):
        load_digits(**options)
