import json
import shutil

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from latency_tables import (
    HwnasError,
    Journal,
    Measurement,
    TableError,
    load_table,
    quiet_reference_us,
    save_table,
    summarise,
)
from latency_tables.progress import silent
from latency_tables.storage.journal import read_journal
from profilers.boards.kit import measure_kit, read_kit
from profilers.boards.results import import_results


@pytest.fixture(scope="module")
def measured(quick_kit, tmp_path_factory):
    """What a kit left: look, but do not touch."""
    folder = tmp_path_factory.mktemp("measured") / "results"
    measure_kit(read_kit(quick_kit), folder, lambda stage: silent)
    return folder


@pytest.fixture
def results(measured, tmp_path):
    """A copy of what a kit left."""
    return shutil.copytree(measured, tmp_path / "results")


def journalled(folder, part):
    return [Measurement.from_json(record) for record in read_journal(folder / f"{part}.jsonl")[1]]


def test_the_table_is_what_the_journal_says(measured, quick_kit):
    table, networks, _ = import_results(measured)
    plan, visits = read_kit(quick_kit).parts["ops"].plan, journalled(measured, "ops")
    reference_us = quiet_reference_us(visits)
    assert [row.op for row in table.rows] == [m.op for m in plan.models]
    for row in table.rows[:2]:
        s = summarise([v for v in visits if v.key == row.op.key])
        assert row.median_us == pytest.approx(s.ratio * reference_us, rel=1e-12)
        assert (row.rounds, row.groups, row.min_us) == (2, 2, s.min_us)
    assert table.rows[1].median_us > table.rows[0].median_us
    assert [key for key, _ in networks] == ["tiny:2", "tiny:6"]
    seen = journalled(measured, "networks")
    for key, ms in networks:
        ratio = summarise([v for v in seen if v.key == key]).ratio
        assert ms == pytest.approx(ratio * reference_us / 1e3, rel=1e-12)


def test_it_is_the_boards_table(results):
    record = json.loads((results / "board.json").read_bytes())
    record["versions"] = {"python": "3.11.0", "numpy": "1.26.0", "system": "an older one"}
    record["target"]["power_mode"] = "powersave"  # it may change while a board is measured
    (results / "board.json").write_text(json.dumps(record))
    provenance = import_results(results)[0].provenance
    assert vars(provenance.target) == record["target"]
    assert provenance.versions == record["versions"]
    assert provenance.space == "tiny"


def test_an_op_that_failed_is_a_row_with_its_error(measured, tmp_path):
    table, *_ = import_results(measured)
    failed = table.rows[2]
    assert failed.error.startswith("onnxruntime cannot run the model: ")
    assert failed.median_us is None
    assert table.coverage([row.op for row in table.rows]).failed == (failed.op,)
    save_table(table, tmp_path / "table")
    assert load_table(tmp_path / "table").rows == table.rows


def test_importing_changes_nothing(measured):
    before = {p: (p.read_bytes(), p.stat().st_mtime_ns) for p in measured.rglob("*") if p.is_file()}
    import_results(measured)
    assert {p: (p.read_bytes(), p.stat().st_mtime_ns) for p in measured.rglob("*") if p.is_file()} == before


def test_a_journal_cut_mid_record(results):
    whole, *_ = import_results(results)
    path = results / "ops.jsonl"
    path.write_bytes(path.read_bytes()[:-40])
    table, networks, _ = import_results(results)
    assert sum(row.rounds for row in table.rows) == sum(row.rounds for row in whole.rows) - 1
    assert len(networks) == 2


def test_damaged_records_are_counted(results):
    whole = import_results(results)
    assert whole.damaged == 0
    for part, place in (("ops", 1), ("ops", 3), ("networks", 2)):
        path = results / f"{part}.jsonl"
        lines = path.read_bytes().splitlines(keepends=True)
        lines[place] = lines[place].replace(b"a", b"b", 1)
        path.write_bytes(b"".join(lines))
    found = import_results(results)
    assert found.damaged == 3
    assert sum(row.rounds for row in found.table.rows) < sum(row.rounds for row in whole.table.rows)


