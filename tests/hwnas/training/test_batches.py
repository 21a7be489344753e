import multiprocessing
import os
from dataclasses import replace

import numpy as np
import pytest
import torch
from PIL import Image

from hwnas.data import DataError, Dataset, ImageOptions, Split, load_dataset
from hwnas.data._source import StreamedSplit
from hwnas.data.folder import load_folder
from hwnas.training import Augmentation, Batch, Batches


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


@pytest.fixture(scope="module")
def digits():
    """The same images in memory and streamed."""
    return [load_dataset("digits", size=8, limit=200, stream=stream) for stream in (False, True)]


def same(one, other):
    return all(
        torch.equal(a.images, b.images) and torch.equal(a.labels, b.labels) and torch.equal(a.targets, b.targets)
        for a, b in zip(one, other, strict=True)
    )


EVERYTHING = Augmentation(mirror=True, trivial=True, mixup=0.2, cutmix=1.0)


def test_workers_give_what_this_process_gives(digits):
    held, streamed = digits
    state = torch.get_rng_state()
    first = list(Batches(held, 16, EVERYTHING).training(1, 2))
    assert same(first, Batches(streamed, 16, EVERYTHING, workers=2).training(1, 2))
    plain = Batches(held).plain(held.validation, size=7)
    assert same(plain, Batches(streamed, workers=2).plain(streamed.validation, size=7))
    assert torch.equal(torch.get_rng_state(), state)  # which decides dropout


def test_workers_end_with_the_iterator(digits):
    batches = Batches(digits[1], 16, workers=2).training(0, 0)
    next(batches)
    workers = multiprocessing.active_children()
    assert len(workers) == 2
    batches.close()
    assert not multiprocessing.active_children()


@pytest.mark.parametrize("how", [Augmentation(), EVERYTHING])
def test_an_epoch_goes_on_in_its_middle(digits, how):
    batches = Batches(digits[0], 16, how)
    whole = list(batches.training(3, 1))
    assert len(whole) == 6
    assert same(whole[4:], batches.training(3, 1, first_step=4))
    assert not list(batches.training(3, 1, first_step=6))


@pytest.mark.parametrize(("how", "sizes"), [(Augmentation(), [4, 5, 5]), (EVERYTHING, [4, 4, 6])])
def test_parts_are_the_whole_batch(digits, how, sizes):
    batches = Batches(digits[0], 14, how)
    parts = zip(*(batches.training(3, 1, part=(rank, 3)) for rank in range(3)), strict=True)
    for whole, own in zip(batches.training(3, 1), parts, strict=True):
        assert [len(part.labels) for part in own] == sizes
        assert torch.equal(torch.cat([part.images for part in own]), whole.images)
        assert torch.equal(torch.cat([part.targets for part in own]), whole.targets)


def test_parts_of_plain_batches(data):
    batches = Batches(data)
    labels = [torch.cat([b.labels for b in batches.plain(data.train, 5, part=(i, 3))]).tolist() for i in range(3)]
    assert [len(part) for part in labels] == [16, 16, 16]
    assert [label for part in labels for label in part] == data.train.labels.tolist()


def test_a_batch_in_parts():
    batch = Batch(torch.arange(7.0), torch.arange(7), torch.arange(14.0).view(7, 2))
    parts = batch.parts(3)
    assert [part.labels.tolist() for part in parts] == [[0, 1, 2], [3, 4, 5], [6]]
    assert parts[2].targets.tolist() == [[12, 13]]
    assert [part.targets.tolist() for part in Batch(batch.images, batch.labels).parts(2)] == [[0, 1, 2, 3], [4, 5, 6]]


@pytest.fixture
def broken(tmp_path):
    """Sixteen images of one grey each; the one of value 5 cannot be read."""
    for i in range(16):
        (tmp_path / "ab"[i % 2]).mkdir(exist_ok=True)
        Image.new("RGB", (4, 4), (i, i, i)).save(tmp_path / "ab"[i % 2] / f"{i:02}.png")
    (tmp_path / "b" / "05.png").write_bytes(b"broken")

    def load(skip):
        options = ImageOptions(4, validation_fraction=0.1, test_fraction=0.1, stream=True, skip_broken=skip)
        data = load_folder(tmp_path, options)
        assert len(data.train) == 12
        return replace(data, train=StreamedSplit(data.train.source, np.arange(16), np.arange(16) // 8, 4, skip))

    return load


def values(batches, batch):
    return pixels(batches, batch)[:, 0, 0, 0].tolist()


def test_a_broken_image_stops_training_by_its_name(broken):
    data = broken(skip=False)
    object.__setattr__(data, "mean_std", (np.zeros(3, np.float32), np.ones(3, np.float32)))
    batches = Batches(data, 4, workers=1)
    with pytest.raises(DataError, match=r"b/05\.png: not an image in [^\n]+$"):
        list(batches.training(0, 0))
    assert not multiprocessing.active_children()


def test_a_broken_image_is_replaced_by_the_next_good_one(broken):
    batches = Batches(broken(skip=True), 4, workers=1)
    rows = batches.data.train.order(np.random.default_rng([0, 0])).reshape(4, 4)
    expected = rows.copy()  # rows come class by class: a holds the even values, b the odd ones
    step, place = (int(i) for i in np.argwhere(rows == 10)[0])  # value 5 is the third of b
    expected[step, place] = rows[step, (place + 1) % 4]
    for epoch in range(2):
        got = list(batches.training(0, epoch))
        if epoch == 0:
            assert [values(batches, b) for b in got] == [[2 * r if r < 8 else 2 * r - 15 for r in s] for s in expected]
            assert [b.labels.tolist() for b in got] == (expected // 8).tolist()
        assert len(batches.skipped) == 1
    assert "05.png" in batches.skipped[0]
    assert [len(b.labels) for b in batches.plain(batches.data.train, size=8)] == [8, 7]  # left out


def test_a_batch_without_a_good_image_is_an_error(broken):
    data = broken(skip=True)
    one = replace(data.train, rows=np.array([10]), labels=np.array([1]))
    with pytest.raises(DataError, match="every image of a batch is broken"):
        list(Batches(data, workers=0).plain(one))


def test_a_worker_that_dies_is_said(digits, monkeypatch):
    monkeypatch.setattr("hwnas.training.loading.Loader.__getitem__", lambda self, work: os.kill(os.getpid(), 9))
    with pytest.raises(DataError, match=r"a process that decodes images died.*1 of them worked"):
        list(Batches(digits[1], 16, workers=1).training(0, 0))


@pytest.mark.parametrize("stream", [False, True])
def test_a_few_images_of_a_folder_are_of_every_class(stream, tmp_path):
    """A folder is read class by class; statistics of the first images would be those of one class."""
    for value, name in enumerate("abcd"):
        (tmp_path / name).mkdir()
        for i in range(20):
            Image.new("RGB", (4, 4), (value, value, i)).save(tmp_path / name / f"{i:02}.png")
    data = load_folder(tmp_path, ImageOptions(4, stream=stream))
    (few,) = Batches(data, workers=0).plain(data.train, limit=16)
    assert np.bincount(few.labels, minlength=4).min() >= 1
    assert stream or np.bincount(few.labels).tolist() == [4, 4, 4, 4]
