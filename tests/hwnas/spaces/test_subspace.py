"""Parts of spaces: the same networks, fewer of them."""

import numpy as np
import pytest

from hwnas.spaces import ArchError, NasBench101, NasBench201, NasBenchMacro, Subspace, every_network, load_space
from hwnas.spaces.contract import check_space
from hwnas.spaces.subspace import texts_without
from latency_tables import HwnasError


def test_a_part_keeps_the_contract_of_spaces():
    check_space(Subspace.of_texts(load_space("mbconv-32"), ["block*=mb3k3,se6k5,fu4k3", "depth1=2"]), samples=3)
    check_space(Subspace.of_texts(load_space("regnet-32"), ["width1=16,64", "depth*=1,3"]), samples=3)


@pytest.mark.parametrize("space", [NasBenchMacro(), NasBench201()], ids=lambda space: space.name)
def test_its_networks_are_those_of_the_whole_that_are_allowed(space):
    part = Subspace(space, {0: [2], 1: [0, 2], 4: [1, 2]})
    every = every_network(space)
    allowed = (every[:, 0] == 2) & np.isin(every[:, 1], [0, 2]) & np.isin(every[:, 4], [1, 2])
    mine = every_network(part)
    assert part.size == len(mine) == allowed.sum()
    assert {part.to_text(arch) for arch in mine} == {space.to_text(arch) for arch in every[allowed]}
    assert np.array_equal(part.contains(every), allowed)
    assert np.array_equal(part.from_whole(part.to_whole(mine)), mine)
    assert [part.ops(arch) for arch in mine[:20]] == [space.ops(arch) for arch in part.to_whole(mine[:20])]
    assert np.array_equal(part.encode(mine), space.encode(part.to_whole(mine)))


def test_idle_genes_may_be_outside():
    whole = load_space("mbconv-32")
    part = Subspace.of_texts(whole, ["depth1=1", "block*=se6k5"])
    text = "mbconv-32:se6k5/se6k5,se6k5/se6k5/se6k5"
    assert part.to_text(part.from_text(text)) == text
    assert part.size == 2**3
    with pytest.raises(ArchError, match="does not allow"):
        part.from_text("mbconv-32:se6k5,se6k5/se6k5/se6k5/se6k5")


def test_prices_are_those_of_the_whole():
    whole = load_space("mbconv-32")
    part = Subspace.of_texts(whole, ["block1.*=mb3k3,se3k3", "depth2=1"])
    of = {op: float(i) for i, op in enumerate(whole.all_ops)}
    archs = part.sample(np.random.default_rng(0), 50)
    wanted = whole.additive(of)(part.to_whole(archs))
    assert part.additive(of)(archs).tolist() == wanted.tolist()
    assert whole.additive(of).restricted(part.allowed)(archs).tolist() == wanted.tolist()
    assert set(part.all_ops) < set(whole.all_ops)


def test_pruned_slots_are_restricted_too():
    whole, part = NasBench201(), Subspace(NasBench201(), {0: [2, 3], 3: [0]})
    assert [len(slot.choices) for slot in part.pruned_slots("dead")[1:2]] == [2 * 5**4]
    archs = every_network(part)[:40]
    slot, of_whole = part.pruned_slots("dead")[4], whole.pruned_slots("dead")[4]
    mine = [slot.choices[i] for i in part.layout.joint_value(archs, slot.genes)]
    assert mine == [of_whole.choices[i] for i in whole.layout.joint_value(part.to_whole(archs), of_whole.genes)]


def test_a_graph_has_parts_too():
    part = Subspace(NasBench101(), {0: [0], 21: [1]})
    archs = part.sample(np.random.default_rng(0), 20)
    assert np.array_equal(part.canonical(archs), archs)
    assert np.array_equal(part.from_whole(part.to_whole(archs)), archs)
    assert part.slot_options(archs).tolist() == part.whole.slot_options(part.to_whole(archs)).tolist()


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("depth1", "write GENE=VALUE"),
        ("depth9=1", "has no gene 'depth9'; it has depth1, block1.1"),
        ("depth1=3", "depth1 cannot be '3'; it can be 1, 2"),
        ("block1.1=", "write GENE=VALUE"),
    ],
)
def test_mistakes_are_named(text, message):
    with pytest.raises(HwnasError, match=message):
        Subspace.of_texts(load_space("mbconv-32"), [text])


def test_two_texts_about_a_gene_both_hold():
    part = Subspace.of_texts(NasBenchMacro(), ["layer*=0,1", "layer1=1,2"])
    assert part.allowed[:2] == ((1,), (0, 1))
    with pytest.raises(HwnasError, match="layer1 of nasbench-macro needs values"):
        Subspace.of_texts(NasBenchMacro(), ["layer*=0", "layer1=2"])


def test_mutations_are_of_genes_with_a_choice():
    """One gene of six is free: it changes in every mutation that draws another value."""
    space = NasBench201()
    part = Subspace(space, dict.fromkeys(range(1, 6), (1,)))
    start = part.sample(np.random.default_rng(0), 400)
    moved = part.mutate(start, np.random.default_rng(1), rate=0.0)
    assert (moved[:, 0] != start[:, 0]).mean() == pytest.approx(4 / 5, abs=0.06)  # of five values drawn
    assert (moved[:, 1:] == start[:, 1:]).all()
    one = Subspace(space, dict.fromkeys(range(6), (1,)))
    assert (one.mutate(one.sample(np.random.default_rng(0), 3), np.random.default_rng(0)) == 0).all()


def test_few_networks_of_many_genes_can_be_listed():
    """What evolved may be a dozen branches of hundreds."""
    whole = load_space("nse-32")
    part = Subspace(whole, {gene: (0,) for gene in range(len(whole.cardinalities)) if gene not in (3, 20, 70)})
    every = every_network(part)
    assert len(every) == part.size == 8
    assert every[:, [3, 20, 70]].tolist() == [[a, b, c] for a in (0, 1) for b in (0, 1) for c in (0, 1)]
    assert every.sum() == 12


def test_texts_leave_out_ops_that_a_runtime_refuses():
    space = load_space("nse-32")
    dilated = {op for op in space.all_ops if dict(op.settings).get("dilation") == 2 and op["expand"] == 3}
    texts = texts_without(space, dilated)
    assert texts == [f"place{i}.k3e3d2=no" for i in range(1, 8)]
    part = Subspace.of_texts(space, texts)
    assert not dilated & set(part.all_ops)
    assert set(space.all_ops) - dilated == set(part.all_ops)
    macro = NasBenchMacro()
    first = next(op for op in macro.all_ops if op.kind == "mbconv" and op["kernel"] == 3)
    (text,) = texts_without(macro, {first})
    assert first not in Subspace.of_texts(macro, [text]).all_ops
    assert texts_without(space, set()) == []
    assert texts_without(space, {op for op in space.all_ops if op.kind == "stem"}) == []  # in every network


def test_of_a_block_and_its_depth_the_block_has_more_to_choose_from():
    space = load_space("mbconv-32")
    second = next(slot for slot in space.slots if slot.genes and len(slot.genes) == 2)
    refused = next(op for ops in second.options for op in ops)
    (text,) = texts_without(space, {refused})
    part = Subspace.of_texts(space, [text])
    assert refused not in part.all_ops
    assert sorted(map(len, part.allowed)) == [2, 2, 2, 2, 20, *[21] * 7]
    shallow = texts_without(space, {op for ops in second.options for op in ops})
    assert shallow == [f"{space.gene_names[second.genes[0]]}=1"]
