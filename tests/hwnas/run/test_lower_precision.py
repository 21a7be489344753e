"""One whole run in int8, of a space so small that it takes seconds."""

import json

import pytest

from deploy.folder import manifest_of
from deploy.manifest import read_manifest
from hwnas.cli.main import main
from hwnas.lowering.ranges import RANGE_METHODS
from profilers.runtimes import make_profiler

pytestmark = pytest.mark.slow

SMALL = [
    *("--allow", "block*=mb3k3,mb6k3", "--fix", "depth*=1", "--data", "digits", "--limit", "200", "--pairs", "10"),
    *("--calibration-networks", "10", "--heldout-networks", "3", "--supernet-epochs", "1", "--evaluations", "100"),
    *("--finalists", "1", "--train-epochs", "2", "--budget-ms", "100"),  # any network will do
]


def test_a_run_in_int8(tmp_path, capsys):
    run = tmp_path / "run"
    code = main(["run", *SMALL, "--precision", "int8", "--max-drop", "100", "--json", "--out", str(run)])
    said = capsys.readouterr()
    assert code in (0, 1), said.err
    result = json.loads(said.out)
    how = result["lowering"]
    assert result["precision"] == "int8"
    assert how["method"].partition(",")[0] in RANGE_METHODS
    assert how["proof_pct"] == 100
    assert how["drop_points"] == pytest.approx(100 * (how["fp32_accuracy"] - how["accuracy"]))
    model = run / result["onnx"]
    make_profiler("onnxruntime", 1, 1, "int8").open(model.read_bytes()).close()
    manifest = read_manifest(model)
    assert (manifest.precision, manifest.lowering.method) == ("int8", how["method"])
    page = (run / "report.html").read_text()
    assert "accuracy in int8" in page
    assert how["method"] in page
    # Another limit is another question to the export, and to nothing before it.
    before = {p.stem: p.stat().st_mtime_ns for p in (run / "stages").glob("*.json")}
    assert main(["export", "--max-drop", "99", "--json", "--out", str(run)]) == 0
    assert json.loads(capsys.readouterr().out)["lowering"] == how
    after = {p.stem: p.stat().st_mtime_ns for p in (run / "stages").glob("*.json")}
    assert {name.partition("-")[0] for name in after if after[name] != before[name]} == {"export"}
    # The folder to hand over has the very file of the run, and the fp32 one that it was made from.
    assert main(["export", "--to", "onnx", "--no-measure", "--max-drop", "99", "--out", str(run)]) == 0
    (int8,) = manifest_of(run / "handover").models
    assert (run / "handover" / int8.source).read_bytes() == model.read_bytes()
    assert int8.accuracy == pytest.approx(result["test_accuracy"])
    assert int8.predicted is not None
