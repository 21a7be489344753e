"""`--table`: a table measured before is used when it fits, and refused in one line when it does not."""

import dataclasses
import json
import shutil

import pytest

from hwnas.run import Run, Settings
from latency_tables import TableError, load_table, save_table


@pytest.fixture
def measured(finished):
    return load_table(finished.folder / "table")


def run_with(table, folder):
    return Run(Settings(limit=200, calibration_networks=10, heldout_networks=3, table=str(table)), folder)


def test_used_instead_of_profiling(finished, tmp_path):
    with run_with(finished.folder / "table", tmp_path / "run") as run:
        assert run.profiling.table == load_table(finished.folder / "table")
    assert not (tmp_path / "run" / "stages" / "profile.json").exists()


@pytest.mark.parametrize(
    ("change", "says"),
    [
        ({"threads": 2}, "threads is 2, wanted 1"),
        ({"precision": "int8"}, "precision is 'int8', wanted 'fp32'"),
        ({"batch": 8}, "batch is 8, wanted 1"),
        ({"runtime": "openvino"}, "runtime is 'openvino', wanted 'onnxruntime'"),
    ],
)
def test_of_another_target(measured, tmp_path, change, says):
    target = dataclasses.replace(measured.provenance.target, **change)
    other = dataclasses.replace(measured, provenance=dataclasses.replace(measured.provenance, target=target))
    save_table(other, tmp_path / "table")
    with run_with(tmp_path / "table", tmp_path / "run") as run, pytest.raises(TableError, match=says):
        _ = run.profiling.table


def test_of_another_space_names_the_op_it_lacks(measured, tmp_path):
    provenance = dataclasses.replace(measured.provenance, space="another")
    save_table(dataclasses.replace(measured, rows=measured.rows[1:], provenance=provenance), tmp_path / "table")
    lacking = measured.rows[0].op.key
    with run_with(tmp_path / "table", tmp_path / "run") as run, pytest.raises(TableError) as caught:
        _ = run.profiling.table
    assert "is for another and has no time for 1 of 170 ops of mbconv-32" in str(caught.value)
    assert lacking in str(caught.value)


def test_on_the_command_line(finished, hwnas, tmp_path):
    table = tmp_path / "table"
    shutil.copytree(finished.folder / "table", table)
    provenance = json.loads((table / "provenance.json").read_text())
    provenance["target"]["threads"] = 4
    (table / "provenance.json").write_text(json.dumps(provenance))
    done = hwnas("profile", "--limit", 200, "--table", table, "--out", tmp_path / "run")
    assert done.returncode == 2
    assert "damaged" in done.stderr  # a hand-edited provenance is noticed
    assert "Traceback" not in done.stderr
