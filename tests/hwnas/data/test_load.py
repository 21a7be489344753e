import pytest

from hwnas.data import DataError, load_dataset


@pytest.mark.parametrize(("mirror", "expected"), [(None, False), (False, False), (True, True)])
def test_digits(mirror, expected):
    data = load_dataset("digits", size=8, limit=50, mirror=mirror)
    assert (data.name, data.mirror, data.size) == ("digits", expected, 8)


@pytest.mark.parametrize(("mirror", "expected"), [(None, True), (False, False), (True, True)])
def test_parquet_and_folder(tmp_path, write_parquet, png, mirror, expected):
    path = write_parquet(tmp_path / "x.parquet", ["a", "b"] * 5)
    for i in range(10):
        folder = tmp_path / "x" / "ab"[i % 2]
        folder.mkdir(parents=True, exist_ok=True)
        (folder / f"{i}.png").write_bytes(png(i))
    one = load_dataset(str(path), size=4, mirror=mirror)
    other = load_dataset(str(tmp_path / "x"), size=4, mirror=mirror)
    assert one.mirror == other.mirror == expected
    assert one.classes == other.classes == ("a", "b")
    assert len(one.train) == len(other.train) == 6


def test_test_source(tmp_path, write_parquet):
    train = write_parquet(tmp_path / "train.parquet", [0, 1] * 5)
    test = write_parquet(tmp_path / "test.parquet", [1, 0, 1])
    assert load_dataset(str(train), test_source=str(test), size=4).test.labels.tolist() == [1, 0, 1]


def test_digits_take_no_test_source():
    with pytest.raises(DataError, match="leave out the test source"):
        load_dataset("digits", test_source="x.parquet")


@pytest.mark.parametrize("source", ["", "mnist", "/no/such/folder", "data.csv", "a\0b", "x" * 5000])
def test_anything_else_is_told_what_is_accepted(source):
    with pytest.raises(DataError, match=r"give 'digits', a \.parquet file, or a folder of class folders"):
        load_dataset(source)


@pytest.mark.parametrize("source", ["no/such/folder", "none.parquet", "mnist"])
def test_a_path_that_is_not_there_is_said(source, tmp_path, write_parquet):
    with pytest.raises(DataError, match=f"^no such file or folder: '{source}'; give 'digits', "):
        load_dataset(source)
    there = write_parquet(tmp_path / "x.parquet", [0, 1] * 5)
    with pytest.raises(DataError, match=f"^no such file or folder: '{source}'; "):
        load_dataset(str(there), test_source=source)


def test_the_home_folder(tmp_path, write_parquet, monkeypatch):
    monkeypatch.setenv("HOME", str(tmp_path))
    write_parquet(tmp_path / "x.parquet", [0, 1] * 5)
    write_parquet(tmp_path / "test.parquet", [1, 0, 1])
    assert len(load_dataset("~/x.parquet", test_source="~/test.parquet", size=4).test) == 3
    with pytest.raises(DataError, match=f"no such file or folder: '{tmp_path}/none'"):
        load_dataset("~/none")


@pytest.mark.parametrize("source", ["none.parquet", "a\0b.parquet", "x" * 5000 + ".parquet"])
def test_a_parquet_file_that_is_not_there(source):
    with pytest.raises(DataError, match=r"no such file|not a readable Parquet file"):
        load_dataset(source)


def test_a_file_of_another_kind(tmp_path):
    (tmp_path / "images.zip").write_bytes(b"PK")
    with pytest.raises(DataError, match=r"a \.parquet file"):
        load_dataset(str(tmp_path / "images.zip"))
