"""Raw 8-bit images in, the same answers as of normalised ones."""

import numpy as np
import onnx
import onnxruntime
import pytest
import torch
from onnx import TensorProto, helper, numpy_helper
from torch import nn

from hwnas.lowering.image_input import with_image_input
from hwnas.lowering.onnx_graph import onnx_from_module
from hwnas.lowering.op_models import plan_networks, reference_network
from hwnas.spaces import mbconv_space

MEAN, STD = (0.45, 0.5, 0.4), (0.2, 0.25, 0.3)


class _ReadTwice(nn.Module):
    """The image is read by two layers."""

    def __init__(self):
        super().__init__()
        self.conv = nn.Conv2d(3, 3, 1)

    def forward(self, x):
        return self.conv(x) + x


class _Named(nn.Module):
    """Its values are called as the ends of the graph will be."""

    def __init__(self):
        super().__init__()
        self.logits, self.image = nn.Conv2d(3, 4, 3, padding=1), nn.Conv2d(4, 2, 1)

    def forward(self, x):
        return self.image(self.logits(x))


def answers(model, name, images):
    return onnxruntime.InferenceSession(model, providers=["CPUExecutionProvider"]).run(None, {name: images})[0]


def kinds(model):
    return [node.op_type for node in onnx.load_model_from_string(model).graph.node]


@pytest.mark.parametrize(
    ("module", "first"),
    [
        (nn.Conv2d(3, 4, 3, stride=2, padding=1), ["Cast", "Sub", "Conv"]),
        (nn.Conv2d(3, 6, 3, padding=2, groups=3, bias=False), ["Cast", "Sub", "Conv"]),
        (nn.Sequential(nn.Conv2d(3, 4, 3, padding=1), nn.BatchNorm2d(4), nn.ReLU()), ["Cast", "Sub", "Conv", "Relu"]),
        (nn.Sequential(nn.ReLU(), nn.Conv2d(3, 4, 1)), ["Cast", "Sub", "Mul", "Relu"]),
        (nn.Sequential(nn.Flatten(), nn.Linear(147, 2)), ["Cast", "Sub", "Mul", "Flatten"]),
        (_ReadTwice(), ["Cast", "Sub", "Mul", "Conv"]),
        (_Named(), ["Cast", "Sub", "Conv", "Conv"]),
        (nn.Sequential(nn.Conv2d(3, 4, 3, padding=1), nn.GELU(), nn.Conv2d(4, 2, 1)), ["Cast", "Sub", "Conv"]),
    ],
    ids=["conv", "grouped", "folded norm", "relu", "flatten", "read twice", "names", "torch's exporter"],
)
def test_raw_images_are_answered_as_normalised_ones(module, first, randomise_batch_norm):
    torch.manual_seed(0)
    randomise_batch_norm(module)
    raw = np.random.default_rng(0).integers(0, 256, (2, 3, 7, 7), np.uint8)
    model = with_image_input(onnx_from_module(module, (3, 7, 7), batch=2), MEAN, STD)
    proto = onnx.load_model_from_string(model)
    onnx.checker.check_model(proto, full_check=True)
    assert kinds(model)[: len(first)] == first
    ends = [(v.name, v.type.tensor_type.elem_type) for v in (*proto.graph.input, *proto.graph.output)]
    assert ends == [("image", TensorProto.UINT8), ("logits", TensorProto.FLOAT)]
    mean, std = (torch.tensor(v).view(3, 1, 1) for v in (MEAN, STD))
    with torch.no_grad():
        wanted = module.eval()((torch.from_numpy(raw) / 255 - mean) / std).numpy()
    assert np.abs(answers(model, "image", raw) - wanted).max() <= 1e-5 * max(1, np.abs(wanted).max())


def test_numbers_by_hand():
    """A 3x3 convolution of ones at the corner of a white image: four pixels of (1 - .5) / .25 = 2, the rest padding."""
    conv = nn.Conv2d(1, 1, 3, padding=1, bias=False)
    nn.init.ones_(conv.weight)
    model = with_image_input(onnx_from_module(conv, (1, 4, 4)), [0.5], [0.25])
    assert answers(model, "image", np.full((1, 1, 4, 4), 255, np.uint8))[0, 0, 0].tolist() == [8, 12, 12, 8]
    arrays = {tuple(w.dims): numpy_helper.to_array(w) for w in onnx.load_model_from_string(model).graph.initializer}
    assert arrays[1, 1, 1, 1] == 127.5
    np.testing.assert_allclose(arrays[1, 1, 3, 3], 1 / (255 * 0.25), rtol=1e-7)


def test_weights_that_two_layers_share_are_left_alone():
    weight = numpy_helper.from_array(np.eye(3, dtype=np.float32).reshape(3, 3, 1, 1), "w")
    nodes = [helper.make_node("Conv", ["x", "w"], ["y"]), helper.make_node("Conv", ["y", "w"], ["z"])]
    ends = [helper.make_tensor_value_info(name, TensorProto.FLOAT, [1, 3, 2, 2]) for name in "xz"]
    graph = helper.make_graph(nodes, "shared", ends[:1], ends[1:], [weight])
    plain = helper.make_model(graph, opset_imports=[helper.make_opsetid("", 17)], ir_version=8)
    model = with_image_input(plain.SerializeToString(), MEAN, STD)
    assert kinds(model) == ["Cast", "Sub", "Mul", "Conv", "Conv"]
    black = answers(model, "image", np.zeros((1, 3, 2, 2), np.uint8))
    np.testing.assert_allclose(black[0, :, 0, 0], [-0.45 / 0.2, -0.5 / 0.25, -0.4 / 0.3], rtol=1e-6)


def test_networks_are_timed_in_the_form_in_which_they_ship(tmp_path):
    space = mbconv_space("mbconv-32")
    arch = space.from_text("mbconv-32:mb3k3,se6k5/fu4k3/se3k7/mb6k3")
    plan = plan_networks(space, [arch], tmp_path, reference_network())
    (timed,) = (plan.model(m) for m in plan.models)
    shipped = with_image_input(onnx_from_module(space.build(arch), space.input_shape), MEAN, STD)
    assert kinds(timed) == kinds(shipped)
    one, other = (onnx.load_model_from_string(model).graph for model in (timed, shipped))
    assert (one.input, one.output) == (other.input, other.output)
