"""The folder of a whole run, made and checked by the command line."""

import json

import pytest

from deploy.folder import manifest_of
from hwnas.cli.main import main


def test_a_run_is_handed_over_and_checked_by_a_stranger(own_copy, capsys):
    result = json.loads((own_copy / "result.json").read_text())
    command = ["export", "--to", "onnx", "--precision", "fp32,int8", "--max-drop", "100", "--no-measure"]
    assert main([*command, "--out", str(own_copy), "--json"]) == 0
    said = json.loads(capsys.readouterr().out)
    folder = own_copy / "handover"
    assert said["folder"] == str(folder)
    fp32, int8 = manifest_of(folder).models
    assert (fp32.precision, int8.precision) == ("fp32", "int8")
    assert (folder / fp32.source).read_bytes() == (own_copy / result["onnx"]).read_bytes()
    assert fp32.accuracy == pytest.approx(result["test_accuracy"])
    assert fp32.predicted.low_ms < fp32.predicted.ms < fp32.predicted.high_ms
    assert (int8.predicted, int8.contract.architecture) == (None, result["arch"])
    assert main(["verify", str(folder), "--data", "digits", "--limit", "200", "--json"]) == 0
    said = json.loads(capsys.readouterr().out)
    assert said["verdict"] == "PASS"
    assert [m["accuracy"] for m in said["models"]] == [pytest.approx(m.accuracy) for m in (fp32, int8)]


@pytest.mark.parametrize(
    ("words", "complaint"),
    [
        (["export", "--folder", "x"], "--folder goes with --to"),
        (["export", "--to", "onyx"], "unknown 'onyx'; there are onnx, openvino, tensorrt, tensorrt-rtx"),
        (["export", "--to", "onnx", "--precision", "fp8"], "unknown 'fp8'; there are fp32, fp16, int8"),
        (["verify", "--model", "x"], "--trust and --model go with a folder"),
        (["verify", ".", "--threads", "2"], "--threads does not go with a folder"),
        (["verify", "."], "is no folder of `hwnas export --to`"),
    ],
)
def test_what_cannot_be_asked(words, complaint, refused, monkeypatch, tmp_path):
    monkeypatch.chdir(tmp_path)
    assert complaint in refused(*words)
