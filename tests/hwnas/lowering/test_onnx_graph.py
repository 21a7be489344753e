"""One definition of an op: what is profiled is what ships, and both answer as torch does."""

import numpy as np
import onnx
import onnxruntime
import pytest
import torch
from onnx import numpy_helper
from torch import nn

from hwnas.lowering.onnx_graph import onnx_from_module, weight_mb
from hwnas.lowering.op_models import plan_networks, plan_ops, reference_network
from hwnas.spaces import mbconv_space
from hwnas.spaces.cost import count_macs, count_params
from profilers import read_plan

ARCHS = [
    "mbconv-32:mb3k3/mb3k3/mb3k3/mb3k3",
    "mbconv-32:mb6k7,se3k5/fu6k3,fu3k3/se6k7,mb4k5/se4k3,fu4k3",
    "mbconv-112:se6k7,se6k7,se6k7/mb3k5/fu4k3,mb6k3/se3k3,fu6k3,mb4k7",
    "ofa-mbv3:mb3k3,mb6k7/rs4k5,rs3k3,rs6k7/hs3k7,hs6k3/se6k5,se3k3/se3k3,se6k7,se4k5,se3k7",
]


def space_of(text):
    return mbconv_space(text.partition(":")[0])


def nodes(model, first=0):
    """Each node as (type, attributes, inputs): weights by shape, tensors by how many nodes back they were made."""
    graph = onnx.load_model_from_string(model).graph
    weights = {w.name: tuple(w.dims) for w in graph.initializer}
    made = {graph.input[0].name: first - 1}
    found = []
    for index, node in enumerate(graph.node, first):
        attributes = {a.name: onnx.helper.get_attribute_value(a) for a in node.attribute}
        inputs = [weights[name] if name in weights else index - made[name] for name in node.input]
        found.append((node.op_type, attributes, inputs))
        made[node.output[0]] = index
    assert made[graph.output[0].name] == first + len(graph.node) - 1
    return found


def parity(module, in_shape, n=3, seed=0):
    """Largest difference between torch and onnxruntime on n images, and what the outputs are like."""
    x = torch.randn(n, *in_shape, generator=torch.Generator().manual_seed(seed))
    session = onnxruntime.InferenceSession(onnx_from_module(module, in_shape, n), providers=["CPUExecutionProvider"])
    got = session.run(None, {session.get_inputs()[0].name: x.numpy()})[0]
    with torch.no_grad():
        wanted = module.eval()(x).numpy()
    assert got.shape == wanted.shape
    return float(np.abs(got - wanted).max()), float(np.abs(wanted).max())


@pytest.mark.parametrize("text", ARCHS)
def test_a_network_is_the_row_of_its_profiled_ops(text):
    space = space_of(text)
    arch = space.from_text(text)
    expected = []
    for op in space.ops(arch):
        expected += nodes(onnx_from_module(space.build_op(op), op.in_shape), first=len(expected))
    assert nodes(onnx_from_module(space.build(arch), space.input_shape)) == expected
    kinds = {node[0] for node in expected}
    assert kinds >= {"Conv", "Relu", "HardSwish", "GlobalAveragePool", "Flatten", "Gemm"}
    assert kinds.isdisjoint({"BatchNormalization", "Dropout", "Identity"})
    assert ("HardSigmoid" in kinds) == any(op.kind == "mbconv" and op["se"] for op in space.ops(arch))


def test_profiled_models_are_the_ops_of_the_network_and_cost_as_much(tiny_space, tmp_path, rng):
    plan = plan_ops(tiny_space, tmp_path / "ops")
    again = read_plan(tmp_path / "ops")
    assert [m.op for m in again.models] == list(tiny_space.all_ops)
    model_of = {m.op: m for m in again.models}
    archs = tiny_space.sample(rng, 4)
    networks = plan_networks(tiny_space, archs, tmp_path / "networks", reference_network())
    for arch, network in zip(archs, networks.models, strict=True):
        expected = []
        for op in tiny_space.ops(arch):
            expected += nodes(again.model(model_of[op]), first=2 + len(expected))
        assert nodes(networks.model(network))[2:] == expected  # after the two nodes that take raw images
        costs = [plan.costs[op] for op in tiny_space.ops(arch)]
        assert network.key == tiny_space.to_text(arch)
        module = tiny_space.build(arch)
        assert count_macs(module, tiny_space.input_shape) == sum(c.macs for c in costs)
        assert count_params(module) == sum(c.params for c in costs)
        expected_mb = sum(c.weight_mb for c in costs) + 3 * 4 / 1e6  # the means of the channels of the image
        assert weight_mb(networks.model(network)) == pytest.approx(expected_mb, rel=1e-12)


