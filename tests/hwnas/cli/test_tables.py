"""`hwnas table`: ls, show, diff, export, and measuring where somebody else does already."""

import csv
import io
import json
from dataclasses import replace

import pytest

from hwnas.cli.main import main
from latency_tables import Journal, LatencyTable, Op, OpCost, Provenance, TableRow, Target, load_table, save_table

CONV, HEAD = Op.of("conv", (3, 8, 8), out=16), Op.of("head", (24,))


def make_table(scale=1.0, threads=1):
    rows = (
        TableRow(CONV, OpCost(0.25, 1000, 64), 100.0 * scale, 99.0 * scale, 101.0 * scale, 98.0, 110.0, 6, 3, "ci"),
        TableRow(HEAD, OpCost(0.0, 0, 0), stop_reason="error", error="no kernel [/red] for it"),
    )
    where = Target("cpu [x2]", "rt", "1.2", "fp32", 1, threads)
    return LatencyTable(rows, Provenance(where, "tiny", 50.0, "ab" * 32, {}, "2026-01-02", 1.5), b"reference")


@pytest.fixture
def said(capsys):
    """Run a command line that must succeed; gives what it printed."""

    def call(*arguments):
        capsys.readouterr()
        assert main([str(a) for a in arguments]) == 0
        return capsys.readouterr().out

    return call


@pytest.fixture
def two(tmp_path):
    save_table(make_table(), tmp_path / "a")
    save_table(make_table(scale=1.25, threads=2), tmp_path / "deep" / "b")
    return tmp_path / "a", tmp_path / "deep" / "b"


def test_ls_has_a_line_a_table(two, tmp_path, said):
    lines = said("table", "ls", tmp_path).splitlines()
    assert len(lines) == 3
    assert lines[0].split() == ["device", "runtime", "precision", "threads", "space", "ops", "measured", "folder"]
    for line, folder, threads in zip(lines[1:], two, "12", strict=True):
        words = ["cpu", "[x2]", "rt", "1.2", "fp32", threads, "tiny", "2", "2026-01-02", str(folder)]
        assert line.split() == words
    assert len(said("table", "ls", two[0]).splitlines()) == 2


def test_ls_goes_on_after_a_damaged_table(two, tmp_path, said):
    (two[0] / "rows.parquet").write_bytes(b"PAR1")
    lines = said("table", "ls", tmp_path).splitlines()
    assert [line.split()[-1] for line in lines[1:-1]] == [str(two[1])]
    assert lines[-1].startswith(f"damaged: the latency table {two[0]} is truncated or damaged")
    tables = json.loads(said("table", "ls", tmp_path, "--json"))["tables"]
    assert tables[0] == {"folder": str(two[0]), "problem": lines[-1].removeprefix("damaged: ")}
    assert tables[1] == {
        "folder": str(two[1]),
        "device": "cpu [x2]",
        "runtime": "rt",
        "runtime_version": "1.2",
        "precision": "fp32",
        "batch": 1,
        "threads": 2,
        "power_mode": "unknown",
        "space": "tiny",
        "ops": 2,
        "failed": 1,
        "measured_at": "2026-01-02",
    }


def test_ls_where_there_is_nothing(tmp_path, said, refused):
    assert said("table", "ls", tmp_path) == (f"no latency table lies below {tmp_path}; make one with `hwnas profile`\n")
    assert json.loads(said("table", "ls", tmp_path, "--json")) == {"tables": []}
    assert "is not a folder" in refused("table", "ls", tmp_path / "nowhere")


def test_ls_of_what_ships(said):
    """Tables may ship with this version or not; it says either."""
    tables = json.loads(said("table", "ls", "--json"))["tables"]
    text = said("table", "ls")
    assert text.startswith("no latency table ships") if not tables else text.startswith(" device")
    assert all("problem" not in t for t in tables)


def test_show_prints_what_a_row_says_as_it_is(two, said):
    text = said("table", "show", two[0])
    assert "no kernel [/red] for it" in text
    assert "tiny on cpu [x2]" in text
    assert json.loads(said("table", "show", two[0], "--json"))["rows"][0]["median_us"] == 100.0


