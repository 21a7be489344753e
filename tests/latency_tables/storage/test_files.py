import hashlib
import json
import os
import tempfile
from dataclasses import replace
from pathlib import Path

import pyarrow as pa
import pyarrow.parquet as pq
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from latency_tables import HwnasError, Op, OpCost, TableError, TableRow, load_table, save_table
from latency_tables.storage.files import (
    digest_json,
    json_bytes,
    replacing,
    write_atomically,
    write_json,
)

FILES = ("rows.parquet", "provenance.json", "reference.onnx")


@pytest.fixture
def folder(tmp_path, table):
    save_table(table(), tmp_path / "table")
    return tmp_path / "table"


@pytest.fixture(scope="session")
def saved(tmp_path_factory, table):
    """The bytes of each file of a saved table."""
    where = tmp_path_factory.mktemp("saved")
    save_table(table(), where)
    return {name: (where / name).read_bytes() for name in FILES}


def refusal(folder):
    with pytest.raises(TableError) as e:
        load_table(folder)
    assert str(folder) in str(e.value)
    assert "\n" not in str(e.value)
    return str(e.value)


def same_or_refused(folder, contents, table):
    """Load a table made of these files; it is refused in one line or is the very same table. Whether it loaded."""
    for name, content in contents.items():
        (folder / name).write_bytes(content)
    loaded, message = None, ""
    try:
        loaded = load_table(folder)
    except TableError as e:
        message = str(e)
    if loaded is None:
        assert str(folder) in message
        assert "\n" not in message
        return False
    assert loaded == table()
    assert loaded.digest == table().digest
    return True


def test_round_trip(folder, table):
    loaded = load_table(folder)
    assert loaded == table()
    assert loaded.digest == table().digest
    assert loaded.provenance.target == table().provenance.target
    assert isinstance(loaded.rows[1].cost.macs, int)
    assert loaded.rows[1].median_us is None
    assert loaded.rows[1].error == 'no kernel for "µ-op"'
    assert loaded.rows[0].error is None
    assert type(loaded.provenance.protocol["groups"]) is int


def test_round_trip_of_a_table_without_rows(tmp_path, table):
    save_table(table(rows=()), tmp_path)
    assert load_table(tmp_path) == table(rows=())


def in_order(row):
    """The row with the lower end of its interval below the upper one."""
    if row.ci95_low_us is None or row.ci95_high_us is None or row.ci95_low_us <= row.ci95_high_us:
        return row
    return replace(row, ci95_low_us=row.ci95_high_us, ci95_high_us=row.ci95_low_us)


TIME = st.none() | st.floats(1e-3, 1e9)
ROWS = st.builds(
    TableRow,
    op=st.builds(
        lambda kind, shape, out: Op.of(kind, tuple(shape), **out),
        st.text(max_size=5),
        st.lists(st.integers(0, 2**40), max_size=3),
        st.dictionaries(st.sampled_from("abc"), st.integers(-(2**62), 2**62), max_size=3),
    ),
    cost=st.builds(OpCost, st.floats(0, 1e6), st.integers(0, 2**62), st.integers(0, 2**62)),
    median_us=TIME,
    ci95_low_us=TIME,
    ci95_high_us=TIME,
    min_us=TIME,
    raw_median_us=TIME,
    groups=st.integers(0, 99),
    rounds=st.integers(0, 99),
    stop_reason=st.text(max_size=5),
    error=st.none() | st.text(max_size=9),
).map(in_order)


