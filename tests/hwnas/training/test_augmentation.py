import numpy as np
import pytest
import torch
from PIL import Image

from hwnas.training.augmentation import UNIFORMS, Augmentation
from hwnas.training.mixing import mixed
from hwnas.training.trivial import operations, trivially_augmented


def ramp(size=8):
    return np.broadcast_to(10 * np.arange(size, dtype=np.uint8), (1, 3, size, size))


def uniforms(**chosen):
    names = ("row", "column", "mirror", "op", "level", "sign", "area", "aspect", "left", "top")
    assert len(names) == UNIFORMS
    return np.array([[chosen.get(name, 0.5) for name in names]])


def first_row(how, allowed=False, **chosen):
    return how.apply(ramp(), uniforms(**chosen), allowed)[0, 0, 0].tolist()


def test_shift_and_mirror_by_hand():
    how = Augmentation()
    assert first_row(how) == [0, 10, 20, 30, 40, 50, 60, 70]
    assert first_row(how, column=0.0) == [0, 0, 10, 20, 30, 40, 50, 60]
    assert first_row(how, column=0.99) == [10, 20, 30, 40, 50, 60, 70, 70]
    assert first_row(how, allowed=True, mirror=0.6) == [0, 10, 20, 30, 40, 50, 60, 70]
    mirrored = [70, 60, 50, 40, 30, 20, 10, 0]
    assert first_row(how, allowed=True, mirror=0.4) == mirrored
    assert first_row(how, allowed=False, mirror=0.4) == mirrored[::-1]
    assert first_row(Augmentation(mirror=True), allowed=False, mirror=0.4) == mirrored
    assert first_row(Augmentation(mirror=False), allowed=True, mirror=0.4) == mirrored[::-1]
    assert first_row(Augmentation(shift=False), allowed=True, mirror=0.4, column=0.0) == mirrored


def test_boxes_by_hand():
    assert Augmentation().boxes(uniforms()) is None
    how = Augmentation(resized_crop=True)
    # area .08 + .5 * .92 = .54, aspect sqrt(3/4 * 4/3) = 1: a square of side .7348, in the middle
    side = 0.54**0.5
    np.testing.assert_allclose(how.boxes(uniforms()), [[(1 - side) / 2] * 2 + [(1 + side) / 2] * 2])
    width, height = (0.54 * 4 / 3) ** 0.5, (0.54 * 3 / 4) ** 0.5
    np.testing.assert_allclose(how.boxes(uniforms(aspect=1.0, left=0.0, top=1.0)), [[0, 1 - height, width, 1]])
    np.testing.assert_allclose(
        how.boxes(uniforms(area=1.0, aspect=1.0)), [[0, (1 - 0.75**0.5) / 2, 1, (1 + 0.75**0.5) / 2]]
    )
    boxes = how.boxes(np.random.default_rng(0).random((1000, UNIFORMS)))
    assert boxes.min() >= 0
    assert boxes.max() <= 1 + 1e-12


def image(*values):
    """One row of grey values."""
    return Image.fromarray(np.repeat(np.array([values], np.uint8)[..., None], 3, axis=2))


def applied(name, level, *values):
    return np.asarray(operations()[name](image(*values), level))[..., 0].ravel().tolist()


@pytest.mark.parametrize(
    ("name", "level", "given", "expected"),
    [
        ("identity", 1.0, [0, 9], [0, 9]),
        ("translate_x", 1 / 32, [1, 2, 3], [2, 3, 0]),
        ("translate_x", -1 / 32, [1, 2, 3], [0, 1, 2]),
        ("brightness", -1.0, [100, 200], [1, 2]),
        ("brightness", 0.0, [100, 200], [100, 200]),
        ("posterize", 1.0, [255, 127, 63], [192, 64, 0]),
        ("posterize", 0.0, [255, 127, 63], [255, 127, 63]),
        ("solarize", 0.5, [100, 128, 200], [100, 127, 55]),
        ("solarize", -0.5, [100, 128, 200], [100, 127, 55]),
        ("autocontrast", 0.3, [50, 100, 150], [0, 127, 255]),
    ],
)
def test_operations_by_hand(name, level, given, expected):
    assert applied(name, level, *given) == expected


def test_rotation_by_a_right_angle():
    square = Image.fromarray(np.array([[1, 2], [3, 4]], np.uint8))
    turned = operations()["rotate"](square, 90 / 135)
    assert np.asarray(turned).tolist() == [[2, 4], [1, 3]]


def test_the_numbers_choose_operation_level_and_sign():
    images = np.random.default_rng(0).integers(0, 256, (28, 3, 32, 32), dtype=np.uint8)
    ops = list(operations())
    assert len(ops) == 14
    chosen = np.array([[(i % 14 + 0.5) / 14, 0.999, 0.4 if i < 14 else 0.6] for i in range(28)])
    changed = trivially_augmented(images, chosen)
    for i in range(28):
        whole = Image.fromarray(images[i].transpose(1, 2, 0))
        expected = np.asarray(operations()[ops[i % 14]](whole, -1.0 if i < 14 else 1.0)).transpose(2, 0, 1)
        assert np.array_equal(changed[i], expected)
    none = trivially_augmented(images[:1], np.array([[4.5 / 14, 0.01, 0.9]]))  # translated by level 0
    assert np.array_equal(none, images[:1])


class Drawn:
    """A random generator that says what it is told."""

    def __init__(self, share, *centre, coin=0.0):
        self.share, self.centre, self.coin = share, list(centre), coin

    def random(self):
        return self.coin

    def beta(self, a, b):
        self.alpha = a
        return self.share

    def integers(self, most):
        return self.centre.pop(0)


def batch():
    images = torch.arange(3.0).view(3, 1, 1, 1).expand(3, 3, 4, 4).contiguous(memory_format=torch.channels_last)
    return images, torch.tensor([0, 1, 1])


def test_mixup_by_hand():
    images, labels, targets = mixed(*batch(), 2, Augmentation(mixup=0.2), Drawn(0.75))
    assert images[:, 0, 0, 0].tolist() == [0.25, 0.75, 2]  # the odd one stays
    assert labels.tolist() == [0, 1, 1]
    assert targets.tolist() == [[0.75, 0.25], [0.25, 0.75], [0, 1]]
    assert images.is_contiguous(memory_format=torch.channels_last)


def test_cutmix_by_hand():
    images, _, targets = mixed(*batch(), 2, Augmentation(cutmix=1.0), Drawn(0.75, 0, 2))
    # a box of side 4 * sqrt(.25) = 2 around row 0, column 2: rows 0 to 0, columns 1 to 2, two of 16 pixels
    assert images[0, 0].tolist() == [[0, 1, 1, 0], [0] * 4, [0] * 4, [0] * 4]
    assert images[1, 0].tolist() == [[1, 0, 0, 1], [1] * 4, [1] * 4, [1] * 4]
    assert targets.tolist() == [[0.875, 0.125], [0.125, 0.875], [0, 1]]
    assert images.is_contiguous(memory_format=torch.channels_last)


def test_with_both_a_coin_decides():
    how = Augmentation(mixup=0.2, cutmix=1.0)
    for coin, alpha in ((0.4, 1.0), (0.6, 0.2)):
        drawn = Drawn(0.5, 0, 0, coin=coin)
        mixed(*batch(), 2, how, drawn)
        assert drawn.alpha == alpha


@pytest.mark.parametrize("wrong", [{"mixup": -0.1}, {"cutmix": float("inf")}, {"mixup": float("nan")}])
def test_alphas_out_of_range(wrong):
    with pytest.raises(ValueError, match="not 0 or more"):
        Augmentation(**wrong)
