"""Slots by hand: options, idle genes, counting."""

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from latency_tables import Op
from latency_tables.additive import NotSeparable, Slot, Slots
from latency_tables.additive.joint import every_value

A, B, C = (Op.of("op", (1,), number=i) for i in range(3))
# Gene 0 is a depth of 1 or 2; gene 1 the first block; gene 2 the second, idle where the depth is 1.
STAGE = Slots((2, 2, 3), [Slot.fixed(C), Slot((1,), ((A,), (B,))), Slot((0, 2), ((), (), (), (A,), (B,), (A, B)))])


def test_options_are_the_different_choices_in_order():
    slot = Slot((0,), ((A,), (), (A,), (B, B)))
    assert slot.options == ((A,), (), (B, B))
    assert slot.option_of.tolist() == [0, 1, 0, 2]
    assert Slot.fixed(A, B).options == ((A, B),)


def test_options_of_networks_by_hand():
    archs = np.array([[0, 1, 2], [1, 0, 0], [1, 1, 2]])
    assert STAGE.options(archs).tolist() == [[0, 1, 0], [0, 0, 1], [0, 1, 3]]
    assert STAGE.one_hot(archs[:1]).tolist() == [[1, 0, 1, 1, 0, 0, 0]]


def test_sums_by_hand():
    per_option = STAGE.per_option({A: 1.0, B: 10.0, C: 100.0})
    assert [p.tolist() for p in per_option] == [[100], [1, 10], [0, 1, 10, 11]]
    archs = np.array([[0, 1, 2], [1, 0, 0], [1, 1, 2]])
    assert STAGE.factors(per_option)(archs).tolist() == [110, 102, 121]
    assert STAGE.gathered(per_option, archs).tolist() == [110, 102, 121]
    assert STAGE.linear(np.concatenate(per_option))(archs).tolist() == [110, 102, 121]


def test_a_gene_without_effect_goes_to_its_lowest_value():
    archs = np.array([[0, 1, 2], [1, 1, 2], [0, 0, 1]])
    assert STAGE.lowest_equals(archs).tolist() == [[0, 1, 0], [1, 1, 2], [0, 0, 0]]
    assert STAGE.idle == {2}
    assert STAGE.count() == 2 * (1 + 3)


def test_values_that_mean_the_same_are_one():
    twins = Slots((4,), [Slot((0,), ((A,), (B,), (A,), (B,)))])
    assert twins.lowest_equals(np.arange(4)[:, None]).ravel().tolist() == [0, 1, 0, 1]
    assert twins.count() == 2
    assert Slots((3,), [Slot.fixed(A)]).lowest_equals(np.array([[2]])).tolist() == [[0]]  # no slot follows the gene


@settings(max_examples=60, deadline=None)
@given(data=st.data())
def test_what_is_left_differs_and_is_counted(data):
    cardinalities = tuple(data.draw(st.lists(st.integers(1, 3), min_size=1, max_size=4)))
    genes = st.lists(st.integers(0, len(cardinalities) - 1), max_size=3, unique=True).map(tuple)
    slots = []
    for follows in data.draw(st.lists(genes, min_size=1, max_size=4)):
        states = int(np.prod([cardinalities[g] for g in follows]))
        slots.append(Slot(follows, tuple(data.draw(st.sampled_from([(), (A,), (B,)])) for _ in range(states))))
    layout = Slots(cardinalities, slots)
    every = every_value(cardinalities, range(len(cardinalities)))
    clean = layout.lowest_equals(every)
    assert np.array_equal(layout.options(clean), layout.options(every))
    assert np.array_equal(layout.lowest_equals(clean), clean)
    assert layout.count() == len(np.unique(clean, axis=0))


def test_a_gene_that_all_slots_follow_does_not_stop_the_count():
    width = [
        Slot(
            (0, 1 + 2 * s, 2 + 2 * s),
            tuple(((Op.of("w", (w,), k=k),) if d else ()) for w in range(5) for d in range(2) for k in range(40)),
        )
        for s in range(6)
    ]
    layout = Slots((5, *(2, 40) * 6), width)
    # Where every place is empty the width means nothing, so it is not counted five times.
    with pytest.raises(NotSeparable, match="cannot be counted"):
        layout.count()
    stem = Slot((0,), tuple((Op.of("stem", (w,)),) for w in range(5)))
    assert Slots((5, *(2, 40) * 6), [stem, *width]).count() == 5 * 41**6


def test_a_slot_needs_a_choice_per_joint_value():
    with pytest.raises(ValueError, match=r"slot 0 follows genes \(0, 1\) and needs 6 choices, not 2"):
        Slots((2, 3), [Slot((0, 1), ((A,), (B,)))])


def test_a_graph_says_its_options_itself():
    graph = Slots((2, 2), [Slot(None, ((), (A,)))], lambda archs: (archs.sum(axis=1, keepdims=True) > 1).astype(int))
    archs = np.array([[1, 1], [0, 1]])
    assert graph.sum_of([np.array([0.0, 7.0])])(archs).tolist() == [7, 0]
    with pytest.raises(NotSeparable, match="follows all 2 genes"):
        graph.factors([np.array([0.0, 7.0])])
    assert graph.lowest_equals(archs).tolist() == archs.tolist()
