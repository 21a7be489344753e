from dataclasses import replace

import pytest

from latency_tables import MissingOpError, Op, OpCost
from latency_tables.table import row_from_visits

A, B = Op.of("a", (1,)), Op.of("b", (1,))


def test_look_up(table):
    t = table()
    assert t[t.rows[0].op].median_us == 120.5
    assert t[t.rows[2].op] is t.rows[2]


def test_a_missing_op_is_named(table):
    missing = Op.of("mbconv", (16, 32, 32), kernel=7)
    with pytest.raises(MissingOpError) as e:
        table()[missing]
    assert str(e.value) == (
        "the table for tiny on onnxruntime has no row for mbconv(16x32x32; kernel=7); profile this space again"
    )


def test_a_failed_op_is_named_with_its_reason(table):
    t = table()
    with pytest.raises(MissingOpError) as e:
        t[t.rows[1].op]
    assert str(e.value) == (
        'mbconv(16x16x16; expand=3 kernel=5) could not be measured (no kernel for "µ-op"); leave it out of the space'
    )


def test_coverage(table):
    t = table()
    conv, block, head = (row.op for row in t.rows)
    coverage = t.coverage([head, A, block, conv, A, head, B])
    assert coverage.hit == (head, conv)
    assert coverage.failed == (block,)
    assert coverage.missing == (A, B)
    assert not coverage.complete
    assert t.coverage([conv, head]).complete
    assert t.coverage([]).complete
    assert not t.coverage([block]).complete
    assert not t.coverage([A]).complete


def test_digest_is_of_every_row_and_of_the_provenance(table):
    t = table()
    assert t.digest == table().digest
    others = [
        table(seconds=1.0),
        table(target=replace(t.provenance.target, threads=1)),
        replace(t, rows=t.rows[:2]),
        replace(t, rows=(replace(t.rows[0], median_us=120.6), *t.rows[1:])),
    ]
    assert len({t.digest, *(o.digest for o in others)}) == 5


def test_rows_from_visits_by_hand(visit):
    cost = OpCost(1.0, 2, 3)
    visits = [
        visit([[30, 33]], [10, 10], key=A.key, round_=0),  # 3 times the reference
        visit([[100, 90]], [20, 22], key=A.key, round_=1),  # 4.5 times
    ]
    a = row_from_visits(A, cost, visits, 10.0, "ci")
    assert (a.op, a.cost, a.error, a.stop_reason) == (A, cost, None, "ci")
    assert a.median_us == pytest.approx(3.75 * 10)
    assert a.ci95_low_us < a.median_us < a.ci95_high_us
    assert a.median_us / a.ci95_low_us == pytest.approx(a.ci95_high_us / a.median_us)
    assert (a.min_us, a.raw_median_us) == (30.0, 61.5)
    assert (a.groups, a.rounds) == (2, 2)


def test_rows_without_a_time_say_why(visit):
    refused = visit(error="refused: no kernel", key=A.key)
    jumped = visit([[-5]], [10, 10], key=A.key)
    for visits, why in (
        ([refused], refused.error),
        ([jumped], "the clock gave no usable times"),
        ([], "never visited"),
    ):
        row = row_from_visits(A, OpCost(0.5, 4, 5), visits, 10.0, "")
        assert (row.median_us, row.error, row.stop_reason) == (None, why, "error")
