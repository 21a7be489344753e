import hashlib
import json
import subprocess
from dataclasses import replace

import numpy as np
import onnx
import pytest

from deploy.answers import logits
from deploy.folder import FolderError, Wanted, manifest_of, write_folder
from deploy.folder.manifest import probe_images
from deploy.formats import make_format
from deploy.onnx_file import DYNAMIC


def test_a_folder_a_model_as_tritons_repository_has_it(whole):
    paths = {path.relative_to(whole).as_posix() for path in whole.rglob("*") if path.is_file()}
    models = {
        "light-fp32-onnxruntime": ["model.onnx"],
        "light-int8-onnxruntime": ["model.onnx"],
        "light-fp32-openvino": ["model.xml", "model.bin"],
        "light-int8-openvino": ["model.xml", "model.bin"],
    }
    files = {f"{name}/1/{file}" for name, files in models.items() for file in files}
    assert paths == files | {f"{name}/config.pbtxt" for name in models} | {
        "README.md", "manifest.json", "infer.py", "probe.u8",
    }  # fmt: skip
    assert (whole / "light-int8-openvino" / "config.pbtxt").read_text() == (
        'name: "light-int8-openvino"\n'
        'backend: "openvino"\n'
        "max_batch_size: 0\n"
        'input [ { name: "image", data_type: TYPE_UINT8, dims: [ 1, 3, 8, 8 ] } ]\n'
        'output [ { name: "logits", data_type: TYPE_FP32, dims: [ 1, 2 ] } ]\n'
    )


def test_the_manifest_says_what_each_file_is_and_answers(whole, handed):
    manifest = manifest_of(whole)
    for path, record in manifest.files.items():
        content = (whole / path).read_bytes()
        assert (record.bytes, record.sha256) == (len(content), hashlib.sha256(content).hexdigest())
    fp32, int8 = manifest.model("light-fp32-onnxruntime"), manifest.model("light-int8-openvino")
    assert (whole / fp32.source).read_bytes() == handed.files[0][0]
    assert fp32.contract == handed.files[0][1]
    assert (int8.contract.precision, int8.contract.classes) == ("int8", ("dark", "bright"))
    assert int8.source == "light-int8-onnxruntime/1/model.onnx"
    assert (fp32.accuracy, fp32.drop_points, fp32.off_fp32) == (1.0, 0.0, 0.0)
    assert (int8.proof.asked, int8.proof.products, int8.proof.share_pct) == ("int8", 3, 100)
    probe = probe_images(4, (3, 8, 8))
    assert (whole / "probe.u8").read_bytes() == probe.tobytes()
    files = {"model.onnx": (whole / fp32.source).read_bytes()}
    with make_format("onnx").open(files, fp32.setting(1)) as session:
        np.testing.assert_allclose(logits(session, probe), fp32.answers, atol=1e-5)


def test_the_card_has_a_head_that_yaml_reads(whole):
    yaml = pytest.importorskip("yaml")
    _, head, text = (whole / "README.md").read_text().split("---\n", 2)
    said = yaml.safe_load(head)
    assert said["datasets"] == ["light: \U0001f98a"]
    (index,) = said["model-index"]
    assert index["name"] == manifest_of(whole).recommended
    assert index["results"][0]["metrics"] == [{"type": "accuracy", "name": "test accuracy", "value": 1.0}]
    assert "| light-int8-openvino | 100.00 % | - | - | 100 % of 3 | checked |" in text


def test_the_example_needs_numpy_and_the_runtime_alone(whole, bare_python):
    assert len((whole / "infer.py").read_text().splitlines()) <= 20
    python = bare_python("numpy", "onnxruntime")
    for name in ("light-fp32-onnxruntime", "light-int8-onnxruntime"):
        command = [python, "-P", whole / "infer.py", whole / "probe.u8", name]
        done = subprocess.run(command, capture_output=True, text=True, check=True)
        said, stored = list(map(json.loads, done.stdout.splitlines())), manifest_of(whole).model(name).answers
        np.testing.assert_allclose([s["logits"] for s in said], stored, atol=1e-5)
        assert [s["class"] for s in said] == [("dark", "bright")[int(np.argmax(row))] for row in stored]


