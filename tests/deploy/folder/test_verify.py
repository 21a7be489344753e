import hashlib
import json
from dataclasses import asdict, replace

import numpy as np
import pytest

from deploy.folder import FolderError, Wanted, manifest_of, verify_folder, write_folder
from deploy.folder.manifest import FileRecord, Milliseconds
from deploy.folder.trust import built_here, record_built
from deploy.folder.verify import ModelFindings, judge
from deploy.formats.onnx_file import OnnxFormat
from hwnas.cli.main import main
from latency_tables.storage.signed import signed_bytes


def forge(folder, manifest=None, **changes):
    """Sign a manifest anew, as anybody can, with the digests of the files as they are."""
    manifest = replace(manifest or manifest_of(folder), **changes)
    files = {
        path: FileRecord(len(c := (folder / path).read_bytes()), hashlib.sha256(c).hexdigest())
        for path in manifest.files
        if (folder / path).is_file()
    }
    (folder / "manifest.json").write_bytes(replace(manifest, files=manifest.files | files).to_bytes())


def failed(folder, **options):
    said = verify_folder(folder, **options)
    assert said.verdict == "FAIL"
    assert all("\n" not in reason for reason in said.reasons)
    return said.reasons[0]


def test_an_untouched_folder_passes(whole, handed):
    test = handed.data.test
    said = verify_folder(whole, images=test, classes=handed.data.classes)
    assert (said.verdict, said.reasons) == ("PASS", ())
    assert {m.name: m.accuracy for m in said.models} == {m.name: m.accuracy for m in manifest_of(whole).models}
    assert all(m.rebuilt_off < 1e-4 and m.file_off < 1e-4 for m in said.models)


