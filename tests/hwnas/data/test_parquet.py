import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
import pytest
from PIL import Image

from hwnas.data import DataError, ImageOptions
from hwnas.data.parquet import load_parquet

SMALL = ImageOptions(size=4)


def greys(split):
    """The value of each image: which row of the file it is."""
    return split.images[:, 0, 0, 0].tolist()


@pytest.fixture
def path(tmp_path):
    return tmp_path / "pets.parquet"


@pytest.mark.parametrize("flat", [False, True])
def test_round_trip(path, write_parquet, flat):
    labels = [1, 0] * 10
    data = load_parquet(write_parquet(path, labels, names=["cat", "dog"], flat=flat), SMALL)
    assert (data.name, data.classes, data.mirror, data.size) == ("pets", ("cat", "dog"), True, 4)
    splits = (data.train, data.validation, data.test)
    assert [len(split) for split in splits] == [12, 4, 4]
    assert sorted(grey for split in splits for grey in greys(split)) == list(range(20))  # disjoint, and every image
    for split in splits:
        assert split.labels.tolist() == [labels[grey] for grey in greys(split)]
        assert np.bincount(split.labels).tolist() == [len(split) // 2] * 2


def test_the_seed_decides(path, write_parquet):
    write_parquet(path, [0, 1] * 20)
    assert load_parquet(path, SMALL).digest == load_parquet(path, SMALL).digest
    assert load_parquet(path, SMALL).digest != load_parquet(path, ImageOptions(4, seed=1)).digest


def test_images_are_resized(path, write_parquet, png):
    images = [png(i, size=3 + i) for i in range(6)]
    data = load_parquet(write_parquet(path, [0, 1] * 3, images), ImageOptions(size=5))
    assert data.train.images.shape == (2, 3, 5, 5)
    assert sorted(greys(data.train) + greys(data.validation) + greys(data.test)) == list(range(6))


def test_more_rows_than_a_batch(path, write_parquet, png):
    images = [png((row % 256, row // 256, 0)) for row in range(600)]
    data = load_parquet(write_parquet(path, [0] * 300 + [1] * 300, images), SMALL)
    rows = []
    for split in (data.train, data.validation, data.test):
        own = split.images[:, 0, 0, 0] + 256 * split.images[:, 1, 0, 0].astype(int)
        assert split.labels.tolist() == (own >= 300).astype(int).tolist()
        rows += own.tolist()
    assert sorted(rows) == list(range(600))


def test_string_labels_are_sorted(path, write_parquet):
    data = load_parquet(write_parquet(path, ["dog", "ant", "cat"] * 4), SMALL)
    assert data.classes == ("ant", "cat", "dog")
    assert data.train.labels.tolist() == [[2, 0, 1][grey % 3] for grey in greys(data.train)]
    encoded = pa.array(["dog", "ant", "cat"] * 4).dictionary_encode()
    assert load_parquet(write_parquet(path, encoded), SMALL).digest == data.digest


def test_numbers_with_gaps_become_dense_and_keep_their_order(path, write_parquet):
    data = load_parquet(write_parquet(path, [10, 9, 200] * 4), SMALL)
    assert data.classes == ("9", "10", "200")
    assert data.train.labels.tolist() == [[1, 0, 2][grey % 3] for grey in greys(data.train)]


def test_a_named_class_that_does_not_occur_is_left_out(path, write_parquet):
    data = load_parquet(write_parquet(path, [0, 2] * 4, names=["a", "b", "c"]), SMALL)
    assert data.classes == ("a", "c")


@pytest.mark.parametrize("names", [["a", "a"], [1, 2], "ab", None, {"0": "a"}])
def test_metadata_without_usable_names(path, write_parquet, names):
    assert load_parquet(write_parquet(path, [0, 1] * 4, names=names), SMALL).classes == ("0", "1")


def test_test_file_is_kept_apart_and_matched_by_name(tmp_path, write_parquet):
    train = write_parquet(tmp_path / "train-00000-of-00001.parquet", [0, 1] * 10, names=["cat", "dog"])
    test = write_parquet(tmp_path / "test.parquet", [1, 1, 0], names=["dog", "cat"])
    data = load_parquet(train, SMALL, test)
    assert data.name == tmp_path.name
    assert [len(data.train), len(data.validation), len(data.test)] == [16, 4, 3]
    assert [data.classes[label] for label in data.test.labels] == ["cat", "cat", "dog"]


@pytest.mark.parametrize("named", ["train", "test"])
def test_one_files_names_serve_both(tmp_path, write_parquet, named):
    paths = [
        write_parquet(tmp_path / f"{part}.parquet", [0, 1] * 4, names=["cat", "dog"] if part == named else None)
        for part in ("train", "test")
    ]
    data = load_parquet(paths[0], SMALL, paths[1])
    assert data.classes == ("cat", "dog")
    assert data.test.labels.tolist() == [0, 1] * 4


def test_limit_holds_for_both_files_and_decodes_no_more(tmp_path, write_parquet, monkeypatch):
    train = write_parquet(tmp_path / "train.parquet", [0, 1, 1, 1] * 10)
    test = write_parquet(tmp_path / "test.parquet", [0, 1] * 30)
    opened = []
    original = Image.open
    monkeypatch.setattr(Image, "open", lambda *args, **more: (opened.append(1), original(*args, **more))[1])
    data = load_parquet(train, ImageOptions(4, limit=20), test)
    assert len(opened) == 40
    assert np.bincount(np.concatenate([data.train.labels, data.validation.labels])).tolist() == [5, 15]
    assert np.bincount(data.test.labels).tolist() == [10, 10]
    assert len(load_parquet(train, ImageOptions(4, limit=1000), test).test) == 60


def fails(match, path, test_path=None, **options):
    with pytest.raises(DataError, match=match) as caught:
        load_parquet(path, ImageOptions(**options), test_path)
    assert "\n" not in str(caught.value)
    return str(caught.value)


def test_missing_file(path):
    assert str(path) in fails("no such file; check the path", path)


def test_missing_test_file(path, write_parquet):
    fails(r"none\.parquet: no such file", write_parquet(path, [0, 1] * 4), path.with_name("none.parquet"))


def test_not_a_file(tmp_path):
    fails("not a readable Parquet file", tmp_path)


@pytest.mark.parametrize("content", [b"", b"PAR1", b"label,image\n1,2\n" * 9, b"PAR1" + b"\xff" * 64 + b"PAR1"])
def test_not_parquet(path, content):
    path.write_bytes(content)
    fails(r"pets\.parquet: not a readable Parquet file \(.+\); get it again", path)


def test_truncated(path, write_parquet):
    whole = write_parquet(path, [0, 1] * 4).read_bytes()
    path.write_bytes(whole[: len(whole) // 2])
    fails("not a readable Parquet file", path)


@pytest.mark.parametrize(
    ("columns", "found"),
    [
        ({"img": [b"x"], "label": [0]}, "found 'img', 'label'"),
        ({"image": [{"bytes": b"x"}], "labels": [0]}, "found 'image', 'labels'"),
        ({"image": [{"path": "x"}], "label": [0]}, "found 'image', 'label'"),
        ({"image": [b"x"], "label": [0]}, "found 'image', 'label'"),
    ],
)
def test_missing_columns(path, columns, found):
    pq.write_table(pa.table(columns), path)
    assert found in fails("needs the columns 'image'", path)


def test_no_columns(path):
    pq.write_table(pa.table({}), path)
    fails("found none", path)


@pytest.mark.parametrize(
    ("labels", "match"),
    [
        ([0, 1, None, 1], r"row 2 \(from 0\): the label is null"),
        (["a", None], r"row 1 \(from 0\): the label is null"),
        ([0, 1, 1, -1], r"row 3 \(from 0\): the label -1 is negative"),
        ([0.5, 1.0], "column 'label' holds double"),
        ([[0], [1]], "column 'label' holds list"),
        (pa.array([2**63, 1], pa.uint64()), "not a readable Parquet file .*not in range"),
        ([1, 1, 1, 1], "every image is of one class, '1'"),
        ([0, 0, 0, 1, 1], r"class '1' has 2 image\(s\), the splits need 3"),
        (pa.array([], pa.int64()), "holds no images"),
        (pa.array([], pa.string()), "holds no images"),
    ],
)
def test_bad_labels(path, write_parquet, labels, match):
    fails(match, write_parquet(path, labels))


def test_label_beyond_the_names(path, write_parquet):
    fails("label 2 has no name among the 2", write_parquet(path, [0, 1, 2] * 3, names=["a", "b"]))


@pytest.mark.parametrize("bad", [b"not an image", b"", None])
@pytest.mark.parametrize("flat", [False, True])
def test_broken_image_names_its_row(path, write_parquet, png, bad, flat):
    images = [png(i) for i in range(5)] + [bad] + [png(i) for i in range(6)]
    fails(r"pets\.parquet, row 5 \(from 0\): ", write_parquet(path, [0, 1] * 6, images, flat=flat), size=4)


def test_null_struct_names_its_row(path, png):
    kind = pa.struct({"bytes": pa.binary()})
    images = [{"bytes": png(i)} for i in range(8)]
    images[3] = None
    pq.write_table(pa.table({"image": pa.array(images, kind), "label": [0, 1] * 4}), path)
    fails(r"row 3 \(from 0\): no image bytes", path)


def test_image_bytes_of_another_type(path):
    pq.write_table(pa.table({"image": [{"bytes": "text"}] * 8, "label": [0, 1] * 4}), path)
    fails("no image bytes", path)


def test_decompression_bomb(path, write_parquet, png, png_claiming):
    images = [png(i) for i in range(7)] + [png_claiming(30_000)]
    fails(r"row 7 \(from 0\): unreadable image .*bomb", write_parquet(path, [0, 1] * 4, images))


def test_unknown_test_class(tmp_path, write_parquet):
    train = write_parquet(tmp_path / "train.parquet", ["a", "b"] * 4)
    test = write_parquet(tmp_path / "test.parquet", ["a", "z"])
    fails(r"test\.parquet: test class 'z' is unknown in .*train\.parquet", train, test)


def test_empty_test_file(tmp_path, write_parquet):
    train = write_parquet(tmp_path / "train.parquet", [0, 1] * 4)
    fails("holds no test images", train, write_parquet(tmp_path / "test.parquet", pa.array([], pa.int64())))


@pytest.mark.parametrize(
    ("options", "match"),
    [
        ({"limit": 5}, "a limit of 5 images is too small for 2 classes; give at least 6"),
        ({"limit": 0}, "a limit of 0"),
        ({"size": 0}, "image size 0"),
        ({"validation_fraction": 0.0}, "held-out fractions"),
        ({"validation_fraction": 0.5, "test_fraction": 0.5}, "held-out fractions"),
        ({"test_fraction": -0.1}, "held-out fractions"),
    ],
)
def test_options_out_of_range(path, write_parquet, options, match):
    fails(match, write_parquet(path, [0, 1] * 10), **options)
