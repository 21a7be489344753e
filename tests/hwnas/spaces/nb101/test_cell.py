"""NAS-Bench-101's graphs: pruned as the benchmark does, with its own parameter counts."""

import csv
import gzip
from pathlib import Path

import numpy as np
import pytest
import torch

from hwnas.spaces import ArchError, NasBench101
from hwnas.spaces.contract import check_space
from hwnas.spaces.cost import count_params
from hwnas.spaces.nb101.cell import adjacency, canonical, channels, from_matrix, on_a_path, path_statistics
from hwnas.spaces.nb101.modules import Cell

DATA = Path(__file__).resolve().parents[5] / "shared" / "data" / "nasbench101_zc500.csv.gz"
CODES = {"2": "maxpool3x3", "3": "conv1x1", "4": "conv3x3"}

# input -> 1 (3x3) -> 3 (pool) -> output; input -> 3; vertex 2 leads nowhere
MATRIX = [[0, 1, 1, 1, 0], [0, 0, 0, 1, 0], [0, 0, 0, 0, 0], [0, 0, 0, 0, 1], [0, 0, 0, 0, 0]]
CELL = from_matrix(MATRIX, ["conv3x3", "conv3x3", "maxpool3x3"])


def test_it_keeps_the_contract():
    check_space(NasBench101(size=16), samples=4)


@pytest.mark.skipif(not DATA.exists(), reason="NAS-Bench-101's graphs are not here")
def test_parameters_are_the_benchmark_s_own():
    with gzip.open(DATA, "rt") as file:
        rows = list(csv.DictReader(file))
    space, archs = NasBench101(), []
    for row in rows:
        matrix = np.array(list(map(int, row["adjacency_flat"]))).reshape(7, 7)
        archs.append(from_matrix(matrix, [CODES[c] for c in row["ops"].split()[1:-1]]))
    of = {op: count_params(space.build_op(op)) for op in space.all_ops}
    params = space.additive(of)(np.array(archs))
    assert [f"{p / 1e6:.7g}" for p in params] == [f"{float(row['params']):.7g}" for row in rows]
    for i in range(5):
        assert count_params(space.build(archs[i])) == params[i]


def test_dead_vertices_are_cleared():
    edges = adjacency(CELL[None])
    assert on_a_path(edges)[0].tolist() == [True, True, False, True, False, False, True]
    assert sorted(zip(*np.nonzero(edges[0]), strict=True)) == [(0, 1), (0, 3), (1, 3), (3, 6)]
    assert np.array_equal(canonical(CELL[None])[0], CELL)


def test_without_a_path_there_is_one_edge():
    alone = canonical(np.zeros((1, 26), dtype=np.int64))
    assert np.argwhere(adjacency(alone)[0]).tolist() == [[0, 6]]


def test_channels_by_hand():
    assert channels(adjacency(CELL[None])[0], 128) == [0, 128, 0, 128, 0, 0, 128]
    # three vertices share 128: 43, 43, 42; vertex 1 is as wide as the widest it feeds
    wide = from_matrix(
        [[0, 1, 0, 1, 0, 0], [0, 0, 1, 1, 1, 0], [0, 0, 0, 0, 0, 1], [0, 0, 0, 0, 0, 1], [0, 0, 0, 0, 0, 1], [0] * 6],
        ["conv1x1"] * 4,
    )
    assert channels(adjacency(wide[None])[0], 128) == [0, 43, 43, 43, 42, 0, 128]


def test_path_statistics_by_hand():
    statistics = path_statistics(CELL[None])[0]
    # two paths: 3x3 and pool, and pool alone; order of ops: 1x1, 3x3, pool, any convolution
    assert statistics[0] == pytest.approx(np.log(2))
    fewest, most, mean = statistics[1:].reshape(3, 4)
    assert fewest.tolist() == [0, 0, 1, 0]
    assert most.tolist() == [0, 1, 1, 1]
    assert mean.tolist() == [0, 0.5, 1, 0.5]


def test_a_cell_computes_its_graph():
    edges = adjacency(CELL[None])[0]
    torch.manual_seed(0)
    cell = Cell(edges, CELL[21:], 8, 8).eval()
    x = torch.randn(2, 8, 6, 6)
    with torch.no_grad():
        first = cell.ops["1"](cell.project["1"](x))
        by_hand = cell.ops["3"](first + cell.project["3"](x))
        assert torch.allclose(cell(x), by_hand)


def test_what_is_no_graph():
    with pytest.raises(ArchError, match="upper triangular"):
        from_matrix([[0, 1], [1, 0]], [])
    with pytest.raises(ArchError, match="5 vertices has 3 ops"):
        from_matrix(MATRIX, ["conv3x3"])
    text = NasBench101().to_text(CELL)
    assert text == "nb101:101000.01000.0000.001.00.0/c3,c1,mp,c1,c1"
    for broken, says in ((text.replace(".0/", "/"), "rows of 6, 5"), (text.replace("mp", "xx"), "5 ops of c1, c3, mp")):
        with pytest.raises(ArchError, match=says):
            NasBench101().from_text(broken)