def test_what_a_board_had_not_come_to(results):
    lines = (results / "ops.jsonl").read_bytes().splitlines(keepends=True)
    (results / "ops.jsonl").write_bytes(b"".join(lines[:2]))  # the header and one visit
    (results / "networks.jsonl").unlink()
    table, networks, _ = import_results(results)
    missing = [row.op for row in table.rows if row.error == "never visited"]
    assert len(missing) == 2
    assert set(missing) <= set(table.coverage([row.op for row in table.rows]).failed)
    assert networks == []
    (results / "ops.jsonl").write_bytes(lines[0])
    with pytest.raises(TableError, match="no op of tiny could be measured"):
        import_results(results)


def test_a_network_without_its_visits_is_left_out(results):
    path = results / "networks.jsonl"
    lines = path.read_bytes().splitlines(keepends=True)
    path.write_bytes(b"".join(lines[:3]))  # the header and both visits to the first
    first = read_journal(path)[1][0]["key"]
    assert [key for key, _ in import_results(results)[1]] == [first]


def test_what_is_not_what_a_kit_left(results, tmp_path):
    (tmp_path / "file").write_text("")
    for folder, why in (
        (tmp_path, "No such file"),
        (tmp_path / "nowhere", "No such file"),
        (tmp_path / "file", "Not a"),
    ):
        with pytest.raises(HwnasError, match=f"^{folder} is not what a kit left: .*: {why}"):
            import_results(folder)
    for name, why in (
        ("ops/plan.json", "is not a plan"),
        ("ops/reference.onnx", "cannot read the model"),
        ("ops.jsonl", "cannot read the journal"),
    ):
        kept = (results / name).read_bytes()
        (results / name).unlink()
        with pytest.raises(HwnasError, match=why):
            import_results(results)
        (results / name).write_bytes(kept)
    import_results(results)


def test_the_journal_of_other_work(results, tmp_path):
    record = json.loads((results / "board.json").read_bytes())
    record["target"]["threads"] = 4
    (results / "board.json").write_text(json.dumps(record))
    with pytest.raises(HwnasError, match=r"ops.jsonl is the journal of other work than .*board.json says"):
        import_results(results)


def test_a_record_that_is_none(results):
    header, *_ = read_journal(results / "ops.jsonl")
    with Journal(results / "ops.jsonl", header) as journal:
        journal.append({"arch": "1-2", "accuracy": 0.5})
    with pytest.raises(HwnasError, match=r"ops.jsonl has a record that is no measurement"):
        import_results(results)


@pytest.mark.parametrize("content", ["", "{", "[]", "{}", '{"target": {}}', "null"])
def test_a_damaged_record_of_the_board(results, content):
    (results / "board.json").write_text(content)
    with pytest.raises(HwnasError, match=r"board.json is damaged"):
        import_results(results)


FILES = ("board.json", "ops.jsonl", "networks.jsonl", "ops/plan.json", "networks/plan.json", "ops/reference.onnx")


@settings(max_examples=300, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(data=st.data())
def test_whatever_is_damaged_is_one_line_or_no_harm(measured, tmp_path, data):
    """No traceback, and what is read is never a time that was not measured."""
    name = data.draw(st.sampled_from(FILES))
    content = bytearray((measured / name).read_bytes())
    at = data.draw(st.integers(0, len(content) - 1))
    kind = data.draw(st.sampled_from(["cut", "flip", "insert"]))
    if kind == "cut":
        del content[at:]
    elif kind == "flip":
        content[at] ^= data.draw(st.integers(1, 255))
    else:
        content[at:at] = data.draw(st.binary(min_size=1, max_size=4))
    folder = tmp_path / "damaged"
    shutil.rmtree(folder, ignore_errors=True)
    shutil.copytree(measured, folder)
    (folder / name).write_bytes(content)
    said = ""
    try:
        table, networks, _ = import_results(folder)
    except HwnasError as e:
        said = str(e)
    else:
        assert all(row.median_us is None or row.median_us > 0 for row in table.rows)
        assert all(ms > 0 for _, ms in networks)
    assert "\n" not in said
