"""`hwnas table predict` and `hwnas table which`: milliseconds by a table, and which networks to time for one."""

import csv
import json
import subprocess
import sys

import numpy as np
import pytest

from hwnas.cli.main import main
from hwnas.spaces import NasBenchMacro, mbconv_space
from hwnas.tables.calibrated import load_model
from latency_tables import LatencyTable, OpCost, Provenance, TableRow, Target, load_table, save_table
from latency_tables.storage.find import shipped_tables

MACRO, MBCONV = NasBenchMacro(), mbconv_space("mbconv-32")


@pytest.fixture
def macro(tmp_path):
    """A table of nasbench-macro without calibration networks; op i takes i + 1 tenths of a ms."""
    provenance = Provenance(Target("board", "tflite", "1", "fp32", 1, 1), MACRO.name, 350.0, "", {}, "2026-01-01", 1.0)
    rows = tuple(
        TableRow(op, OpCost(0.1, 10**6, 10**4), median_us=100.0 * (i + 1)) for i, op in enumerate(MACRO.all_ops)
    )
    save_table(LatencyTable(rows, provenance, b""), tmp_path / "macro")
    return tmp_path / "macro"


@pytest.fixture(scope="module")
def shipped():
    """A table that ships, of mbconv-32, with calibration networks beside it."""
    return sorted(path.parent for path in shipped_tables().rglob("fp32-1t/mbconv-32/networks.csv"))[0]


def test_a_sum_of_ops_by_hand(macro, capsys):
    arch = "02012100"
    by_hand = sum((MACRO.all_ops.index(op) + 1) / 10 for op in MACRO.ops(MACRO.from_text(arch)))
    assert main(["table", "predict", str(macro), "--arch", arch, "--json"]) == 0
    answer = json.loads(capsys.readouterr().out)
    (one,) = answer.pop("networks")
    assert answer == {"table": str(macro), "calibrated": False}
    assert one["arch"] == arch
    assert [one["ms"], one["lower_ms"], one["upper_ms"]] == pytest.approx([by_hand] * 3)
    assert main(["table", "predict", str(macro), "--arch", arch]) == 0
    header, line, note = capsys.readouterr().out.splitlines()
    assert header.split() == ["ms", "lower", "upper", "arch"]
    assert line.split() == [*[f"{by_hand:.4g}"] * 3, arch]
    assert "no whole network has calibrated" in note


def test_calibrated_where_networks_are_beside_the_table(shipped, tmp_path, capsys):
    archs = MBCONV.sample(np.random.default_rng(3), 4)
    with open(tmp_path / "archs.csv", "w", newline="") as file:
        csv.writer(file).writerows([("note", "arch"), *(("x", MBCONV.to_text(a)) for a in archs)])
    assert main(["table", "predict", str(shipped), "--archs", str(tmp_path / "archs.csv"), "--json"]) == 0
    answer = json.loads(capsys.readouterr().out)
    model, _ = load_model(shipped, load_table(shipped), MBCONV)
    expected = model.predict(archs)
    assert answer["calibrated"]
    for key in ("ms", "lower_ms", "upper_ms"):
        assert [one[key] for one in answer["networks"]] == pytest.approx(getattr(expected, key).tolist())
    assert all(one["lower_ms"] < one["ms"] < one["upper_ms"] for one in answer["networks"])


def test_no_torch_is_needed_to_price_networks(shipped):
    arch = MBCONV.to_text(MBCONV.sample(np.random.default_rng(3), 1)[0])
    code = (
        "import sys; from hwnas.cli.main import main\n"
        f"assert main(['table', 'predict', {str(shipped)!r}, '--arch', {arch!r}]) == 0\n"
        "print('imported', sorted({'torch', 'onnx'} & set(sys.modules)))"
    )
    done = subprocess.run([sys.executable, "-P", "-c", code], capture_output=True, text=True, check=True)
    assert done.stdout.splitlines()[-1] == "imported []"


def test_networks_that_cannot_be_priced(macro, tmp_path, refused):
    assert "--arch" in refused("table", "predict", macro)
    (tmp_path / "archs.csv").write_text("arch\n02012100\nwhat\n")
    assert "--archs FILE" in refused("table", "predict", macro, "--arch", "02012100", "--archs", tmp_path / "archs.csv")
    assert "archs.csv, row 3: " in refused("table", "predict", macro, "--archs", tmp_path / "archs.csv")
    assert "--arch: " in refused("table", "predict", macro, "--arch", "what")
    (tmp_path / "archs.csv").write_text("network\n02012100\n")
    said = refused("table", "predict", macro, "--archs", tmp_path / "archs.csv")
    assert said.endswith("has no column 'arch'; its first row must name the column arch")
    (tmp_path / "archs.csv").write_text("arch\n")
    assert "names no network" in refused("table", "predict", macro, "--archs", tmp_path / "archs.csv")
    assert "is not a latency table" in refused("table", "predict", tmp_path / "nowhere", "--arch", "02012100")


def test_which_networks_to_time_and_then_a_table_fitted_on_them(tmp_path, capsys):
    runs, which = tmp_path / "runs.csv", ["table", "which", "--space", "nasbench-macro", "-k", "12"]
    assert main([*which, "--json"]) == 0
    archs = json.loads(capsys.readouterr().out)["archs"]
    assert len(set(archs)) == 12
    assert main(which) == 0
    assert capsys.readouterr().out.splitlines() == archs
    assert main([*which, "--out", str(runs)]) == 0
    header, *lines = runs.read_text().splitlines()
    assert (header, lines) == ("arch,ms", [f"{arch}," for arch in archs])
    timed = [f"{arch},{1 + len(MACRO.ops(MACRO.from_text(arch))) / 10 + i / 100}" for i, arch in enumerate(archs)]
    runs.write_text("\n".join([header, *timed]) + "\n")
    fit = ["--space", "nasbench-macro", "--device", "board", "--runtime", "tflite", "--classes", "10"]
    assert main(["table", "fit", str(runs), *fit, "--out", str(tmp_path / "fitted")]) == 0
    assert main([*which, "--like", str(tmp_path / "fitted"), "--json"]) == 0
    assert len(json.loads(capsys.readouterr().out.splitlines()[-1])["archs"]) == 12


def test_what_cannot_be_chosen(macro, refused):
    assert "-k" in refused("table", "which", "--space", "nasbench-macro", "-k", "0")
    assert "cannot choose 2000 of the 1000" in refused("table", "which", "--space", "nasbench-macro", "-k", "2000")
    assert "is for nasbench-macro, not for mbconv-32" in refused(
        "table", "which", "--space", "mbconv-32", "--like", macro
    )
