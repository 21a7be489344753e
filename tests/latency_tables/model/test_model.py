import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from latency_tables import Calibration, LatencyModel, MissingOpError, Op, OpCost, TableRow
from latency_tables.additive import Factors, Hinged
from latency_tables.model.calibration import KNEES, TERMS

OPS = [Op.of("op", (i,), size=i) for i in range(1, 7)]
COEFFICIENTS = {"sum_ms": 0.9, "weight_mb": 0.15, "ops": -0.01, "constant": 0.1}
COEFFICIENTS |= dict(zip(KNEES, (0.3, -0.2, 0.25), strict=True))
KNEES_MB = (4.0, 2.0, 6.0)
CALIBRATIONS = [None, *(Calibration(t, tuple(COEFFICIENTS[n] for n in t), 0.05, knees_mb=KNEES_MB) for t in TERMS)]

CHOICE = st.lists(st.sampled_from(OPS), max_size=3).map(tuple)
SLOTS = st.lists(st.lists(CHOICE, min_size=1, max_size=4), min_size=1, max_size=5)


def rows(ops=OPS):
    return [TableRow(op, OpCost(0.5 * op["size"], 0, 0), median_us=1000.0 * op["size"] + 7) for op in ops]


def slow_prediction(model, choices):
    """One network, op by op."""
    ops = [op for slot, choice in zip(model.space.slots, choices, strict=True) for op in slot.choices[choice]]
    sum_ms = weight_mb = 0.0
    for op in ops:
        sum_ms += model.table[op].median_us / 1000
        weight_mb += model.table[op].cost.weight_mb
    if model.calibration is None:
        return sum_ms, sum_ms, sum_ms, ops
    values = {
        "sum_ms": sum_ms,
        "weight_mb": weight_mb,
        "ops": len(ops),
        **{name: max(weight_mb - knee, 0) for name, knee in zip(KNEES, KNEES_MB, strict=True)},
        "constant": 1,
    }
    ms = sum(values[t] * c for t, c in zip(model.calibration.terms, model.calibration.coefficients, strict=True))
    return ms, ms * 0.95, ms * 1.05, ops


@settings(max_examples=80, deadline=None)
@given(slots=SLOTS, calibration=st.sampled_from(CALIBRATIONS), data=st.data())
def test_predict_is_a_loop_over_ops(table, grid_space, slots, calibration, data):
    model = LatencyModel(table(rows=rows()), grid_space(slots), calibration)
    n = data.draw(st.integers(1, 6))
    population = np.array([[data.draw(st.integers(0, len(s) - 1)) for s in slots] for _ in range(n)], dtype=np.int64)
    predicted = model.predict(population)
    for i, choices in enumerate(population):
        ms, low, high, ops = slow_prediction(model, choices)
        assert predicted.ms[i] == pytest.approx(ms)
        assert predicted.lower_ms[i] == pytest.approx(low)
        assert predicted.upper_ms[i] == pytest.approx(high)
        if ops:
            parts = model.op_ms(ops)
            assert parts.shape == (len(ops),)
            assert parts.sum() == pytest.approx(ms)
    assert predicted.ms.shape == predicted.lower_ms.shape == predicted.upper_ms.shape == (n,)


@settings(max_examples=40, deadline=None)
@given(slots=SLOTS, calibration=st.sampled_from(CALIBRATIONS), data=st.data())
def test_a_budget_and_a_prediction_say_the_same_to_the_last_bit(table, grid_space, slots, calibration, data):
    model = LatencyModel(table(rows=rows()), grid_space(slots), calibration)
    bends = calibration is not None and set(calibration.terms) & set(KNEES)
    assert isinstance(model.upper_ms, Hinged if bends else Factors)
    if bends:
        assert len(model.upper_ms.hinges) == len(bends)
    population = np.array([[data.draw(st.integers(0, len(s) - 1)) for s in slots] for _ in range(5)])
    assert model.upper_ms(population).tolist() == model.predict(population).upper_ms.tolist()


def test_an_op_without_a_time_is_named_and_searched_by_no_exact_method(table, grid_space):
    failed = TableRow(OPS[0], OpCost(0.5, 0, 0), error="out of memory")
    model = LatencyModel(table(rows=[failed, *rows(OPS[1:])]), grid_space([[(OPS[0],), (OPS[1],)]]))
    assert not isinstance(model.upper_ms, Factors | Hinged)
    assert model.predict(np.array([[1]])).ms.tolist() == pytest.approx([2.007])
    for ask in (model.predict, model.upper_ms, model.features):
        with pytest.raises(MissingOpError, match="out of memory"):
            ask(np.array([[1], [0]]))


