"""Rows of ops from the layers of whole networks, on hand-made profiles."""

import numpy as np
import pytest

from hwnas.spaces import load_space
from hwnas.spaces.sampling import networks_of_every_op
from hwnas.tables.from_networks import op_shares, table_from_networks
from latency_tables import HwnasError, LatencyModel, Measurement, OpCost, Target
from latency_tables.storage.files import load_table, save_table
from profilers import write_plan
from profilers.engines.layers import LayerTime
from profilers.layer_profile import PlanLayers
from profilers.protocol import NETWORKS_PROTOCOL

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
    assert op_shares(layers, 11).tolist() == pytest.approx([0.1, 0.3, 0.4, 0.1, 0, 0, 0, 0, 0, 0, 0.1])


def test_a_number_that_is_no_place_names_no_op():
    assert op_shares([layer(1, "_0"), layer(1, "_7_other")], 2).tolist() == [1, 0]


@pytest.fixture
def space():
    return load_space("mbconv-32")


@pytest.fixture
def costs(space):
    return {op: OpCost(0.1, 1 + i, 1) for i, op in enumerate(space.all_ops)}


def profiled(space, archs, us, folder):
    """A plan, visits and one round of profiles of networks whose ops take `us`, in a profile half as long again."""
    texts = [space.to_text(arch) for arch in archs]
    plan = write_plan(folder, space.name, b"reference", [(text, None, None, text.encode()) for text in texts])
    visits, layers = [], {}
    for text, arch in zip(texts, archs, strict=True):
        times = [us[op] for op in space.ops(arch)]
        visits += [Measurement(text, round_, 1e9, ((sum(times),),), (100.0, 100.0)) for round_ in (0, 1)]
        layers[text] = tuple(layer(1.5 * t, f"_{place}_0") for place, t in enumerate(times))
    return plan, visits, [PlanLayers(layers)]


def test_rows_are_the_times_inside_networks(space, costs, tmp_path):
    us = {op: 10.0 + i for i, op in enumerate(space.all_ops)}
    archs = networks_of_every_op(space, {op: cost.macs for op, cost in costs.items()}, 0, 60)
    plan, visits, layers = profiled(space, archs, us, tmp_path / "plan")
    table = table_from_networks(space, archs, plan, TARGET, visits, layers, costs, NETWORKS_PROTOCOL)
    assert table.coverage(space.all_ops).complete
    assert [row.median_us for row in table.rows] == pytest.approx([us[row.op] for row in table.rows])
    ms = LatencyModel(table, space).predict(archs[:3]).ms
    assert ms == pytest.approx([sum(us[op] for op in space.ops(arch)) / 1e3 for arch in archs[:3]])
    assert (table.provenance.reference_us, table.provenance.protocol["profiled_networks"]) == (100, 60)
    save_table(table, tmp_path / "table")
    assert load_table(tmp_path / "table") == table


def test_an_op_of_none_of_the_networks_has_an_error(space, costs, tmp_path):
    us = dict.fromkeys(space.all_ops, 10.0)
    archs = space.sample(np.random.default_rng(0), 2)
    plan, visits, layers = profiled(space, archs, us, tmp_path)
    table = table_from_networks(space, archs, plan, TARGET, visits, layers, costs, NETWORKS_PROTOCOL)
    coverage = table.coverage(space.all_ops)
    assert set(coverage.hit) == {op for arch in archs for op in space.ops(arch)}
    assert {table.find(op).error for op in coverage.failed} == {"never visited"}


def test_an_op_that_runs_nothing_takes_the_least_there_is(space, costs, tmp_path):
    us = dict.fromkeys(space.all_ops, 10.0)
    arch = space.sample(np.random.default_rng(0), 1)
    nothing = space.ops(arch[0])[1]
    plan, visits, layers = profiled(space, arch, us | {nothing: 0.0}, tmp_path)
    assert table_from_networks(space, arch, plan, TARGET, visits, layers, costs, NETWORKS_PROTOCOL)[nothing].median_us == 1e-3


def test_a_space_that_is_no_chain_is_refused(costs):
    with pytest.raises(HwnasError, match="no chains of ops"):
        table_from_networks(load_space("nb201"), None, None, TARGET, [], [], costs, NETWORKS_PROTOCOL)
