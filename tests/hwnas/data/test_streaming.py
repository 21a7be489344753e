import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
import pytest
from PIL import Image

from hwnas.data import DataError, ImageOptions, load_dataset
from hwnas.data._memory import memory_bytes
from hwnas.data._shards import Shard, Shards, opened
from hwnas.data._source import Groups, StreamedSplit
from hwnas.data.parquet import load_parquet


@pytest.fixture
def shards(tmp_path, write_parquet, png):
    """Four shards of 30 images each, 5 per row group; image i is of value i, and its class is i % 3."""
    folder = tmp_path / "pets"
    folder.mkdir()
    for shard in range(4):
        values = range(30 * shard, 30 * shard + 30)
        path = folder / f"train-{shard:05}-of-00004.parquet"
        write_parquet(path, [v % 3 for v in values], [png(v) for v in values])
        pq.write_table(pq.read_table(path), path, row_group_size=5)
    return folder


@pytest.fixture
def folder(tmp_path, png):
    for i in range(60):
        (tmp_path / "pets" / "abc"[i % 3]).mkdir(parents=True, exist_ok=True)
        (tmp_path / "pets" / "abc"[i % 3] / f"{i:03}.png").write_bytes(png(i))
    return tmp_path / "pets"


def greys(split, rows=None):
    rows = np.arange(len(split)) if rows is None else rows
    return split.take(np.asarray(rows)).images[:, 0, 0, 0].tolist()


def source(folder, **limits):
    paths, found = sorted(folder.glob("*.parquet")), []
    for path in paths:
        with opened(path) as file:
            found.append(Shard.of(path, file))
    return Shards(found, **limits)


@pytest.mark.parametrize("kind", ["shards", "folder"])
def test_streamed_images_are_those_in_memory(kind, request):
    path = str(request.getfixturevalue(kind))
    held, streamed = (load_dataset(path, size=4, stream=stream) for stream in (False, True))
    assert held.classes == streamed.classes
    assert held.size == streamed.size == 4
    for name in ("train", "validation", "test"):
        one, other = getattr(held, name), getattr(streamed, name)
        assert (one.streamed, other.streamed) == (False, True)
        assert one.labels.tolist() == other.labels.tolist()
        assert np.array_equal(one.images, np.concatenate([block.images for block in other.blocks(7)]))
        rows = np.random.default_rng(0).permutation(len(one))[:9]
        assert np.array_equal(one.images[rows], other.take(rows).images)
        assert one.take(rows).labels.tolist() == other.take(rows).labels.tolist() == one.labels[rows].tolist()
    np.testing.assert_array_equal(held.mean_std, streamed.mean_std)  # fewer than the sample


def test_folders_of_shards_have_splits(shards, write_parquet, png):
    assert len(load_dataset(str(shards), size=4).train) == 72  # 60 % of 120
    write_parquet(shards / "validation-0.parquet", [0, 1], [b"bad", b"bad"])  # not read
    write_parquet(shards / "test-00000-of-00001.parquet", [2, 1], [png(7), png(8)])
    data = load_dataset(str(shards), size=4)
    assert (data.name, len(data.train), len(data.validation), greys(data.test)) == ("pets", 96, 24, [7, 8])


def test_a_pattern_names_shards(shards, write_parquet, png):
    write_parquet(shards / "validation-0.parquet", [0, 1], [png(7), png(8)])
    data = load_dataset(str(shards / "train-*.parquet"), test_source=str(shards / "validation-*.parquet"), size=4)
    assert (data.name, len(data.train) + len(data.validation), greys(data.test)) == ("pets", 120, [7, 8])
    with pytest.raises(DataError, match=r"no such file or folder: '.*none-\*\.parquet'"):
        load_dataset(str(shards / "none-*.parquet"))


def test_an_epoch_is_a_permutation_and_reads_every_row_group_once(shards, monkeypatch):
    read = []
    pieces = Shards._pieces
    monkeypatch.setattr(Shards, "_pieces", lambda self, group: (read.append(group), pieces(self, group))[1])
    split = StreamedSplit(source(shards, most_rows=20), np.arange(120), np.zeros(120, np.int64), 4)
    order = split.order(np.random.default_rng(0))
    assert sorted(order.tolist()) == list(range(120))
    assert [g for start in range(0, 120, 8) for g in greys(split, order[start : start + 8])] == order.tolist()
    assert sorted(read) == list(range(24))
    for start in range(0, 120, 20):  # a window: four groups of five rows
        groups = order[start : start + 20] // 5
        assert len(set(groups.tolist())) == 4
        assert (np.diff(groups) != 0).sum() > 3  # shuffled among each other
    assert order.tolist() == split.order(np.random.default_rng(0)).tolist()
    assert order.tolist() != split.order(np.random.default_rng(1)).tolist()


