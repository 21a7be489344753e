from dataclasses import replace

import pytest

from latency_tables import MissingOpError, Op, OpCost, TableError, table_from_measurements

A, B, C = Op.of("a", (1,)), Op.of("b", (1,)), Op.of("c", (1,))


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


def build(costs, visits, target, **more):
    return table_from_measurements(
        costs,
        visits,
        target=target(),
        space="tiny",
        reference_model=b"model",
        reference_sha256="00",
        protocol={"groups": 1},
        stop_reasons={"a(1)": "ci", "b(1)": "error"},
        measured_at="2026-01-02",
        versions={"numpy": "2"},
        **more,
    )


def test_from_measurements_by_hand(visit, target):
    costs = {A: OpCost(1.0, 2, 3), B: OpCost(0.5, 4, 5), C: OpCost(0.0, 0, 0)}
    visits = [
        visit([[30, 33]], [10, 10], key=A.key, round_=0, started=100.0),  # 3 times the reference
        visit(error="refused: no kernel", key=B.key, round_=0, started=101.0),
        visit([[100, 90]], [20, 22], key=A.key, round_=1, started=107.5),  # 4.5 times
    ]
    t = build(costs, visits, target)
    # reference minima 10, 10, 20, 22: their 10th percentile is 10
    assert t.provenance.reference_us == 10.0
    a, b, c = t.rows
    assert (a.op, a.cost, a.error, a.stop_reason) == (A, OpCost(1.0, 2, 3), None, "ci")
    assert a.median_us == pytest.approx(3.75 * 10)
    assert a.ci95_low_us < a.median_us < a.ci95_high_us
    assert a.median_us - a.ci95_low_us == pytest.approx(a.ci95_high_us - a.median_us)
    assert (a.min_us, a.raw_median_us) == (30.0, 61.5)
    assert (a.groups, a.rounds) == (2, 2)
    assert (b.median_us, b.error, b.stop_reason) == (None, "refused: no kernel", "error")
    assert (c.median_us, c.error, c.stop_reason) == (None, "never visited", "error")
    assert t.coverage([A, B, C]) == replace(t.coverage([]), hit=(A,), failed=(B, C))
    assert (t.provenance.seconds, t.provenance.space, t.provenance.protocol) == (7.5, "tiny", {"groups": 1})
    assert t.reference_model == b"model"


def test_visits_to_other_models_only_tell_of_the_reference(visit, target):
    visits = [visit([[30]], [10, 10], key=A.key), visit([[77]], [4, 4], key="a whole network")]
    t = build({A: OpCost(1.0, 2, 3)}, visits, target)
    assert [row.op for row in t.rows] == [A]
    assert t.provenance.reference_us == 4.0
    assert t.rows[0].median_us == pytest.approx(12.0)


def test_nothing_measured_is_an_error(visit, target):
    with pytest.raises(TableError, match="no op of tiny could be measured: refused"):
        build({A: OpCost(1.0, 2, 3)}, [visit(error="refused", key=A.key)], target)
    with pytest.raises(TableError, match="no op of tiny could be measured: nothing was measured"):
        build({A: OpCost(1.0, 2, 3)}, [], target)