def test_predict_by_hand(table, grid_space):
    a, b, c = OPS[:3]  # 1.007, 2.007, 3.007 ms; 0.5, 1, 1.5 MB
    space = grid_space([[(a,), (b, b)], [(), (c,)]])
    model = LatencyModel(table(rows=rows()), space)
    assert model.predict(np.array([[0, 0], [1, 0], [0, 1], [1, 1]])).ms.tolist() == pytest.approx(
        [1.007, 4.014, 4.014, 7.021]
    )
    features = model.features(np.array([[1, 1]]))
    assert (features["weight_mb"].tolist(), features["ops"].tolist()) == ([3.5], [3.0])
    calibrated = LatencyModel(
        model.table, space, Calibration(("sum_ms", "weight_mb", "constant"), (2.0, 0.1, 0.5), 0.1)
    )
    predicted = calibrated.predict(np.array([[1, 1]]))
    assert predicted.ms[0] == pytest.approx(2 * 7.021 + 0.1 * 3.5 + 0.5)
    assert predicted.upper_ms[0] == pytest.approx(predicted.ms[0] * 1.1)
    assert predicted.lower_ms[0] == pytest.approx(predicted.ms[0] * 0.9)


def test_one_genotype_or_a_hundred_thousand(table, grid_space):
    slots = [[(op,) for op in OPS] for _ in range(8)]
    model = LatencyModel(table(rows=rows()), grid_space(slots), CALIBRATIONS[-1])
    population = np.random.default_rng(0).integers(0, 6, (100_000, 8))
    many = model.predict(population)
    assert many.ms.shape == (100_000,)
    one = model.predict(population[7])
    assert one.ms.shape == (1,)
    assert one.ms[0] == pytest.approx(many.ms[7])
    assert model.predict(population[:0]).ms.shape == (0,)


def test_without_a_calibration_the_interval_is_empty(table, grid_space):
    predicted = LatencyModel(table(rows=rows()), grid_space([[(OPS[0],)]])).predict(np.array([[0]]))
    assert predicted.ms.tolist() == predicted.lower_ms.tolist() == predicted.upper_ms.tolist() == [1.007]


def test_coverage_before_any_search(table, grid_space):
    a, b, c, d = OPS[:4]
    failed = TableRow(c, OpCost(1.0, 0, 0), error="refused")
    model = LatencyModel(table(rows=[*rows([a, b]), failed]), grid_space([[(a, b), (c,)], [(d, a), ()]]))
    coverage = model.coverage()
    assert (coverage.hit, coverage.failed, coverage.missing) == ((a, b), (c,), (d,))
    assert not coverage.complete
    assert LatencyModel(model.table, grid_space([[(a,), (b,)]])).coverage().complete


@pytest.mark.parametrize("calibration", CALIBRATIONS)
def test_an_op_without_a_time_is_refused_by_name(table, grid_space, calibration):
    a, b, c, d = OPS[:4]
    failed = TableRow(c, OpCost(1.0, 0, 0), error="no kernel")
    model = LatencyModel(table(rows=[*rows([a, b]), failed]), grid_space([[(a,), (b, c)], [(a,), (d,)]]), calibration)
    assert model.predict(np.array([[0, 0]])).ms.shape == (1,)  # networks without it are fine
    with pytest.raises(MissingOpError) as e:
        model.predict(np.array([[0, 0], [1, 0]]))
    assert c.key in str(e.value)
    assert "no kernel" in str(e.value)
    with pytest.raises(MissingOpError) as e:
        model.predict(np.array([[0, 1], [0, 0]]))
    assert d.key in str(e.value)
    with pytest.raises(MissingOpError, match=r"op\(3; size=3\)"):
        model.op_ms([a, c])


@pytest.mark.parametrize("time", [float("nan"), 0.0])
def test_a_time_that_is_no_time_is_never_zero_ms(table, grid_space, time):
    row = TableRow(OPS[0], OpCost(1.0, 0, 0), median_us=time)
    with pytest.raises(MissingOpError):
        LatencyModel(table(rows=[row]), grid_space([[(OPS[0],)]])).predict(np.array([[0]]))


def test_op_ms_by_hand(table, grid_space):
    a, c = OPS[0], OPS[2]
    calibration = Calibration(("sum_ms", "weight_mb", "ops", "constant"), (2.0, 0.1, -0.01, 0.5), 0.1)
    model = LatencyModel(table(rows=rows()), grid_space([[(a, c)]]), calibration)
    # 2 * ms + 0.1 * MB - 0.01, and of the constant 0.5 the share 1.007 or 3.007 of 4.014
    assert model.op_ms([a, c]).tolist() == pytest.approx(
        [2.014 + 0.05 - 0.01 + 0.5 * 1.007 / 4.014, 6.014 + 0.15 - 0.01 + 0.5 * 3.007 / 4.014]
    )
    assert LatencyModel(model.table, model.space).op_ms([a, c, a]).tolist() == pytest.approx([1.007, 3.007, 1.007])
