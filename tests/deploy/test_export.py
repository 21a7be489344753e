import json
from dataclasses import replace

import numpy as np
import onnx
import onnxruntime
import pytest
import torch
from torch import nn

from deploy.export import PARITY_TOLERANCE, ExportError, export_network, parity
from deploy.manifest import METADATA_KEY, read_manifest
from hwnas.data import Dataset, Split
from hwnas.lowering.image_input import with_image_input
from hwnas.lowering.onnx_graph import onnx_from_module
from hwnas.spaces import mbconv_space
from latency_tables import HwnasError


def random_split(count, size, classes):
    images = np.random.default_rng(size).integers(0, 256, (count, 3, size, size), np.uint8)
    return Split(images, np.arange(count) % classes)


def random_data(size, classes):
    splits = [random_split(count, size, classes) for count in (20, 5, 10)]
    return Dataset("noise", *splits, tuple(f"class {i}" for i in range(classes)), mirror=False)


@pytest.fixture(scope="module")
def data():
    return random_data(8, 2)


@pytest.fixture
def export(data):
    def call(network, path, data=data):
        return export_network(network, data, path, architecture="two layers", space="by hand")

    return call


def on_normalised_images(network, data, images):
    mean, std = (a[:, None, None] for a in data.mean_std)
    with torch.no_grad():
        return network.eval()(torch.from_numpy(((images / np.float32(255) - mean) / std).astype(np.float32))).numpy()


def test_what_is_written_and_counted(network, export, tmp_path):
    path = tmp_path / "new" / "model.onnx"
    done = export(network, path)
    model = onnx.load(path)
    onnx.checker.check_model(model, full_check=True)
    assert [n.op_type for n in model.graph.node] == [
        "Cast", "Sub", "Conv", "Relu", "GlobalAveragePool", "Flatten", "Gemm",
    ]  # fmt: skip
    assert done.path == path
    assert done.nodes == 7
    assert done.macs == 8 * 8 * 4 * 27 + 8
    assert done.params == 4 * 27 + 2 * 4 + 4 * 2 + 2
    assert done.megabytes == path.stat().st_size / 1e6
    assert 0 <= done.parity_max_abs <= PARITY_TOLERANCE == 1e-4


def test_the_file_answers_one_raw_image_at_a_time_as_torch_does(network, data, export, tmp_path):
    export(network, tmp_path / "m.onnx")
    session = onnxruntime.InferenceSession(tmp_path / "m.onnx", providers=["CPUExecutionProvider"])
    (image,), (logits,) = session.get_inputs(), session.get_outputs()
    assert (image.name, image.type, image.shape) == ("image", "tensor(uint8)", [1, 3, 8, 8])
    assert (logits.name, logits.type, logits.shape) == ("logits", "tensor(float)", [1, 2])
    wanted = on_normalised_images(network, data, data.test.images)
    for raw, expected in zip(data.test.images, wanted, strict=True):
        assert np.allclose(session.run(None, {"image": raw[None]})[0], expected[None], atol=1e-5)


def test_a_network_of_a_space(tmp_path):
    space = mbconv_space("mbconv-32")
    arch = "mbconv-32:mb3k3,se6k5/fu4k3/se3k7/mb6k3"
    network = space.build(space.from_text(arch))
    data = random_data(32, space.num_classes)
    done = export_network(network, data, tmp_path / "m.onnx", architecture=arch, space=space.name)
    assert done.nodes == len(onnx.load(tmp_path / "m.onnx").graph.node)
    assert done.parity_max_abs <= 1e-4
    manifest = read_manifest(tmp_path / "m.onnx")
    assert (manifest.architecture, manifest.space) == (arch, "mbconv-32")


def test_parity_is_the_largest_difference_of_any_logit():
    class Offset(nn.Module):
        def __init__(self, offset):
            super().__init__()
            self.flatten, self.linear = nn.Flatten(), nn.Linear(3, 2)
            with torch.no_grad():
                self.linear.weight.copy_(torch.eye(2, 3))
                self.linear.bias.copy_(torch.tensor(offset))

        def forward(self, x):
            return self.linear(self.flatten(x))

    data = random_data(1, 2)
    mean, std = (a.tolist() for a in data.mean_std)
    model = with_image_input(onnx_from_module(Offset([0.0, 0.0]), (3, 1, 1)), mean, std)
    assert parity(Offset([0.0, 0.0]), model, data.test.images, data) == pytest.approx(0, abs=1e-6)
    assert parity(Offset([0.25, -0.5]), model, data.test.images, data) == pytest.approx(0.5, abs=1e-6)


def test_a_network_that_answers_a_batch_differently_is_refused(export, tmp_path):
    """Batch norm without statistics looks at the whole batch: one image alone gets another answer."""
    network = nn.Sequential(
        nn.Conv2d(3, 2, 3), nn.BatchNorm2d(2, track_running_stats=False), nn.AdaptiveAvgPool2d(1), nn.Flatten()
    )
    with pytest.raises(ExportError, match="answers differently from torch") as caught:
        export(network, tmp_path / "m.onnx")
    assert isinstance(caught.value, HwnasError)
    assert not list(tmp_path.iterdir())


def test_a_network_that_answers_nan_is_refused(network, export, tmp_path):
    with torch.no_grad():
        network[-1].bias.fill_(torch.nan)
    with pytest.raises(ExportError, match="by nan"):
        export(network, tmp_path / "m.onnx")
    assert not list(tmp_path.iterdir())


def test_a_refused_export_leaves_the_last_good_one(network, export, tmp_path):
    path = tmp_path / "m.onnx"
    export(network, path)
    before = path.read_bytes()
    with torch.no_grad():
        network[-1].bias.fill_(torch.inf)
    with pytest.raises(ExportError):
        export(network, path)
    assert path.read_bytes() == before
    read_manifest(path)


def test_the_model_itself_holds_the_manifest_beside_it_less_its_own_digest(network, export, tmp_path):
    export(network, tmp_path / "model.onnx")
    beside = json.loads((tmp_path / "model.json").read_text())
    inside = json.loads({p.key: p.value for p in onnx.load(tmp_path / "model.onnx").metadata_props}[METADATA_KEY])
    assert inside == beside | {"sha256": None}


def test_class_names_of_any_bytes_can_be_shipped(network, data, export, tmp_path):
    export(network, tmp_path / "model.onnx", replace(data, classes=("Füchse \U0001f98a", "\udcff.jpg")))
    assert read_manifest(tmp_path / "model.onnx").classes == ("Füchse \U0001f98a", "?.jpg")
