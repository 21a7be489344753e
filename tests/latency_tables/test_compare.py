from dataclasses import replace

import pytest
from hypothesis import given
from hypothesis import strategies as st

from latency_tables import Op, OpCost, TableRow
from latency_tables.compare import compare


def row(name, us, half=1.0, error=None):
    op = Op.of(name, (1,))
    if us is None:
        return TableRow(op, OpCost(0.0, 0, 0), error=error or "refused")
    return TableRow(op, OpCost(0.0, 0, 0), us, us - half, us + half, us, us)


def test_a_table_against_itself(table):
    d = compare(table(), table())
    assert (d.fields, d.only_a, d.only_b, d.disjoint) == ({}, (), (), 0)
    assert [c.op for c in d.changes] == [table().rows[0].op, table().rows[2].op]  # the op that failed has no time
    assert d.ratios.tolist() == [1.0, 1.0] or sorted(d.ratios) == [1.0, 1.0]
    assert d.spearman == pytest.approx(1.0)


def test_by_hand(table, target):
    a = table(rows=[row("a", 100.0), row("b", 50.0), row("c", 10.0), row("gone", 1.0), row("breaks", 2.0)])
    b = table(
        rows=[row("c", 10.5), row("a", 110.0), row("b", 25.0), row("new", 7.0), row("breaks", None)],
        target=target(runtime_version="1.2.4", threads=1),
        seconds=13.0,
        protocol={"groups": 3, "target_ci_pct": 1.0, "rounds": 2},
    )
    d = compare(a, b)
    assert d.fields == {
        "target.runtime_version": ("1.2.3", "1.2.4"),
        "target.threads": (2, 1),
        "seconds": (12.5, 13.0),
        "protocol.groups": (2, 3),
        "protocol.rounds": (None, 2),
    }
    assert [op.kind for op in d.only_a] == ["gone", "breaks"]
    assert [op.kind for op in d.only_b] == ["new"]
    # b halved, a is 10 % up, c 5 %
    assert [(c.op.kind, c.ratio) for c in d.changes] == [
        ("b", 0.5),
        ("a", pytest.approx(1.1)),
        ("c", pytest.approx(1.05)),
    ]
    assert d.ratios.tolist() == [c.ratio for c in d.changes]
    # 49..51 and 24..26 are apart, 99..101 and 109..111 too, 9..11 and 9.5..11.5 are not
    assert [c.disjoint for c in d.changes] == [True, True, False]
    assert d.disjoint == 2
    assert d.spearman == pytest.approx(1.0)


def test_ranks(table):
    a = table(rows=[row(n, us) for n, us in (("a", 1.0), ("b", 2.0), ("c", 3.0), ("d", 4.0))])
    b = table(rows=[row(n, us) for n, us in (("a", 10.0), ("b", 30.0), ("c", 20.0), ("d", 40.0))])
    # one swap of neighbours: 1 - 6 * (1 + 1) / (4 * 15)
    assert compare(a, b).spearman == pytest.approx(0.8)


@pytest.mark.parametrize("times", [[], [5.0], [5.0, 5.0]])
def test_ranks_that_say_nothing(table, times):
    t = table(rows=[row(f"op{i}", us) for i, us in enumerate(times)])
    d = compare(t, t)
    assert d.spearman is None
    assert d.ratios.shape == (len(times),)


def test_nothing_in_common(table):
    d = compare(table(rows=[row("a", 1.0)]), table(rows=[row("b", 1.0)]))
    assert d.changes == ()
    assert [op.kind for op in (*d.only_a, *d.only_b)] == ["a", "b"]


def test_times_without_an_interval_are_never_apart(table):
    bare = replace(row("a", 5.0), ci95_low_us=None, ci95_high_us=None)
    d = compare(table(rows=[bare]), table(rows=[row("a", 50.0)]))
    assert (d.changes[0].ratio, d.disjoint) == (10.0, 0)


@given(times=st.dictionaries(st.sampled_from("abcdef"), st.tuples(st.floats(1, 1e6), st.floats(1, 1e6)), min_size=1))
def test_the_other_way_round(table, times):
    a = table(rows=[row(n, x) for n, (x, _) in times.items()])
    b = table(rows=[row(n, y) for n, (_, y) in times.items()])
    there, back = compare(a, b), compare(b, a)
    assert sorted(1 / there.ratios) == pytest.approx(sorted(back.ratios))
    assert there.disjoint == back.disjoint
    assert there.spearman == (back.spearman if back.spearman is None else pytest.approx(back.spearman))