def test_windows_join_groups_up_to_both_limits():
    groups = Groups(np.array([0, 4, 8, 12]), np.array([4, 4, 4, 9]), np.array([10, 10, 10, 10]), 8, 25)
    assert [w.tolist() for w in groups.windows(np.array([0, 1, 2, 3]))] == [[0, 1], [2], [3]]  # 3 alone is too large
    assert groups.of(np.array([0, 3, 4, 20])).tolist() == [0, 0, 1, 3]
    by_bytes = Groups(groups.starts, groups.rows, np.array([10, 16, 9, 25]), 100, 25)
    assert [w.tolist() for w in by_bytes.windows(np.array([0, 1, 2, 3]))] == [[0], [1, 2], [3]]


def test_kept_row_groups_are_bounded(shards):
    images = source(shards, most_rows=20)
    for row in np.random.default_rng(0).permutation(120):
        list(images.read(np.array([row])))
        assert sum(map(len, images._kept.values())) <= 20
    by_bytes = source(shards, most_bytes=1000)
    list(by_bytes.read(np.arange(120)))
    assert len(by_bytes._kept) == 1000 // by_bytes._kept.popitem()[1].nbytes


def test_a_row_group_too_large_is_read_in_passing_but_not_streamed(shards, monkeypatch):
    images = source(shards, most_bytes=10)
    assert [item.decode(4)[0, 0, 0] for item in images.read(np.arange(0, 120, 7))] == list(range(0, 120, 7))
    assert not images._kept
    monkeypatch.setattr(Shards.__init__, "__defaults__", (8192, 10))
    assert len(load_dataset(str(shards), size=4, stream=False).train) == 72
    with pytest.raises(DataError, match=r"cannot be streamed, .* write the file again with row_group_size=1000"):
        load_dataset(str(shards), size=4, stream=True)


def test_rows_sorted_by_class_are_told(tmp_path, write_parquet):
    sorted_, mixed = (tmp_path / name for name in ("sorted.parquet", "mixed.parquet"))
    write_parquet(sorted_, [0] * 30 + [1] * 30 + [2] * 30)
    write_parquet(mixed, [0, 1, 2] * 30)
    (note,) = load_dataset(str(sorted_), size=4, stream=True).notes
    assert "sorted.parquet: the rows come class by class, and at most 8192 of them are shuffled" in note
    assert not load_dataset(str(sorted_), size=4, stream=False).notes
    assert not load_dataset(str(mixed), size=4, stream=True).notes


def test_large_data_is_streamed_by_itself(shards, monkeypatch):
    def streamed(memory):
        monkeypatch.setattr("hwnas.data._assemble.memory_bytes", lambda: memory)
        return load_dataset(str(shards), size=4).train.streamed

    decoded = 120 * 3 * 4 * 4
    assert not streamed(4 * decoded)
    assert streamed(4 * decoded - 1)


@pytest.mark.parametrize(("text", "limit"), [("123456\n", 123456), ("max\n", None), (None, None)])
def test_memory_is_the_containers(tmp_path, text, limit):
    if text is not None:
        (tmp_path / "memory.max").write_text(text)
    assert memory_bytes(tmp_path / "memory.max") == (limit or memory_bytes(tmp_path / "none"))


@pytest.mark.parametrize("kind", ["shards", "folder"])
def test_digest_of_streamed_data(kind, request, png):
    path = request.getfixturevalue(kind)

    def digest(**options):
        return load_dataset(str(path), stream=True, **{"size": 4, **options}).digest

    before = digest()
    moved = path.with_name("moved")
    path.rename(moved)
    path = moved
    assert digest() == before
    assert digest(size=5) != before
    assert digest(limit=30) != before
    file = sorted(path.rglob("*.p*"))[0]
    if kind == "folder":
        file.write_bytes(png((1, 2, 3), size=9))
    else:
        pq.write_table(pq.read_table(file), file, row_group_size=6)
    assert digest() != before


def break_image(folder, shard, row):
    """Spoil one image inside a shard."""
    path = folder / f"train-{shard:05}-of-00004.parquet"
    table = pq.read_table(path).to_pylist()
    table[row]["image"]["bytes"] = b"broken"
    pq.write_table(pa.Table.from_pylist(table), path, row_group_size=5)
    return path