# the folder is shared by the examples: each one overwrites the files
@settings(max_examples=60, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(rows=st.lists(ROWS, max_size=4, unique_by=lambda row: row.op))
def test_round_trip_of_any_rows(tmp_path, table, rows):
    save_table(table(rows=rows), tmp_path)
    assert load_table(tmp_path).rows == tuple(rows)


def test_saving_again_replaces_the_table(folder, table):
    newer = table(seconds=99.0)
    save_table(newer, folder)
    assert load_table(folder) == newer
    assert sorted(p.name for p in folder.iterdir()) == sorted(FILES)  # no temporary file stays behind


def test_provenance_is_for_people(folder):
    text = (folder / "provenance.json").read_text()
    provenance = json.loads(text)
    assert provenance["format"] == 1
    assert provenance["target"]["device"] == "cpu x2"
    assert provenance["target"]["threads"] == 2
    assert provenance["reference_us"] == 350.125
    assert provenance["measured_at"] == "2026-01-02T03:04:05+00:00"
    assert provenance["protocol"] == {"groups": 2, "target_ci_pct": 1.0}
    assert len(text.splitlines()) > 15  # a field a line, so that it can be diffed


def test_rows_are_plain_parquet_with_units(folder):
    rows = pq.read_table(folder / "rows.parquet")
    assert {"op", "median_us", "ci95_low_us", "ci95_high_us", "min_us", "weight_mb", "error"} <= set(rows.column_names)
    assert rows["op"].to_pylist()[0] == "conv(3x32x32; out=16 stride=2)"
    assert rows["median_us"].to_pylist() == [120.5, None, 3.0]


@settings(max_examples=300, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(data=st.data(), name=st.sampled_from(FILES))
def test_flipped_bytes(tmp_path, saved, table, data, name):
    content = bytearray(saved[name])
    where = st.integers(0, len(content) - 1)
    for i, mask in data.draw(st.dictionaries(where, st.integers(1, 255), min_size=1, max_size=3)).items():
        content[i] ^= mask
    loaded = same_or_refused(tmp_path, saved | {name: bytes(content)}, table)
    assert not loaded or name == "provenance.json"  # white space there means nothing


@settings(max_examples=60, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(data=st.data(), name=st.sampled_from(FILES))
def test_truncated(tmp_path, saved, table, data, name):
    length = data.draw(st.integers(0, len(saved[name]) - 1))
    loaded = same_or_refused(tmp_path, saved | {name: saved[name][:length]}, table)
    assert not loaded or length == len(saved[name]) - 1  # the newline at the end of the JSON


def test_every_field_of_the_provenance_is_under_the_digest(tmp_path, saved, table):
    whole = json.loads(saved["provenance.json"])
    for field, value in whole.items():
        for changed in ({k: v for k, v in whole.items() if k != field}, whole | {field: [value, 1]}):
            content = json.dumps(changed).encode()
            assert not same_or_refused(tmp_path, saved | {"provenance.json": content}, table), field
    changed = whole | {"target": whole["target"] | {"threads": 1}}
    assert not same_or_refused(tmp_path, saved | {"provenance.json": json.dumps(changed).encode()}, table)


@pytest.mark.parametrize("name", FILES)
def test_a_missing_file_is_named(folder, name):
    (folder / name).unlink()
    assert refusal(folder) == f"{folder} is not a latency table: {folder / name}: No such file or directory"


@pytest.mark.parametrize("name", FILES)
def test_a_file_of_another_table(folder, tmp_path, table, name):
    rows = (replace(table().rows[0], median_us=1.0),)
    other = replace(table(rows=rows, space="other"), reference_model=b"another")
    save_table(other, tmp_path / "other")
    (folder / name).write_bytes((tmp_path / "other" / name).read_bytes())
    assert refusal(folder).endswith("is truncated or damaged (its digest does not match); profile again")


def test_files_with_their_names_swapped(folder):
    for one, two in (FILES[:2], FILES[1:], FILES[::2]):
        a, b = (folder / one).read_bytes(), (folder / two).read_bytes()
        (folder / one).write_bytes(b)
        (folder / two).write_bytes(a)
        assert "truncated or damaged" in refusal(folder)
        (folder / one).write_bytes(a)
        (folder / two).write_bytes(b)


def test_a_newer_format(folder):
    path = folder / "provenance.json"
    path.write_text(json.dumps(json.loads(path.read_text()) | {"format": 2, "new field": 1}))
    assert refusal(folder) == f"{folder} was written by a newer hwnas (format 2); update hwnas"


def edited(folder, rows=None, **provenance):
    """Edit a table and make its digest match, as somebody with an editor and bad luck would."""
    path = folder / "provenance.json"
    content = {k: v for k, v in (json.loads(path.read_text()) | provenance).items() if k != "digest" and v != "gone"}
    if rows is not None:
        (folder / "rows.parquet").write_bytes(rows)
    digests = [hashlib.sha256((folder / n).read_bytes()).hexdigest() for n in ("rows.parquet", "reference.onnx")]
    path.write_text(json.dumps(content | {"digest": digest_json([*digests, content])}))


@pytest.mark.parametrize(
    ("change", "words"),
    [
        ({"target": None}, "target is None"),
        ({"target": {}}, "target has no device"),
        ({"space": 3}, "space is 3"),
        ({"space": "gone"}, "Provenance has no space"),
        ({"more": 1}, "Provenance has an unknown field 'more'"),
        ({"reference_us": float("nan")}, "reference_us is nan"),
        ({"reference_us": 0}, "a time, a batch or a thread count of its provenance cannot be"),
        ({"seconds": -0.5}, "a time, a batch or a thread count of its provenance cannot be"),
        ({"seconds": "12"}, "seconds is '12'"),
        ({"protocol": {"groups": [2]}}, "protocol 'groups' is [2]"),
        ({"versions": ["python"]}, "versions is ['python']"),
        ({"measured_at": 20260102}, "measured_at is 20260102"),
        ({"format": "1"}, "its format is unknown"),
        ({"format": 0}, "its format is unknown"),
        ({"format": "gone"}, "its format is unknown"),
        ({"format": 10**9}, "its format is unknown"),
    ],
)
def test_a_matching_digest_is_no_excuse(folder, change, words):
    edited(folder, **change)
    assert refusal(folder) == f"the latency table {folder} is truncated or damaged ({words}); profile again"


def test_an_edited_table_that_is_sound(folder, table):
    edited(folder, seconds=99.5)
    assert load_table(folder) == table(seconds=99.5)


def test_rows_of_something_else_with_a_matching_digest(folder, tmp_path):
    edited(folder, rows=b"PAR1")
    assert "its rows cannot be decoded" in refusal(folder)
    pq.write_table(pa.table({"price": [1.0]}), tmp_path / "prices.parquet")
    edited(folder, rows=(tmp_path / "prices.parquet").read_bytes())
    assert "column 'price' is none of a latency table's" in refusal(folder)


@pytest.mark.parametrize("depth", [10, 900, 990, 1000, 1100, 100_000])
def test_a_deeply_nested_provenance(folder, depth):
    (folder / "provenance.json").write_text('{"space": ' + "[" * depth + "]" * depth + "}")
    assert "truncated or damaged" in refusal(folder)


@pytest.mark.parametrize("name", FILES)
def test_a_pipe_is_not_waited_for(folder, name):
    (folder / name).unlink()
    os.mkfifo(folder / name)
    assert refusal(folder) == f"{folder} is not a latency table: {folder / name}: Not a regular file"


def test_a_file_that_is_far_too_big(folder):
    os.truncate(folder / "reference.onnx", 2**30 + 1)
    assert "reference.onnx: File too large" in refusal(folder)


def test_foreign_folders(folder, tmp_path):
    (tmp_path / "empty").mkdir()
    for foreign in (tmp_path / "empty", tmp_path / "nowhere", folder / "rows.parquet"):
        assert "is not a latency table" in refusal(foreign)
    for content in (b"", b"[]", b"null", b"{}", b'"text"', b"\xff\xfe", b'{"format": "x"}', b'{"format": 1'):
        (folder / "provenance.json").write_bytes(content)
        assert "truncated or damaged" in refusal(folder)
    (folder / "provenance.json").unlink()
    (folder / "provenance.json").mkdir()
    assert "Is a directory" in refusal(folder)


@pytest.fixture
def read_only():
    """A folder that cannot be written; root could, so it is nobody for a while."""
    with tempfile.TemporaryDirectory() as name:
        os.chmod(name, 0o555)
        me = os.geteuid()
        if me == 0:
            os.seteuid(65534)
        yield Path(name)
        os.seteuid(me)
        os.chmod(name, 0o755)


def test_a_read_only_folder(read_only, table):
    with pytest.raises(HwnasError) as e:
        save_table(table(), read_only)
    assert str(e.value) == f"cannot write {read_only / 'reference.onnx'}: Permission denied"
    assert list(read_only.iterdir()) == []


def test_folders_that_cannot_be(tmp_path, table):
    (tmp_path / "file").write_text("")
    for folder in (tmp_path / "file", tmp_path / "file" / "deeper", tmp_path / ("long" * 100)):
        with pytest.raises(HwnasError, match="cannot write"):
            save_table(table(), folder)


def test_write_atomically_keeps_the_old_content_when_it_fails(tmp_path):
    (tmp_path / "target").mkdir()
    with pytest.raises(HwnasError, match=r"cannot write .*target: Is a directory"):
        write_atomically(tmp_path / "target", b"new")
    assert [p.name for p in tmp_path.iterdir()] == ["target"]


def test_nothing_is_left_and_nothing_changed_when_the_content_never_comes(tmp_path):
    write_atomically(tmp_path / "file", b"old")

    def stopped():
        with replacing(tmp_path / "file") as file:
            file.write(b"new")
            raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        stopped()
    assert [(p.name, p.read_bytes()) for p in tmp_path.iterdir()] == [("file", b"old")]


def test_temporary_names_follow_no_links(tmp_path, monkeypatch):
    """In a folder that others write into, a link with the name of the temporary file must not be followed."""
    victim = tmp_path / "victim"
    victim.write_bytes(b"precious")
    for name in (f".file.{os.getpid()}.tmp", ".file.tmp"):
        (tmp_path / name).symlink_to(victim)
    write_atomically(tmp_path / "file", b"new")
    assert (victim.read_bytes(), (tmp_path / "file").read_bytes()) == (b"precious", b"new")
    monkeypatch.setattr("secrets.token_hex", lambda count: "guessed")
    (tmp_path / ".file.guessed.tmp").symlink_to(victim)
    with pytest.raises(HwnasError, match="File exists"):
        write_atomically(tmp_path / "file", b"newer")
    assert (victim.read_bytes(), (tmp_path / "file").read_bytes()) == (b"precious", b"new")


def test_the_mode_is_the_callers_less_the_umask(tmp_path):
    before = os.umask(0o027)
    try:
        write_atomically(tmp_path / "file", b"")
        with replacing(tmp_path / "tool", mode=0o777):
            pass
    finally:
        os.umask(before)
    assert [(tmp_path / name).stat().st_mode & 0o777 for name in ("file", "tool")] == [0o640, 0o750]


def test_json_is_for_people_and_has_no_nan(tmp_path):
    write_json(tmp_path / "file", {"b": [1, None]})
    assert (tmp_path / "file").read_text() == '{\n "b": [\n  1,\n  null\n ]\n}\n'
    for value in (float("nan"), float("inf")):
        assert json.loads(json_bytes({"a": (1.5, value)})) == {"a": [1.5, None]}


def test_digest_json_does_not_depend_on_the_order_of_keys():
    assert digest_json({"a": 1, "b": [1, 2]}) == digest_json({"b": [1, 2], "a": 1})
    assert digest_json({"a": 1}) != digest_json({"a": 2})
    assert digest_json([1, 2]) != digest_json([2, 1])
    assert digest_json(1) != digest_json(1.0)


def test_a_device_is_not_replaced(tmp_path):
    """As root, a rename onto /dev/stdout would put a file where the device was."""
    os.mkfifo(tmp_path / "pipe")
    with pytest.raises(HwnasError, match="pipe: it is a device, which a file must not replace"):
        write_atomically(tmp_path / "pipe", b"new")
    assert (tmp_path / "pipe").is_fifo()
    assert len(list(tmp_path.iterdir())) == 1
