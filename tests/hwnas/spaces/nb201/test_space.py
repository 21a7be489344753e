"""NAS-Bench-201 as a space: its networks have the benchmark's own parameter counts, its costs are additive."""

import csv
import gzip
from pathlib import Path

import numpy as np
import pytest
import torch

from hwnas.lowering.onnx_graph import onnx_from_module
from hwnas.spaces import NasBench201, every_network
from hwnas.spaces.contract import check_space
from hwnas.spaces.cost import count_macs, count_params
from hwnas.spaces.nb201.cell import from_text

DATA = Path(__file__).resolve().parents[5] / "shared" / "data" / "nb201_accuracy.csv.gz"


def test_it_keeps_the_contract():
    check_space(NasBench201(), samples=4)


def test_every_cell_once():
    cells = every_network(NasBench201())
    assert cells.shape == (15_625, 6)
    assert len(np.unique(cells, axis=0)) == len(cells) == NasBench201().size


@pytest.mark.skipif(not DATA.exists(), reason="NAS-Bench-201's accuracies are not here")
def test_parameters_are_the_benchmark_s_own():
    with gzip.open(DATA, "rt") as file:
        rows = list(csv.DictReader(file))
    space = NasBench201()
    archs = np.stack([space.from_text(row["arch_str"]) for row in rows])
    of = {op: count_params(space.build_op(op)) for op in space.all_ops}
    params = space.additive(of)(archs)
    assert [f"{p / 1e6:.6g}" for p in params] == [row["params_M"] for row in rows]  # six digits are written
    for i in np.random.default_rng(0).choice(len(rows), 10, replace=False):
        assert count_params(space.build(archs[i])) == params[i]


def test_what_ops_cost_adds_up():
    space = NasBench201()
    arch = from_text("|nor_conv_3x3~0|+|none~0|skip_connect~1|+|nor_conv_1x1~0|avg_pool_3x3~1|nor_conv_3x3~2|")
    network, ops = space.build(arch), space.ops(arch)
    assert count_params(network) == sum(count_params(space.build_op(op)) for op in ops)
    assert count_macs(network, space.input_shape) == sum(count_macs(space.build_op(op), op.in_shape) for op in ops)
    # stem, head, two reductions; five edges of each of the 15 cells are there
    assert len(ops) == 4 + 15 * 5


def test_runtimes_that_prune_run_fewer_ops():
    space = NasBench201()
    # node 1 is fed but never used; node 2 is used, but nothing feeds it
    arch = from_text("|nor_conv_3x3~0|+|none~0|none~1|+|skip_connect~0|none~1|nor_conv_1x1~2|")[None]
    counts = {
        name: sum(len(slot.choices[space.layout.joint_value(arch, slot.genes)[0]]) for slot in space.pruned_slots(name))
        for name in space.prunings
    }
    assert counts == {"unused": 4 + 15 * 2, "dead": 4 + 15}


@pytest.mark.parametrize(
    "text",
    [
        "|nor_conv_3x3~0|+|nor_conv_1x1~0|avg_pool_3x3~1|+|skip_connect~0|nor_conv_3x3~1|none~2|",
        "|none~0|+|none~0|none~1|+|none~0|none~1|none~2|",
    ],
)
def test_onnx_answers_as_torch_does(text):
    ort = pytest.importorskip("onnxruntime")
    space = NasBench201(size=16)
    torch.manual_seed(0)
    network, images = space.build(from_text(text)).eval(), torch.rand(2, 3, 16, 16)
    session = ort.InferenceSession(onnx_from_module(network, (3, 16, 16), 2), providers=["CPUExecutionProvider"])
    with torch.no_grad():
        wanted = network(images).numpy()
    got = session.run(None, {session.get_inputs()[0].name: images.numpy()})[0]
    assert np.abs(got - wanted).max() < 1e-4