def test_a_broken_image_is_named_or_skipped(shards):
    path = break_image(shards, 1, 17)
    where = r"train-00001-of-00004\.parquet, row 17 \(from 0\): not an image"
    with pytest.raises(DataError, match=where):
        load_dataset(str(shards), size=4, stream=False)
    data = load_dataset(str(shards), size=4, stream=True)
    with pytest.raises(DataError, match=where):
        [block for split in (data.train, data.validation, data.test) for block in split.blocks()]
    held = load_dataset(str(shards), size=4, stream=False, skip_broken=True)
    (note,) = held.notes
    assert note.startswith(f"1 broken image(s) skipped: {path}, row 17 (from 0): not an image")
    streamed = load_dataset(str(shards), size=4, stream=True, skip_broken=True)
    for data in (held, streamed):
        parts = [block for split in (data.train, data.validation, data.test) for block in split.blocks()]
        values = np.concatenate([part.images[:, 0, 0, 0] for part in parts])
        assert sorted(values.tolist()) == [v for v in range(120) if v != 47]
        assert (values % 3).tolist() == np.concatenate([part.labels for part in parts]).tolist()


def test_a_corrupt_shard_is_named_or_skipped(shards):
    path = shards / "train-00002-of-00004.parquet"
    path.write_bytes(path.read_bytes()[:100])
    with pytest.raises(DataError, match=r"train-00002-of-00004\.parquet: not a readable Parquet file"):
        load_dataset(str(shards), size=4)
    data = load_dataset(str(shards), size=4, skip_broken=True)
    assert len(data.train) + len(data.validation) + len(data.test) == 90
    (note,) = data.notes
    assert "1 broken file(s) skipped" in note
    assert str(path) in note
    for path in shards.iterdir():
        path.write_bytes(b"")
    with pytest.raises(DataError, match="not a readable Parquet file"):
        load_dataset(str(shards), size=4, skip_broken=True)


def test_a_shard_whose_pages_are_spoilt_is_found_while_reading(shards, monkeypatch):
    path = shards / "train-00000-of-00004.parquet"
    content = bytearray(path.read_bytes())
    content[10:40] = b"\xff" * 30  # pages come first, the footer stays
    path.write_bytes(content)
    data = load_dataset(str(shards), size=4, stream=True)
    with pytest.raises(DataError, match=r"train-00000-of-00004\.parquet: not a readable"):
        [block for split in (data.train, data.validation, data.test) for block in split.blocks()]
    skipping, tried = load_dataset(str(shards), size=4, stream=True, skip_broken=True), []
    pieces = Shards._pieces
    monkeypatch.setattr(Shards, "_pieces", lambda self, group: (tried.append(group), pieces(self, group))[1])
    values = [g for s in (skipping.train, skipping.validation, skipping.test) for g in greys(s)]
    assert sorted(values) == list(range(5, 120))  # one row group is lost
    assert tried.count(0) == 1


def test_labels_of_two_kinds_and_two_lists_of_names(tmp_path, write_parquet):
    write_parquet(tmp_path / "a.parquet", [0, 1] * 4, names=["x", "y"])
    write_parquet(tmp_path / "b.parquet", ["0", "1"] * 4)
    with pytest.raises(DataError, match="numbers in some files and strings in others"):
        load_parquet(tmp_path, ImageOptions(4))
    write_parquet(tmp_path / "b.parquet", [0, 1] * 4, names=["y", "x"])
    with pytest.raises(DataError, match="2 different lists of label names"):
        load_parquet(tmp_path, ImageOptions(4))


def test_labels_of_shards_are_put_together(tmp_path, write_parquet):
    write_parquet(tmp_path / "a.parquet", ["dog", "ant"] * 4)
    write_parquet(tmp_path / "b.parquet", ["cat", "ant"] * 4)
    data = load_parquet(tmp_path, ImageOptions(4))
    assert data.classes == ("ant", "cat", "dog")
    everything = np.concatenate([data.train.labels, data.validation.labels, data.test.labels])
    assert np.bincount(everything).tolist() == [8, 4, 4]


def test_boxes_are_cut_out_of_the_image_in_its_file(tmp_path):
    """The right half of an image of 8 pixels holds columns 4 to 7, whatever the size of the split."""
    columns = np.broadcast_to(np.arange(8, dtype=np.uint8)[None, :, None] * 20, (8, 8, 3))
    for i in range(6):
        (tmp_path / "ab"[i % 2]).mkdir(exist_ok=True)
        Image.fromarray(columns).save(tmp_path / "ab"[i % 2] / f"{i}.png")
    half = np.array([[0.5, 0, 1, 1]])
    for side, expected in ((4, [80, 100, 120, 140]), (8, None)):
        data = load_dataset(str(tmp_path), size=side, stream=True)
        image = data.train.fetch(np.array([0])).decode(half).images[0, 0, 0]
        if expected:
            assert image.tolist() == expected
        held = load_dataset(str(tmp_path), size=side, stream=False)
        if side == 8:  # nothing was lost in memory
            assert np.array_equal(held.train.fetch(np.array([0])).decode(half).images[0, 0, 0], image)