def test_diff_by_hand(two, said):
    answer = json.loads(said("table", "diff", *two, "--json"))
    assert answer == {
        "fields": {"target.threads": [1, 2]},
        "only_a": [],
        "only_b": [],
        "shared": 1,
        "ratio": {"median": 1.25, "min": 1.25, "max": 1.25},
        "disjoint": 1,
        "spearman": None,
        "changes": [{"op": CONV.key, "a_us": 100.0, "b_us": 125.0, "ratio": 1.25, "disjoint": True}],
    }
    text = said("table", "diff", *two)
    assert "target.threads" in text
    assert "1 ops in both: B/A median 1.2500, 1.2500 to 1.2500; 95 % intervals apart: 1" in text
    assert text.splitlines()[-1].split() == ["conv(3x8x8;", "out=16)", "100.0", "125.0", "1.2500", "apart"]
    assert "conv(" not in said("table", "diff", *two, "--top", "0")


def test_diff_of_the_same_table_and_of_strangers(two, tmp_path, said):
    assert "the provenance is the same" in said("table", "diff", two[0], two[0])
    other = make_table()
    save_table(replace(other, rows=(replace(other.rows[0], op=Op.of("[bold]", (1,))),)), tmp_path / "other")
    text = said("table", "diff", two[0], tmp_path / "other")
    assert "1 ops have a time in A only: conv(3x8x8; out=16)" in text
    assert "1 ops have a time in B only: [bold](1)" in text
    assert "no op has a time in both" in text
    assert json.loads(said("table", "diff", two[0], tmp_path / "other", "--json"))["ratio"] is None


def test_diff_of_what_is_no_table(two, tmp_path, refused):
    assert "is not a latency table" in refused("table", "diff", two[0], tmp_path / "nowhere")
    assert "is not a latency table" in refused("table", "diff", tmp_path, two[0])


def test_export(two, tmp_path, said, refused):
    text = said("table", "export", two[0], "--csv", "-")
    first, failed = csv.DictReader(io.StringIO(text))
    assert (first["op"], first["median_us"], first["weight_mb"]) == (CONV.key, "100.0", "0.25")
    assert (failed["median_us"], failed["error"]) == ("", "no kernel [/red] for it")
    out = tmp_path / "new" / "t.csv"
    assert said("table", "export", two[0], "--csv", out) == f"{out}: 2 ops\n"
    assert out.read_text() == text
    assert "cannot write" in refused("table", "export", two[0], "--csv", tmp_path)
    assert "--csv" in refused("table", "export", two[0])
    assert "names no file" in refused("table", "export", two[0], "--csv", "")


def test_a_table_that_is_being_measured_by_somebody_else(two_ops, tmp_path, refused):
    pytest.importorskip("onnxruntime")
    out = tmp_path / "table"
    with Journal(out / "journal.jsonl", {"work": 1}) as journal:
        journal.append({"i": 1})
        before = journal.path.read_bytes()
        said = refused("table", "measure", two_ops, "--out", out)
        assert said.endswith("is being written by another process; wait for it or stop it")
        assert journal.path.read_bytes() == before


def test_what_was_exported_is_what_was_loaded(two, said):
    rows = list(csv.DictReader(io.StringIO(said("table", "export", two[1], "--csv", "-"))))
    assert [float(r["median_us"]) for r in rows if r["median_us"]] == [load_table(two[1]).rows[0].median_us]


def test_memory_and_energy_beside_the_times(two_ops, tmp_path, said, refused):
    table = tmp_path / "table"
    said("table", "measure", two_ops, "--rounds", 1, "--out", table, "--json")
    before = load_table(table)
    answer = json.loads(said("table", "resources", table, "--ops", two_ops, "--seconds", "0.01", "--json"))
    after = load_table(table)
    assert answer["ops"] == 2
    assert answer["failed"] == 0
    assert answer["with_memory"] == sum(row.peak_memory_mb is not None for row in after.rows)
    times = [[replace(row, peak_memory_mb=None, energy_mj=None) for row in t.rows] for t in (before, after)]
    assert times[0] == times[1]
    assert ("peak MB" in said("table", "show", table)) == (answer["with_memory"] > 0)
    assert "must be more than 0" in refused("table", "resources", table, "--ops", two_ops, "--seconds", "0")
    save_table(make_table(), tmp_path / "foreign")
    assert "unknown runtime" in refused("table", "resources", tmp_path / "foreign", "--ops", two_ops)