def test_a_network_has_the_weights_of_its_modules(tiny_space, randomise_batch_norm, rng):
    arch = tiny_space.sample(rng, 1)[0]
    network = randomise_batch_norm(tiny_space.build(arch))
    whole = onnx.load_model_from_string(onnx_from_module(network, tiny_space.input_shape)).graph.initializer
    parts = [
        weight
        for op, block in zip(tiny_space.ops(arch), network, strict=True)
        for weight in onnx.load_model_from_string(onnx_from_module(block, op.in_shape)).graph.initializer
    ]
    assert len(whole) == len(parts)
    for a, b in zip(whole, parts, strict=True):
        assert np.array_equal(numpy_helper.to_array(a), numpy_helper.to_array(b))


@pytest.mark.parametrize("text", ARCHS)
def test_networks_are_valid_and_answer_as_torch_does(text, randomise_batch_norm):
    space = space_of(text)
    network = randomise_batch_norm(space.build(space.from_text(text)))
    model = onnx.load_model_from_string(onnx_from_module(network, space.input_shape))
    onnx.checker.check_model(model, full_check=True)
    assert [d.dim_value for d in model.graph.input[0].type.tensor_type.shape.dim] == [1, *space.input_shape]
    assert [d.dim_value for d in model.graph.output[0].type.tensor_type.shape.dim] == [1, space.num_classes]
    difference, size = parity(network, space.input_shape, n=2)
    assert difference <= 1e-4
    assert size > 1e-2


def test_every_kind_of_op_answers_as_torch_does(randomise_batch_norm):
    space = mbconv_space("mbconv-32")
    ops = {(op.kind, dict(op.settings).get("se"), dict(op.settings).get("stride")): op for op in space.all_ops}
    assert len(ops) == 1 + 3 * 2 + 1
    for op in ops.values():
        difference, size = parity(randomise_batch_norm(space.build_op(op)), op.in_shape)
        assert difference <= 1e-4, op.key
        assert size > 1e-2, op.key


def test_folding_by_hand():
    conv, norm = nn.Conv2d(1, 1, 1, bias=False), nn.BatchNorm2d(1, eps=0.0)
    with torch.no_grad():
        conv.weight.fill_(3.0)
        for tensor, value in ((norm.running_mean, 5.0), (norm.running_var, 4.0), (norm.weight, 6.0), (norm.bias, 7.0)):
            tensor.fill_(value)
    graph = onnx.load_model_from_string(onnx_from_module(nn.Sequential(conv, norm), (1, 2, 2))).graph
    weight, bias = (numpy_helper.to_array(w).item() for w in graph.initializer)
    assert [n.op_type for n in graph.node] == ["Conv"]
    assert (weight, bias) == (9.0, -8.0)  # 3 * 6 / 2, and (0 - 5) * 6 / 2 + 7


class _Shared(nn.Module):
    """A convolution that the batch norm does not have for itself."""

    def __init__(self):
        super().__init__()
        self.conv, self.norm = nn.Conv2d(3, 4, 3, padding=1), nn.BatchNorm2d(4)

    def forward(self, x):
        y = self.conv(x)
        return self.norm(y) + y


class _TwiceNormed(nn.Module):
    """One batch norm after two convolutions: folded into both."""

    def __init__(self):
        super().__init__()
        self.a, self.b, self.norm = nn.Conv2d(3, 4, 1), nn.Conv2d(3, 4, 1), nn.BatchNorm2d(4)

    def forward(self, x):
        return self.norm(self.a(x)) * self.norm(self.b(x))


