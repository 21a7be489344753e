import numpy as np
import pytest
import torch

from hwnas.data import Dataset, Split
from hwnas.training import Batches


def ramp(n, size=8, mirror=False):
    """Image i: pixel value 10 * column + i in all channels and rows."""
    columns = 10 * np.arange(size)[None, None, None, :] + np.arange(n)[:, None, None, None]
    images = np.broadcast_to(columns, (n, 3, size, size)).astype(np.uint8)
    split = Split(np.ascontiguousarray(images), np.arange(n, dtype=np.int64))
    return Dataset("ramp", split, split, split, tuple(map(str, range(n))), mirror)


def pixels(batches, batch):
    """Back to 0..255."""
    mean, std = (torch.tensor(v).view(3, 1, 1) for v in batches.data.mean_std)
    return ((batch.images * std + mean) * 255).round().to(torch.int64)


def test_plain_batches_are_the_split_in_order_and_normalised(data):
    batches = Batches(data)
    got = list(batches.plain(data.train, size=20))
    assert [len(b.labels) for b in got] == [20, 20, 8]
    assert torch.cat([b.labels for b in got]).tolist() == data.train.labels.tolist()
    assert torch.equal(torch.cat([pixels(batches, b) for b in got]), torch.from_numpy(data.train.images).long())
    images = torch.cat([b.images for b in got])
    assert images.mean(dim=(0, 2, 3)).abs().max() < 1e-5
    assert (images.std(dim=(0, 2, 3), correction=0) - 1).abs().max() < 1e-5
    assert all(b.images.is_contiguous(memory_format=torch.channels_last) for b in got)


@pytest.mark.parametrize(
    ("limit", "sizes"), [(None, [20, 20, 8]), (25, [20, 5]), (20, [20]), (99, [20, 20, 8]), (0, [])]
)
def test_a_limit_is_kept_exactly(data, limit, sizes):
    assert [len(b.labels) for b in Batches(data).plain(data.train, size=20, limit=limit)] == sizes


def test_an_epoch_is_reproducible_and_each_is_different(batches):
    def labels(seed, epoch):
        return [b.labels.tolist() for b in batches.training(seed, epoch)]

    first, again = list(batches.training(1, 2)), list(batches.training(1, 2))
    assert all(torch.equal(a.images, b.images) for a, b in zip(first, again, strict=True))
    assert labels(1, 2) == labels(1, 2) != labels(1, 3)
    assert labels(1, 2) != labels(2, 2)


def test_an_epoch_holds_every_image_once():
    batches = Batches(ramp(12), 4)
    assert batches.steps_per_epoch() == 3
    assert sorted(label for b in batches.training(0, 0) for label in b.labels.tolist()) == list(range(12))
    assert Batches(ramp(10), 4).steps_per_epoch() == 2  # the last two wait for another epoch
    assert Batches(ramp(3), 4).steps_per_epoch() == 1
    assert [len(b.labels) for b in Batches(ramp(3), 4).training(0, 0)] == [3]


@pytest.mark.parametrize("mirror", [False, True])
def test_images_are_shifted_and_mirrored_and_nothing_else(mirror):
    batches, seen = Batches(ramp(12, mirror=mirror), 12), set()
    for epoch in range(8):
        for batch in batches.training(0, epoch):
            for image, label in zip(pixels(batches, batch), batch.labels.tolist(), strict=True):
                assert (image == image[0, 0]).all()  # rows and channels stay alike
                steps = image[0, 0].numpy() - label
                flipped = steps[0] > steps[-1]
                steps = steps[::-1] if flipped else steps
                shift = next(s for s in (-1, 0, 1) if (np.clip(np.arange(8) + s, 0, 7) * 10 == steps).all())
                seen.add((shift, bool(flipped)))
    assert seen == {(shift, flip) for shift in (-1, 0, 1) for flip in ([False, True] if mirror else [False])}