def test_the_example_with_openvino_and_an_npy_file(whole, bare_python, tmp_path):
    python = bare_python("numpy", "openvino")
    np.save(tmp_path / "images.npy", probe_images(4, (3, 8, 8)))
    command = [python, "-P", whole / "infer.py", tmp_path / "images.npy", "light-fp32-openvino"]
    done = subprocess.run(command, capture_output=True, text=True, check=True)
    said = [json.loads(line)["logits"] for line in done.stdout.splitlines()]
    np.testing.assert_allclose(said, manifest_of(whole).model("light-fp32-openvino").answers, atol=1e-4)


def test_batches(handed, tmp_path):
    manifest = write_folder(handed, Wanted(batches=(1, 8, DYNAMIC), measure=False), tmp_path / "f")
    one, eight, any_ = (manifest.model(f"light-fp32-onnxruntime{s}") for s in ("", "-b8", "-dynamic"))
    assert [m.contract.input.shape[0] for m in (one, eight, any_)] == [1, 8, -1]
    for m in (eight, any_):
        onnx.checker.check_model(onnx.load(tmp_path / "f" / m.source), full_check=True)
        np.testing.assert_allclose(m.answers, one.answers, atol=1e-5)
        assert m.accuracy == one.accuracy
    config = (tmp_path / "f" / any_.name / "config.pbtxt").read_text()
    assert "max_batch_size: 32\n" in config
    assert "dims: [ 3, 8, 8 ]" in config


def test_what_this_processor_does_not_compute_is_said(handed, tmp_path):
    """onnxruntime has no fp16 convolution for processors: the file is for other devices, and never recommended."""
    manifest = write_folder(handed, Wanted(precisions=("fp16", "fp32"), measure=False), tmp_path / "f")
    half = manifest.model("light-fp16-onnxruntime")
    assert (half.proof.asked, half.proof.share_pct) == ("fp16", 0)
    assert "ran in fp32" in half.proof.offender
    assert half.measured is None
    assert manifest.recommended == "light-fp32-onnxruntime"


def test_a_precision_that_loses_too_much_is_left_out(handed, tmp_path):
    """No loss is small enough here; fp32 is what others are compared with, and stays."""
    wanted = Wanted(precisions=("fp32", "int8"), measure=False, max_drop_points=-101)
    manifest = write_folder(handed, wanted, tmp_path / "f")
    assert [m.name for m in manifest.models] == ["light-fp32-onnxruntime"]
    assert manifest.left_out == {"light-int8-onnxruntime": "it loses 0 points of accuracy, at most -101 are allowed"}
    assert "Left out: light-int8-onnxruntime, it loses 0 points" in (tmp_path / "f" / "README.md").read_text()
    with pytest.raises(FolderError, match="nothing is left to hand over"):
        write_folder(handed, replace(wanted, precisions=("int8",)), tmp_path / "g")
    assert not (tmp_path / "g").exists()


@pytest.mark.measures
def test_the_fastest_is_recommended(handed, tmp_path):
    manifest = write_folder(handed, Wanted(precisions=("fp32", "int8"), max_drop_points=100), tmp_path / "f")
    times = {m.name: m.measured for m in manifest.models}
    assert all(0 < t.low_ms <= t.ms <= t.high_ms for t in times.values())
    assert manifest.recommended == min(times, key=lambda name: times[name].ms)


def test_only_a_folder_of_ours_is_replaced(handed, own):
    (own / "thesis.tex").write_text("years of work")
    with pytest.raises(FolderError, match="holds other things than a folder of ours"):
        write_folder(handed, Wanted(measure=False), own)
    (own / "thesis.tex").unlink()
    write_folder(handed, Wanted(measure=False), own)
    assert sorted(p.name for p in own.iterdir()) == [
        "README.md", "infer.py", "light-fp32-onnxruntime", "manifest.json", "probe.u8",
    ]  # fmt: skip
    assert [p.name for p in own.parent.iterdir() if p.name.startswith(".")] == []


@pytest.mark.parametrize(
    ("texts", "complaint"),
    [
        (("onyx", "fp32", "1"), "unknown 'onyx'; there are onnx, openvino, tensorrt, tensorrt-rtx"),
        (("onnx", "fp8", "1"), "unknown 'fp8'; there are fp32, fp16, int8"),
        (("onnx", "fp32", "0"), "a batch is 1 to 4096 or 'dynamic', got '0'"),
    ],
)
def test_what_cannot_be_wanted(texts, complaint):
    with pytest.raises(FolderError, match=complaint):
        Wanted.of_texts(*texts)