@pytest.mark.parametrize(
    ("module", "kinds"),
    [
        (_Shared(), ["Conv", "BatchNormalization", "Add"]),
        (_TwiceNormed(), ["Conv", "Conv", "Mul"]),
        (nn.Sequential(nn.BatchNorm2d(3), nn.Conv2d(3, 4, 1)), ["BatchNormalization", "Conv"]),
        (nn.Sequential(nn.Conv2d(3, 4, 1), nn.ReLU(), nn.BatchNorm2d(4)), ["Conv", "Relu", "BatchNormalization"]),
        (nn.Sequential(nn.Conv2d(3, 4, 1), nn.BatchNorm2d(4, affine=False)), ["Conv"]),
        (nn.Conv2d(3, 4, 3, stride=2, padding=1, dilation=2), ["Conv"]),
        (nn.Sequential(nn.Flatten(), nn.Linear(108, 5), nn.Sigmoid(), nn.Linear(5, 2, bias=False)), None),
    ],
    ids=lambda v: type(v).__name__ if isinstance(v, nn.Module) else "",
)
def test_what_is_folded(module, kinds, randomise_batch_norm):
    randomise_batch_norm(module)
    graph = onnx.load_model_from_string(onnx_from_module(module, (3, 6, 6))).graph
    assert [n.op_type for n in graph.node] == (kinds or ["Flatten", "Gemm", "Sigmoid", "Gemm"])
    assert parity(module, (3, 6, 6))[0] <= 1e-5


class _Scaled(nn.Module):
    """An option of forward must not be taken for the image."""

    def __init__(self):
        super().__init__()
        self.conv = nn.Conv2d(3, 4, 1)

    def forward(self, x, scale=0.5):
        return self.conv(x) * scale


@pytest.mark.parametrize(
    ("module", "in_shape"),
    [
        (nn.Sequential(nn.Conv2d(3, 4, 3), nn.BatchNorm2d(4), nn.GELU(), nn.Conv2d(4, 2, 1)), (3, 6, 6)),
        (nn.Sequential(nn.Conv2d(3, 4, 3), nn.BatchNorm2d(4, track_running_stats=False)), (3, 6, 6)),
        (nn.Sequential(nn.ReLU(), nn.BatchNorm2d(3, affine=False)), (3, 6, 6)),
        (nn.Sequential(nn.Linear(6, 4), nn.ReLU(), nn.Linear(4, 2)), (3, 5, 6)),
        (_Scaled(), (3, 6, 6)),
    ],
    ids=["gelu", "no statistics", "no scale", "linear on three axes", "option"],
)
def test_what_the_fast_way_does_not_know_goes_the_slow_way(module, in_shape, randomise_batch_norm):
    randomise_batch_norm(module)
    difference, size = parity(module, in_shape)
    assert difference <= 1e-4
    assert size > 1e-2


def test_the_module_is_left_as_it_was():
    network = nn.Sequential(nn.Conv2d(3, 4, 1), nn.BatchNorm2d(4), nn.Sequential(nn.Dropout(0.5), nn.ReLU()))
    network.train()
    network[1].eval()  # frozen statistics
    before = {k: v.clone() for k, v in network.state_dict().items()}
    onnx_from_module(network, (3, 4, 4))
    assert [m.training for m in network.modules()] == [True, True, False, True, True, True]
    assert all(torch.equal(v, before[k]) for k, v in network.state_dict().items())


def test_a_failing_forward_leaves_the_mode_and_says_why():
    network = nn.Sequential(nn.Conv2d(5, 4, 1)).train()
    with pytest.raises(RuntimeError, match="channels"):
        onnx_from_module(network, (3, 4, 4))
    assert network.training


def test_the_batch_is_the_models_input():
    model = onnx.load_model_from_string(onnx_from_module(nn.Sequential(nn.Conv2d(3, 4, 1)), (3, 2, 2), batch=8))
    assert [d.dim_value for d in model.graph.input[0].type.tensor_type.shape.dim] == [8, 3, 2, 2]


def test_weight_megabytes_by_hand():
    model = onnx_from_module(nn.Sequential(nn.Conv2d(3, 8, 3, bias=False), nn.BatchNorm2d(8)), (3, 8, 8))
    assert weight_mb(model) == (3 * 8 * 9 + 8) * 4 / 1e6  # folded: a bias of 8 floats is what is left


def test_the_reference_is_always_the_same_model():
    assert reference_network() == reference_network()
    assert [n[0] for n in nodes(reference_network())] == ["Conv", "Relu"] * 3
