"""One whole run in the best of all precisions, of a space so small that it takes seconds."""

import json

import pytest

from deploy.folder import manifest_of
from deploy.manifest import read_manifest
from hwnas.cli.main import main
from hwnas.lowering.ranges import RANGE_METHODS
from hwnas.run import Run, RunFolder
from latency_tables import load_table
from profilers.runtimes import make_profiler

SMALL = [
    *("--allow", "block*=mb3k3,mb6k3", "--fix", "depth*=1", "--data", "digits", "--limit", "200", "--pairs", "10"),
    *("--calibration-networks", "10", "--heldout-networks", "3", "--supernet-epochs", "1", "--evaluations", "100"),
    *("--finalists", "2", "--train-epochs", "1", "--rounds", "1", "--budget-ms", "100"),  # any network will do
]


@pytest.mark.slow
def test_a_run_in_any_precision(tmp_path, capsys):
    run = tmp_path / "run"
    code = main(["run", *SMALL, "--precision", "any", "--max-drop", "100", "--json", "--out", str(run)])
    said = capsys.readouterr()
    assert code in (0, 1), said.err
    result = json.loads(said.out)
    assert "without fp16: " in said.err  # no CPU computes in it
    for precision in ("fp32", "int8"):
        assert load_table(run / precision / "table").provenance.target.precision == precision
        assert f"{precision}: held-out error of the latency model: " in said.err
    model = run / result["onnx"]
    assert model.is_relative_to(run / result["precision"])
    assert read_manifest(model).precision == result["precision"]
    assert ("accuracy in int8" in (run / "report.html").read_text()) == (result["precision"] == "int8")
    # What is of no precision is done once, above the others.
    kinds = {where: {p.stem.partition("-")[0] for p in run.glob(f"{where}stages/*.json")} for where in ("", "int8/")}
    assert {"supernet", "predict", "train", "report"} == kinds[""]
    assert {"ops", "profile", "calibrate", "drop", "search"} <= kinds["int8/"]

    with Run(RunFolder.settings_of(run), run) as opened:
        exported = opened.branches["int8"].deployment.export(opened.inputs.space.from_text(result["arch"]))
    how = exported.lowering
    assert how.method.partition(",")[0] in RANGE_METHODS
    assert how.proof_pct == 100
    assert how.drop_points == pytest.approx(100 * (how.fp32_accuracy - how.accuracy))
    make_profiler("onnxruntime", 1, 1, "int8").open(exported.path.read_bytes()).close()

    assert main(["pareto", "--json", "--out", str(run)]) == 0
    networks = json.loads(capsys.readouterr().out)["networks"]
    assert {one["precision"] for one in networks} <= {"fp32", "int8"}
    for column in ("ms", "true_class_probability"):
        assert [one[column] for one in networks] == sorted(one[column] for one in networks)
    # The folder to hand over has the very file of the run.
    assert main(["export", "--to", "onnx", "--no-measure", "--out", str(run)]) == 0
    (handed,) = manifest_of(run / "handover").models
    assert (handed.precision, handed.accuracy) == (result["precision"], pytest.approx(result["test_accuracy"]))
    assert (run / "handover" / handed.source).read_bytes() == model.read_bytes()
    assert handed.predicted is not None
    # Another limit is another question to the export of a lower precision, and to nothing before it.
    capsys.readouterr()
    assert main(["run", "--resume", "--max-drop", "99", "--json", "--out", str(run)]) == code
    again = capsys.readouterr()
    assert json.loads(again.out)["arch"] == result["arch"]
    for stage in ("int8: latency table", "int8: what int8 costs in accuracy", "int8: search", "fp32: search"):
        assert f"{stage}: already done" in again.err


@pytest.mark.parametrize(("verb", "option"), [("run", ("--table", "T")), ("verify", ("--arch", "mbconv-32:mb3k3"))])
def test_what_is_of_one_precision_does_not_go_with_any(tmp_path, capsys, verb, option):
    assert main([verb, "--precision", "any", *option, "--out", str(tmp_path / "run")]) == 2
    assert f"{option[0]} goes with one --precision, not with any" in capsys.readouterr().err
