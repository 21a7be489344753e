import numpy as np
import onnx
import onnxruntime
import pytest
import torch
from torch import nn

from deploy.export import PARITY_TOLERANCE, ExportError, export_network, parity
from hwnas.lowering.onnx_graph import onnx_from_module
from hwnas.spaces import mbconv_space
from latency_tables import HwnasError

IMAGES = np.random.default_rng(0).standard_normal((5, 3, 8, 8)).astype(np.float32)


def test_what_is_written_and_counted(network, tmp_path):
    path = tmp_path / "new" / "model.onnx"
    export = export_network(network, (3, 8, 8), path, IMAGES)
    model = onnx.load(path)
    onnx.checker.check_model(model, full_check=True)
    assert [n.op_type for n in model.graph.node] == ["Conv", "Relu", "GlobalAveragePool", "Flatten", "Gemm"]
    assert export.path == path
    assert export.nodes == 5
    assert export.macs == 8 * 8 * 4 * 27 + 8
    assert export.params == 4 * 27 + 2 * 4 + 4 * 2 + 2
    assert export.megabytes == path.stat().st_size / 1e6
    assert 0 <= export.parity_max_abs <= PARITY_TOLERANCE == 1e-4


def test_the_file_answers_one_image_at_a_time_as_torch_does(network, tmp_path):
    export_network(network, (3, 8, 8), tmp_path / "m.onnx", IMAGES)
    session = onnxruntime.InferenceSession(tmp_path / "m.onnx", providers=["CPUExecutionProvider"])
    assert session.get_inputs()[0].shape == [1, 3, 8, 8]
    with torch.no_grad():
        wanted = network.eval()(torch.from_numpy(IMAGES)).numpy()
    for image, logits in zip(IMAGES, wanted, strict=True):
        assert np.allclose(session.run(None, {"input": image[None]})[0], logits[None], atol=1e-5)


def test_a_network_of_a_space(tmp_path):
    space = mbconv_space("mbconv-32")
    arch = space.from_text("mbconv-32:mb3k3,se6k5/fu4k3/se3k7/mb6k3")
    images = np.random.default_rng(0).standard_normal((2, *space.input_shape)).astype(np.float32)
    export = export_network(space.build(arch), space.input_shape, tmp_path / "m.onnx", images)
    assert export.nodes == len(onnx.load(tmp_path / "m.onnx").graph.node)
    assert export.parity_max_abs <= 1e-4


def test_parity_is_the_largest_difference_of_any_logit():
    class Offset(nn.Module):
        def __init__(self, offset):
            super().__init__()
            self.flatten, self.linear = nn.Flatten(), nn.Linear(2, 2)
            with torch.no_grad():
                self.linear.weight.copy_(torch.eye(2))
                self.linear.bias.copy_(torch.tensor(offset))

        def forward(self, x):
            return self.linear(self.flatten(x))

    model = onnx_from_module(Offset([0.0, 0.0]), (2, 1, 1))
    images = np.array([[1, 2], [3, 4], [-5, 6]], dtype=np.float32).reshape(3, 2, 1, 1)
    assert parity(Offset([0.0, 0.0]), model, images) == 0
    assert parity(Offset([0.25, -0.5]), model, images) == 0.5


def test_a_network_that_answers_a_batch_differently_is_refused(tmp_path):
    """Batch norm without statistics looks at the whole batch: one image alone gets another answer."""
    network = nn.Sequential(
        nn.Conv2d(3, 4, 3), nn.BatchNorm2d(4, track_running_stats=False), nn.AdaptiveAvgPool2d(1), nn.Flatten()
    )
    with pytest.raises(ExportError, match="answers differently from torch") as caught:
        export_network(network, (3, 8, 8), tmp_path / "m.onnx", IMAGES)
    assert isinstance(caught.value, HwnasError)
    assert not (tmp_path / "m.onnx").exists()


def test_a_network_that_answers_nan_is_refused(network, tmp_path):
    with torch.no_grad():
        network[-1].bias.fill_(torch.nan)
    with pytest.raises(ExportError, match="by nan"):
        export_network(network, (3, 8, 8), tmp_path / "m.onnx", IMAGES)
    assert not (tmp_path / "m.onnx").exists()


def test_a_refused_export_leaves_the_last_good_one(network, tmp_path):
    path = tmp_path / "m.onnx"
    export_network(network, (3, 8, 8), path, IMAGES)
    before = path.read_bytes()
    with torch.no_grad():
        network[-1].bias.fill_(torch.inf)
    with pytest.raises(ExportError):
        export_network(network, (3, 8, 8), path, IMAGES)
    assert path.read_bytes() == before
