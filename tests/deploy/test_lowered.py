"""Lower precisions of a small network that was trained, on the runtimes themselves."""

import platform

import numpy as np
import onnx
import onnxruntime
import pytest
import torch
from torch import nn

from deploy.answers import true_class_probability
from deploy.export import export_network
from deploy.lowered import Lowered, PrecisionError, lower
from deploy.manifest import Lowering, read_manifest
from hwnas.data import Dataset, Split
from hwnas.lowering.image_input import with_image_input
from hwnas.lowering.onnx_graph import onnx_from_module
from hwnas.lowering.precision import quantised
from hwnas.lowering.ranges import RANGE_METHODS, calibrate
from profilers.runtimes import make_profiler

SIZE = 8


def split(rng, count):
    """Class 0 is bright on the left, class 1 on the right; so noisy that not all can be told."""
    labels = np.arange(count) % 2
    images = rng.integers(0, 200, (count, 3, SIZE, SIZE))
    images[labels == 0, :, :, : SIZE // 2] += 25
    images[labels == 1, :, :, SIZE // 2 :] += 25
    return Split(images.astype(np.uint8), labels)


@pytest.fixture(scope="module")
def data():
    rng = np.random.default_rng(0)
    return Dataset("sides", split(rng, 120), split(rng, 60), split(rng, 20), ("left", "right"), mirror=False)


def normalised(data, images):
    mean, std = (a[:, None, None] for a in data.mean_std)
    return torch.from_numpy(((images / np.float32(255) - mean) / std).astype(np.float32))


@pytest.fixture(scope="module")
def trained(data):
    torch.manual_seed(0)
    convolutions = [nn.Conv2d(3, 8, 3, padding=1), nn.ReLU(), nn.Conv2d(8, 8, 3, 2, 1), nn.ReLU()]
    network = nn.Sequential(*convolutions, nn.Flatten(), nn.Linear(8 * 16, 2))
    optimizer = torch.optim.Adam(network.parameters(), 3e-3)
    inputs, labels = normalised(data, data.train.images), torch.from_numpy(data.train.labels)
    for _ in range(30):
        optimizer.zero_grad()
        nn.functional.cross_entropy(network(inputs), labels).backward()
        optimizer.step()
    return network.eval()


@pytest.fixture(scope="module")
def model(trained, data):
    mean, std = (a.astype(float).tolist() for a in data.mean_std)
    return with_image_input(onnx_from_module(trained, (3, SIZE, SIZE)), mean, std)


def answers(model, images):
    session = onnxruntime.InferenceSession(model, providers=["CPUExecutionProvider"])
    return np.concatenate([session.run(None, {"image": image[None]})[0] for image in images])


def share_right(logits, labels):
    return (logits.argmax(1) == labels).mean()


RUNTIMES = [("onnxruntime", "int8"), ("openvino", "int8"), ("torch", "fp16")]


@pytest.mark.parametrize(("runtime", "precision"), RUNTIMES)
def test_a_lower_precision_keeps_the_ends_and_says_what_it_costs(model, data, runtime, precision):
    pytest.importorskip(runtime)
    lowered = lower(model, data, make_profiler(runtime, 1, 1, precision))
    graph = onnx.load_model_from_string(lowered.model).graph
    ends = [(v.name, v.type.tensor_type.elem_type) for v in (*graph.input, *graph.output)]
    assert ends == [("image", onnx.TensorProto.UINT8), ("logits", onnx.TensorProto.FLOAT)]
    how, images, labels = lowered.lowering, data.validation.images, data.validation.labels
    assert lowered.precision == precision
    assert how.proof_pct == 100
    assert how.fp32_accuracy == share_right(answers(model, images), labels) > 0.7
    found = answers(lowered.model, images)
    assert found.dtype == np.float32
    assert np.corrcoef(found.ravel(), answers(model, images).ravel())[0, 1] > 0.98
    assert np.abs(found - answers(model, images)).max() > 0
    assert how.accuracy == pytest.approx(share_right(found, labels), abs=1.5 / len(labels))  # a tie may fall elsewhere
    assert how.drop_points == pytest.approx(100 * (how.fp32_accuracy - how.accuracy))


def test_validation_chooses_the_ranges(model, data):
    lowered = lower(model, data, make_profiler("onnxruntime", 1, 1, "int8"))
    seen, found = calibrate(model, data.train.images), {}
    for name, method in RANGE_METHODS.items():
        for seven in (False, True):
            file = quantised(model, {v: method(of) for v, of in seen.items()}, seven_bit_weights=seven)
            probability = true_class_probability(answers(file, data.validation.images), data.validation.labels)
            found[file] = name + ", 7-bit weights" * seven, probability
    assert len(found) == 2 * len(RANGE_METHODS)
    method, probability = found[lowered.model]
    assert lowered.lowering.method == method
    assert probability == max(p for _, p in found.values())


def test_images_of_all_classes_calibrate_though_they_come_class_by_class(model, data):
    order = np.argsort(data.train.labels, kind="stable")
    sorted_ = Split(np.repeat(data.train.images[order], 5, axis=0), np.repeat(data.train.labels[order], 5))
    by_class = Dataset("sorted", sorted_, data.validation, data.test, data.classes, mirror=False)
    profiler = make_profiler("onnxruntime", 1, 1, "int8")
    assert lower(model, by_class, profiler).lowering.drop_points == lower(model, data, profiler).lowering.drop_points


def test_a_runtime_that_shows_neither_layers_nor_answers(model, data, own_runtime):
    lowered = lower(model, data, make_profiler(own_runtime, 1, 1, "int8"))
    assert lowered.lowering.proof_pct is None
    assert lowered.model == lower(model, data, make_profiler("onnxruntime", 1, 1, "int8")).model


def test_values_too_large_for_half_floats_are_refused(trained, data, tmp_path):
    large = nn.Sequential(*trained)
    before = large[0].weight.detach().clone()
    try:
        with torch.no_grad():
            large[0].weight *= 2e4
        mean, std = (a.astype(float).tolist() for a in data.mean_std)
        loud = with_image_input(onnx_from_module(large, (3, SIZE, SIZE)), mean, std)
        with pytest.raises(PrecisionError, match=r"^\S+ reaches \S+ on .* the largest number of fp16, 65504; ship"):
            lower(loud, data, make_profiler("torch", 1, 1, "fp16"))
    finally:
        trained[0].weight.data.copy_(before)


def test_a_precision_that_there_is_not_is_refused(model, data, own_runtime):
    with pytest.raises(PrecisionError, match=r"^no lower precision: 'int4'; there are fp16, int8$"):
        lower(model, data, make_profiler(own_runtime, 1, 1, "int4"))


@pytest.mark.skipif(platform.machine() != "x86_64", reason="onnxruntime has fp16 kernels on other processors")
def test_a_runtime_that_falls_back_is_refused_and_nothing_is_written(trained, data, tmp_path):
    profiler = make_profiler("onnxruntime", 1, 1, "fp16")
    with pytest.raises(Exception, match="in fp32, not in fp16"):
        export_network(trained, data, tmp_path / "m.onnx", architecture="a", space="s", profiler=profiler)
    assert not list(tmp_path.iterdir())


def test_a_drop_above_the_limit_is_refused_in_one_line():
    lowered = Lowered(b"", "int8", Lowering("min-max", accuracy=0.9, fp32_accuracy=0.925))
    lowered.require(2.5001)
    with pytest.raises(PrecisionError) as caught:
        lowered.require(1.5)
    assert str(caught.value) == (
        "int8 costs 2.50 points of validation accuracy (92.50 to 90.00 %), more than --max-drop 1.5; "
        "allow more, train longer (--train-epochs), or ship another precision"
    )
    Lowered(b"", "int8", Lowering("min-max", accuracy=0.93, fp32_accuracy=0.925)).require(0)


def test_an_export_in_int8_says_so_everywhere(trained, data, tmp_path):
    profiler, names = make_profiler("onnxruntime", 1, 1, "int8"), {"architecture": "a", "space": "s"}
    with pytest.raises(PrecisionError, match="more than --max-drop -101"):
        export_network(trained, data, tmp_path / "m.onnx", **names, profiler=profiler, max_drop_points=-101)
    assert not list(tmp_path.iterdir())
    done = export_network(trained, data, tmp_path / "m.onnx", **names, profiler=profiler, max_drop_points=100)
    manifest = read_manifest(tmp_path / "m.onnx")
    assert (done.precision, done.lowering) == (manifest.precision, manifest.lowering)
    assert manifest.precision == "int8"
    assert manifest.lowering.method.partition(",")[0] in RANGE_METHODS
    assert done.parity_max_abs <= 1e-4
    profiler.open((tmp_path / "m.onnx").read_bytes()).close()


def test_an_export_in_fp32_is_the_same_with_and_without_its_runtime(trained, data, tmp_path):
    for name, profiler in (("a.onnx", None), ("b.onnx", make_profiler("onnxruntime", 1, 1))):
        done = export_network(trained, data, tmp_path / name, architecture="a", space="s", profiler=profiler)
        assert (done.precision, done.lowering) == ("fp32", None)
    assert (tmp_path / "a.onnx").read_bytes() == (tmp_path / "b.onnx").read_bytes()
    assert (tmp_path / "a.json").read_text() == (tmp_path / "b.json").read_text()
    assert "lowering" not in (tmp_path / "a.json").read_text()