def test_one_byte_of_any_file(own):
    for path in [*manifest_of(own).files, "manifest.json"]:
        content = (own / path).read_bytes()
        for at in (0, len(content) // 2, len(content) - 1):
            (own / path).write_bytes(content[:at] + bytes([content[at] ^ 1]) + content[at + 1 :])
            assert path in failed(own)
        (own / path).write_bytes(content)


def test_files_that_come_and_go(own):
    (own / "light-fp32-onnxruntime" / "1" / "model.onnx.data").write_bytes(b"weights")
    assert failed(own).endswith("is not listed in manifest.json")
    (own / "light-fp32-onnxruntime" / "1" / "model.onnx.data").unlink()
    (own / "infer.py").unlink()
    assert failed(own) == "cannot read infer.py: No such file or directory"


def test_links(own, tmp_path):
    outside = tmp_path / "infer.py"
    (own / "infer.py").rename(outside)
    (own / "infer.py").symlink_to(outside)
    assert failed(own) == "infer.py is a link"
    (own / "infer.py").unlink()
    outside.rename(own / "infer.py")
    (own / "light-fp32-onnxruntime").rename(tmp_path / "elsewhere")
    (own / "light-fp32-onnxruntime").symlink_to(tmp_path / "elsewhere")
    assert "light-fp32-onnxruntime" in failed(own)


@pytest.mark.parametrize("path", ["../infer.py", "/etc/passwd", "a/../../b", "a//b", "C:\\x", "a/./b", ".git/x", ""])
def test_paths_that_lead_out(own, path):
    manifest = manifest_of(own)
    forge(own, manifest, files={**manifest.files, path: FileRecord(1, "0" * 64)})
    assert "is no path inside the folder" in failed(own)


def test_a_forged_manifest_is_held_against_the_models(one):
    manifest = manifest_of(one)
    (first,) = manifest.models
    wrong = replace(first, answers=tuple(row[::-1] for row in first.answers))
    forge(one, manifest, models=(wrong,))
    assert "built here from ONNX it answers otherwise than stored" in failed(one)
    swapped = replace(first, contract=replace(first.contract, classes=("bright", "dark")))
    forge(one, manifest, models=(swapped,))
    assert "says other things of light-fp32-onnxruntime than" in failed(one)


def test_a_model_that_asks_for_more_than_its_file(own):
    import onnx

    source = own / manifest_of(own).models[0].source
    proto = onnx.load(source)
    weights = proto.graph.initializer[0]
    weights.ClearField("raw_data")
    weights.data_location = onnx.TensorProto.EXTERNAL
    weights.external_data.add(key="location", value="../../../etc/passwd")
    source.write_bytes(proto.SerializeToString())
    manifest = manifest_of(own)
    digest = hashlib.sha256(source.read_bytes()).hexdigest()
    models = [
        replace(m, contract=replace(m.contract, sha256=digest)) if own / m.source == source else m
        for m in manifest.models
    ]
    forge(own, manifest, models=tuple(models))
    assert failed(own).endswith("has weights in another file; a model of ours is one file")


@pytest.mark.parametrize(
    "content", [b"", b"[]", b"{}", b"[" * 10_000, b"\xff", signed_bytes({"schema": 2}), signed_bytes({"schema": 1})]
)
def test_what_is_no_manifest(own, content):
    (own / "manifest.json").write_bytes(content)
    assert failed(own).startswith("manifest.json was edited or damaged: ")


def test_another_spelling_of_the_same_manifest(own):
    path = own / "manifest.json"
    path.write_text(json.dumps(json.loads(path.read_text())))
    assert failed(own) == "manifest.json was edited or damaged: it is not written as hwnas writes it"


def test_no_folder(tmp_path):
    with pytest.raises(FolderError, match="is no folder of `hwnas export --to`"):
        verify_folder(tmp_path)


def test_images_of_other_classes(whole, handed):
    with pytest.raises(FolderError, match="the images have the classes cat, dog"):
        verify_folder(whole, images=handed.data.test, classes=("cat", "dog"))


@pytest.mark.measures
@pytest.mark.usefixtures("one_process")
def test_budgets(one):
    said = verify_folder(one, budget_ms=1e6)
    assert said.verdict == "PASS"
    (found,) = said.models
    assert found.measured.low_ms <= found.measured.ms <= found.measured.high_ms
    said = verify_folder(one, budget_ms=1e-6)
    assert said.verdict != "PASS"  # INCONCLUSIVE where one process had so few quiet moments that the interval is wide
    assert " budget 1e-06 ms" in "\n".join(said.reasons)


@pytest.mark.parametrize(
    ("low", "high", "verdict"),
    [(1, 2, "PASS"), (1, 3, "PASS"), (2, 4, "INCONCLUSIVE"), (3, 4, "INCONCLUSIVE"), (4, 5, "FAIL")],
)
def test_a_budget_of_3_ms(low, high, verdict):
    """Inside is PASS, outside FAIL; an interval that holds the budget decides nothing."""
    found = ModelFindings("m", rebuilt_off=0.0, measured=Milliseconds((low + high) / 2, low, high))
    assert judge([found], "m", 3.0).verdict == verdict
    assert judge([replace(found, measured=None)], "m", 3.0).verdict == "INCONCLUSIVE"
    assert judge([replace(found, failures=("it died",))], "m", 3.0).reasons == ("m: it died",)


def test_engines_that_were_built_here_are_remembered(tmp_path):
    assert built_here() == frozenset()
    record_built(["a", "b"])
    record_built(["b", "c"])
    assert built_here() == {"a", "b", "c"}
    (record,) = (tmp_path / "state").rglob("*.json")
    record.write_bytes(record.read_bytes()[:-5])
    assert built_here() == frozenset()


def test_the_command_line(one, capsys):
    assert main(["verify", str(one), "--json"]) == 0
    said = json.loads(capsys.readouterr().out)
    assert (said["verdict"], said["model"]) == ("PASS", "light-fp32-onnxruntime")
    (one / "infer.py").write_text("print('never run')")
    assert main(["verify", str(one)]) == 1
    assert "FAIL\n  infer.py has 18 bytes" in capsys.readouterr().out
    assert main(["verify", str(one), "--threads", "2"]) == 2
    assert "--threads does not go with a folder" in capsys.readouterr().err
    assert main(["verify", "--trust", "0" * 64]) == 2


def test_plans_are_built_without_a_gpu(handed, tmp_path):
    """Their answers cannot be compared here, so the verdict is open."""
    pytest.importorskip("tensorrt_rtx", reason="needs TensorRT for RTX: pip install 'hwnas[tensorrt-rtx]'")
    wanted = Wanted(("tensorrt-rtx",), ("fp32", "int8"), capabilities=("8.6", "12.0"), max_drop_points=100)
    manifest = write_folder(handed, wanted, tmp_path / "f")
    names = sorted(p.relative_to(tmp_path / "f").as_posix() for p in (tmp_path / "f").rglob("*.plan"))
    assert names == [f"light-{p}-tensorrt-rtx/1/model-sm{c}.plan" for p in ("fp32", "int8") for c in ("120", "86")]
    for model in manifest.models:
        assert model.unchecked.startswith("not checked: ")
        assert (model.answers, model.measured) == ((), None)
        assert model.proof.share_pct == 100
        assert model.source == f"{model.name}/source.onnx"
    assert len(built_here()) == 4
    said = verify_folder(tmp_path / "f")
    assert said.verdict == "INCONCLUSIVE"
    assert all(m.file_off is None and m.rebuilt_off is None for m in said.models)
    plan = tmp_path / "f" / names[0]
    plan.write_bytes(plan.read_bytes()[::-1])
    assert names[0] in failed(tmp_path / "f")


def test_an_engine_is_opened_only_when_vouched_for(one, monkeypatch):
    """Here ONNX files count as engines: what decides is the same for every format."""
    monkeypatch.setattr(OnnxFormat, "is_engine", True)
    manifest, name = manifest_of(one), "light-fp32-onnxruntime"

    def opened(**options):
        (found,) = verify_folder(one, **options).models
        assert found.rebuilt_off is not None
        return found.file_off is not None

    digest = manifest.files[f"{name}/1/model.onnx"].sha256
    assert not opened()
    assert not opened(trust=["0" * 64])
    assert opened(trust=[digest.upper()])
    record_built([digest])
    assert opened()


def test_a_manifest_is_read_back(whole):
    manifest = manifest_of(whole)
    assert asdict(manifest)["schema"] == 1
    assert np.array(manifest.models[0].answers).shape == (4, 2)
