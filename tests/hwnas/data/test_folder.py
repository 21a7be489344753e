import pytest

from hwnas.data import DataError, ImageOptions
from hwnas.data.folder import load_folder

SMALL = ImageOptions(size=4)


def greys(split):
    return split.images[:, 0, 0, 0].tolist()


@pytest.fixture
def fill(png):
    """Write images of the given values into a class folder."""

    def write(folder, values, suffix=".png"):
        folder.mkdir(parents=True, exist_ok=True)
        for value in values:
            (folder / f"{value:03}{suffix}").write_bytes(png(value))
        return folder

    return write


@pytest.fixture
def pets(tmp_path, fill):
    fill(tmp_path / "pets" / "dog", range(10, 20))
    fill(tmp_path / "pets" / "cat", range(10))
    return tmp_path / "pets"


def test_class_folders(pets):
    data = load_folder(pets, SMALL)
    assert (data.name, data.classes, data.mirror) == ("pets", ("cat", "dog"), True)
    splits = (data.train, data.validation, data.test)
    assert [len(split) for split in splits] == [12, 4, 4]
    assert sorted(grey for split in splits for grey in greys(split)) == list(range(20))
    for split in splits:
        assert split.labels.tolist() == [int(grey >= 10) for grey in greys(split)]


def test_train_and_test_folders_are_kept_as_given(tmp_path, fill):
    for name, start in (("cat", 0), ("dog", 10)):
        fill(tmp_path / "train" / name, range(start, start + 10))
    fill(tmp_path / "test" / "dog", [77, 78])
    data = load_folder(tmp_path, SMALL)
    assert data.classes == ("cat", "dog")
    assert [len(data.train), len(data.validation)] == [16, 4]
    assert (greys(data.test), data.test.labels.tolist()) == ([77, 78], [1, 1])


def test_classes_may_be_called_train_and_test(tmp_path, fill):
    fill(tmp_path / "train", range(5))
    fill(tmp_path / "test", range(5, 10))
    assert load_folder(tmp_path, SMALL).classes == ("test", "train")


def test_a_test_folder_of_its_own(pets, tmp_path, fill):
    fill(tmp_path / "more" / "cat", [50])
    data = load_folder(pets, SMALL, tmp_path / "more")
    assert (greys(data.test), len(data.train) + len(data.validation)) == ([50], 20)


def test_hidden_and_other_files_are_left_out(pets, fill):
    before = load_folder(pets, SMALL).digest
    fill(pets / ".cache", [99])
    (pets / "cat" / "._000.png").write_bytes(b"resource fork")
    (pets / "cat" / "notes.txt").write_text("not an image")
    (pets / "readme.png").write_bytes(b"not in a class")
    assert load_folder(pets, SMALL).digest == before


def test_skipped_files_are_counted(pets, tmp_path, fill):
    assert load_folder(pets, SMALL).notes == ()
    for name in ("a.heic", "b.HEIC", "c.tif", "notes"):
        (pets / "cat" / name).write_bytes(b"?")
    (pets / "dog" / "puppies").mkdir()
    (pets / "dog" / ".hidden").write_text("")
    before = load_folder(pets, SMALL)
    (note,) = before.notes
    assert note == (
        f"{pets}: 5 file(s) skipped (2 .heic, 1 .tif, 1 no extension, 1 more kinds); "
        "only .bmp, .gif, .jpeg, .jpg, .png, .webp are read, convert the others"
    )
    fill(tmp_path / "more" / "cat", [50])
    (tmp_path / "more" / "cat" / "d.cr2").write_bytes(b"?")
    assert [n.partition(" skipped")[0] for n in load_folder(pets, SMALL, tmp_path / "more").notes] == [
        f"{pets}: 5 file(s)",
        f"{tmp_path / 'more'}: 1 file(s)",
    ]


def test_all_extensions_in_any_case(tmp_path, fill):
    fill(tmp_path / "a", range(3))
    for value, suffix in enumerate((".png", ".JPG", ".jpeg", ".bmp", ".WebP", ".gif")):
        fill(tmp_path / "b", [value], suffix)
    data = load_folder(tmp_path, SMALL)
    assert sum(int((s.labels == 1).sum()) for s in (data.train, data.validation, data.test)) == 6


def test_limit(pets):
    data = load_folder(pets, ImageOptions(4, limit=10))
    assert [len(data.train), len(data.validation), len(data.test)] == [6, 2, 2]


def fails(match, path, test_path=None, **options):
    with pytest.raises(DataError, match=match) as caught:
        load_folder(path, ImageOptions(4, **options), test_path)
    assert "\n" not in str(caught.value)


def test_missing_folder(tmp_path):
    fails("none: no such folder; check the path", tmp_path / "none")


def test_a_file_is_no_folder(tmp_path):
    (tmp_path / "x").write_text("")
    fails("x: cannot be read as a folder", tmp_path / "x")


def test_no_class_folders(tmp_path, png):
    (tmp_path / "0.png").write_bytes(png(0))
    fails("holds no class folders", tmp_path)


def test_class_without_images(pets):
    (pets / "bird").mkdir()
    (pets / "bird" / "notes.txt").write_text("soon")
    fails("bird: a class folder without images", pets)


def test_one_class(tmp_path, fill):
    fill(tmp_path / "cat", range(9))
    fails("every image is of one class, 'cat'", tmp_path)


def test_class_with_too_few_images(pets, fill):
    fill(pets / "fox", [1, 2])
    fails(r"class 'fox' has 2 image\(s\)", pets)


def test_broken_image_names_its_path(pets):
    (pets / "dog" / "015.png").write_bytes(b"\x89PNG\r\n\x1a\nbroken")
    fails(r"dog.015\.png: ", pets)


def test_a_link_to_nothing_names_its_path(pets):
    (pets / "dog" / "gone.png").symlink_to(pets / "nowhere.png")
    fails(r"dog.gone\.png: unreadable image .*No such file", pets)


def test_unknown_test_class(pets, tmp_path, fill):
    fill(tmp_path / "more" / "fox", [1])
    fails("test class 'fox' is unknown in", pets, tmp_path / "more")


def test_small_limit(pets):
    fails("a limit of 5 images is too small for 2 classes", pets, limit=5)
