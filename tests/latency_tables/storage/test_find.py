import pytest

from latency_tables import HwnasError, load_table, save_table
from latency_tables.storage.find import FoundTable, find_tables


def test_tables_below_folders_in_order(tmp_path, table):
    for name in ("b/deep/er", "a", "c"):
        save_table(table(space=name), tmp_path / name)
    (tmp_path / "nothing").mkdir()
    found = find_tables([tmp_path])
    assert [f.folder.relative_to(tmp_path).as_posix() for f in found] == ["a", "b/deep/er", "c"]
    assert [f.table for f in found] == [load_table(f.folder) for f in found]
    assert [f.problem for f in found] == [None] * 3
    assert find_tables([tmp_path / "c", tmp_path / "a", tmp_path]) == found  # each once
    assert find_tables([tmp_path / "a"]) == found[:1]
    assert find_tables([tmp_path / "nothing"]) == find_tables([]) == []


def test_a_damaged_table_stops_nothing(tmp_path, table):
    for name in "abcd":
        save_table(table(), tmp_path / name)
    (tmp_path / "b" / "rows.parquet").write_bytes(b"PAR1")
    (tmp_path / "c" / "reference.onnx").unlink()
    (tmp_path / "d" / "provenance.json").unlink()
    a, b, c, d = find_tables([tmp_path])
    assert a == FoundTable(tmp_path / "a", table())
    assert (b.table, b.problem) == (
        None,
        f"the latency table {b.folder} is truncated or damaged (its digest does not match); profile again",
    )
    for f, name in ((c, "reference.onnx"), (d, "provenance.json")):
        assert f.problem == f"{f.folder} is not a latency table: {f.folder / name}: No such file or directory"


def test_a_folder_that_is_not_there(tmp_path):
    (tmp_path / "file").write_text("")
    for path in (tmp_path / "nowhere", tmp_path / "file"):
        with pytest.raises(HwnasError) as e:
            find_tables([path])
        assert str(e.value) == f"{path} is not a folder; name one that holds latency tables"


def test_links_that_go_round_are_not_followed(tmp_path, table):
    save_table(table(), tmp_path / "a")
    (tmp_path / "a" / "again").symlink_to(tmp_path)
    assert [f.folder for f in find_tables([tmp_path])] == [tmp_path / "a"]
