"""NAS-Bench-Macro: parameters and MACs are the benchmark's own, its texts round-trip."""

import csv
import gzip
from pathlib import Path

import numpy as np
import pytest

from hwnas.spaces import ArchError, ArchTable, NasBenchMacro, every_network
from hwnas.spaces.contract import check_space
from hwnas.spaces.cost import count_macs, count_params

DATA = Path(__file__).resolve().parents[5] / "shared" / "data" / "nas_bench_macro.csv.gz"


def test_it_keeps_the_contract():
    check_space(NasBenchMacro(), samples=4)
    assert len(every_network(NasBenchMacro())) == NasBenchMacro().size == 6561


@pytest.mark.skipif(not DATA.exists(), reason="NAS-Bench-Macro's accuracies are not here")
def test_parameters_and_macs_are_the_benchmark_s_own():
    with gzip.open(DATA, "rt") as file:
        rows = list(csv.DictReader(file))
    space = NasBenchMacro()
    for i in np.random.default_rng(0).choice(len(rows), 20, replace=False):
        network = space.build(space.from_text(rows[i]["arch"]))
        assert count_params(network) == int(rows[i]["params"])
        assert count_macs(network, space.input_shape) == int(rows[i]["flops"])


def test_layers_are_counted_by_stage():
    space = NasBenchMacro()
    one_hot, shares = (view.encode(space.from_text("02012100")[None]) for view in space.views)
    assert one_hot.shape == (1, 24)
    by_stage = shares.reshape(4, 3)  # stages of 2, 3 and 3 layers, and all; identity, k3 e3, k5 e6
    assert by_stage[0].tolist() == [1 / 2, 0, 1 / 2]
    assert by_stage[1] == pytest.approx([1 / 3, 1 / 3, 1 / 3])
    assert by_stage[2] == pytest.approx([2 / 3, 1 / 3, 0])
    assert by_stage[3] == pytest.approx([4 / 8, 2 / 8, 2 / 8])


def test_identity_is_the_same_network_wherever_it_adds_no_op():
    space = NasBenchMacro()
    archs = np.array([space.from_text(text) for text in ("02012110", "02021110", "02012101", "20012110")])
    rows = space.functions(archs)
    assert np.array_equal(rows[0], rows[2])  # the last stage has two layers either way
    assert len(np.unique(rows, axis=0)) == 3  # order matters, and so does the first layer of a stage
    assert space.ops(archs[0]) == space.ops(archs[2])
    every = every_network(space)
    assert len(np.unique(space.functions(every), axis=0)) == 3969


@pytest.mark.skipif(not DATA.exists(), reason="NAS-Bench-Macro's accuracies are not here")
def test_the_benchmark_has_one_accuracy_per_function():
    space = NasBenchMacro()
    table = ArchTable.from_file(DATA, space, "arch", ["mean_acc"])
    rows = [row.tobytes() for row in space.functions(table.population)]
    accuracies = dict(zip(rows, table.columns["mean_acc"], strict=True))
    assert [accuracies[row] for row in rows] == table.columns["mean_acc"].tolist()


def test_a_narrow_space_has_the_same_networks_of_narrow_ops():
    space = NasBenchMacro(width_share=0.25)
    arch = space.from_text("02012100")
    assert [op.in_shape[0] for op in space.ops(arch)] == [3, 8, 16, 16, 32, 32, 32, 64]
    assert space.ops(arch)[-1]["width"] == 320


@pytest.mark.parametrize("text", ["", "0201210", "020121001", "02012130", "0201210x"])
def test_what_does_not_parse(text):
    with pytest.raises(ArchError, match="is 8 digits, each 0, 1 or 2"):
        NasBenchMacro().from_text(text)
