import random

import pytest

from benchmarks import _answers, _folder, _int8_speed, _rtx
from deploy.folder import Wanted, verify_folder, write_folder
from hwnas.data import load_dataset

pytestmark = pytest.mark.slow


@pytest.fixture(scope="module")
def _needs_rtx():
    pytest.importorskip("tensorrt_rtx", reason="needs TensorRT for RTX: pip install 'hwnas[tensorrt-rtx]'")


@pytest.mark.usefixtures("_needs_rtx")
def test_ops_alone_have_the_kernels_of_their_blocks_on_a_seed_of_its_own():
    figures, details = _rtx._equal_kernels(1, seed=5)
    assert figures == {"op_kernels_equal_pct": 100, "layers_without_block": 0}
    assert details["compared"] > 20
    assert details["differ"] == []


@pytest.mark.usefixtures("_needs_rtx")
def test_files_that_are_not_what_they_are_called_are_caught():
    caught_pct, said = _rtx._wrong_forms()
    assert caught_pct == 100, said
    assert len(said) == 6


@pytest.mark.usefixtures("_needs_rtx")
def test_two_processes_build_the_same_plan():
    assert _rtx._reproducible(seed=5)


def test_every_runtime_answers_as_torch_does(monkeypatch):
    for runtime in _answers._RUNTIMES:
        pytest.importorskip(runtime)
    monkeypatch.setattr(_answers, "_data", lambda: [("digits", load_dataset("digits", limit=200))])
    monkeypatch.setattr(_answers, "_IMAGES", 20)
    figures, details = _answers.answers(1, seed=5, epochs=1)
    assert figures["parity_max_abs"] < 1e-4
    assert figures["top1_agreement_pct"] == 100
    assert figures["int8_integer_pct"] == 100
    ((network,),) = (details["digits"].values(),)
    assert {"onnxruntime max_abs", "ncnn agreement_pct", "openvino int8 drop_points"} <= network.keys()


@pytest.mark.measures
def test_int8_is_compared_in_both_forms():
    pytest.importorskip("openvino")
    figures, details = _int8_speed.int8_speed(1, seed=5)
    assert set(figures) == {
        *(f"int8_faster_pct.{runtime}" for runtime in ("onnxruntime", "openvino")),
        "int8_time_share.onnxruntime.between-ops",
        *(f"int8_time_share.openvino.{form}" for form in ("between-ops", "product-inputs")),
    }
    assert all(0.1 < figures[name] < 10 for name in figures if "share" in name)
    (ratios,) = details["openvino"].values()
    assert set(ratios) == {"fp32", "between-ops", "product-inputs"}


def test_whatever_is_tampered_with_is_refused(tmp_path, monkeypatch):
    monkeypatch.setenv("XDG_STATE_HOME", str(tmp_path / "state"))
    handed, _ = _folder._exported(tmp_path, seed=5)
    write_folder(handed, Wanted(measure=False), tmp_path / "f")
    rng, folder = random.Random(5), tmp_path / "f"
    found = [*_folder._one_byte(folder, rng), *_folder._escapes(folder, tmp_path), *_folder._mutants(folder, 50, rng)]
    assert len(found) > 80
    assert set(found) == {"refused"}
    assert verify_folder(folder).verdict == "PASS"
