"""Rows of ops from the layers of whole networks, on hand-made profiles."""

import numpy as np
import pytest

from hwnas.spaces import load_space
from hwnas.spaces.sampling import networks_of_every_op
from hwnas.tables.from_networks import op_times_us, table_from_networks
from latency_tables import HwnasError, LatencyModel, OpCost, Target
from latency_tables.storage.files import load_table, save_table
from profilers import write_plan
from profilers.engines.layers import LayerTime
from profilers.layer_profile import LayerRound, LayerVisit

TARGET = Target("cpu", "onnxruntime", "1", "fp32", 1, 1)


def layer(us, *nodes):
    return LayerTime(nodes, us)


def test_layers_are_of_the_op_that_their_nodes_name():
    layers = [
        layer(2, "image.float"),  # before any op: the first
        layer(8, "_0_0_nchwc"),
        layer(20, "_1_layers_0_nchwc"),
        layer(4, "ReorderOutput"),  # of the op before it
        layer(6, "_1_add"),
        layer(10, "_10_3"),
        layer(30, "_2"),
        layer(20, "_2_layers_0", "_3_layers_1"),  # fused of two
    ]
    assert op_times_us(layers, 11)[[0, 1, 2, 3, 10]].tolist() == [10, 30, 40, 10, 10]


def test_a_number_that_is_no_place_names_no_op():
    assert op_times_us([layer(1, "_0"), layer(1, "_7_other")], 2).tolist() == [2, 0.001]


@pytest.fixture
def space():
    return load_space("mbconv-32")


@pytest.fixture
def costs(space):
    return {op: OpCost(0.1, 1 + i, 1) for i, op in enumerate(space.all_ops)}


def profiled(space, archs, us, folder):
    """A plan, and two rounds of profiles of networks whose ops take `us`, in the second on a device half as fast."""
    texts = [space.to_text(arch) for arch in archs]
    plan = write_plan(folder, space.name, b"reference", [(text, None, None, text.encode()) for text in texts])
    rounds = []
    for slower in (1, 2):
        visits = {}
        for text, arch in zip(texts, archs, strict=True):
            layers = tuple(layer(slower * us[op], f"_{place}_0") for place, op in enumerate(space.ops(arch)))
            visits[text] = LayerVisit(1e9, layers, (100.0 * slower, 130.0 * slower))
        rounds.append(LayerRound(visits))
    return plan, rounds


def test_rows_are_the_times_inside_networks(space, costs, tmp_path):
    us = {op: 10.0 + i for i, op in enumerate(space.all_ops)}
    archs = networks_of_every_op(space, {op: cost.macs for op, cost in costs.items()}, 0, 60)
    plan, rounds = profiled(space, archs, us, tmp_path / "plan")
    table = table_from_networks(space, archs, plan, TARGET, rounds, costs)
    assert table.coverage(space.all_ops).complete
    assert table.provenance.reference_us == 100
    assert [row.median_us for row in table.rows] == pytest.approx([us[row.op] for row in table.rows])
    ms = LatencyModel(table, space).predict(archs[:3]).ms
    assert ms == pytest.approx([sum(us[op] for op in space.ops(arch)) / 1e3 for arch in archs[:3]])
    assert table.provenance.protocol == {"profiled_networks": 60, "layer_rounds": 2, "layer_runs": 20}
    save_table(table, tmp_path / "table")
    assert load_table(tmp_path / "table") == table


def test_an_op_of_none_of_the_networks_has_an_error(space, costs, tmp_path):
    archs = space.sample(np.random.default_rng(0), 2)
    plan, rounds = profiled(space, archs, dict.fromkeys(space.all_ops, 10.0), tmp_path)
    table = table_from_networks(space, archs, plan, TARGET, rounds, costs)
    coverage = table.coverage(space.all_ops)
    assert set(coverage.hit) == {op for arch in archs for op in space.ops(arch)}
    assert {table.find(op).error for op in coverage.failed} == {"never visited"}


def test_a_space_that_is_no_chain_is_refused(costs):
    with pytest.raises(HwnasError, match="no chains of ops"):
        table_from_networks(load_space("nb201"), None, None, TARGET, [], costs)
