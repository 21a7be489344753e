import numpy as np
import pytest

from hwnas.search import InfeasibleBudget, fastest, require_feasible
from hwnas.spaces import mbconv_space
from latency_tables import Calibration, LatencyModel, MissingOpError
from latency_tables.model.calibration import KNEES


def test_fastest_is_what_brute_force_finds(tiny_mbconv, chain, latency, enumerated):
    for space in (tiny_mbconv, chain()):
        for seed in range(5):
            model = latency(space, seed)
            every = enumerated(space)
            assert len(every) == space.size
            best = every[model.predict(every).ms.argmin()]
            assert np.array_equal(fastest(space, model), best)


@pytest.mark.parametrize("prices", [(0.9, 0.4), (-0.9, 0.5), (-0.3, -0.4)])
def test_fastest_minds_knees(prices, tiny_mbconv, latency, enumerated):
    """Steepest descent may end where weights get cheaper; the answer may not."""
    plain, every = latency(tiny_mbconv), enumerated(tiny_mbconv)
    rng = np.random.default_rng(0)
    rows = [
        type(r)(r.op, type(r.cost)(float(rng.uniform(0, 1)), 1, 1), median_us=r.median_us) for r in plain.table.rows
    ]
    table = type(plain.table)(tuple(rows), plain.table.provenance, b"")
    terms = ("sum_ms", "weight_mb", *KNEES[:2], "constant")
    model = LatencyModel(table, tiny_mbconv, Calibration(terms, (1.0, 0.1, *prices, 5.0), 0.1, knees_mb=(2.0, 3.0)))
    upper_ms = model.predict(every).upper_ms
    assert np.array_equal(fastest(tiny_mbconv, model), every[upper_ms.argmin()])
    with pytest.raises(InfeasibleBudget, match=f"upper bound {upper_ms.min():.4g} ms"):
        require_feasible(tiny_mbconv, model, 0.99 * upper_ms.min())


@pytest.mark.parametrize("name", ["mbconv-32", "mbconv-112", "ofa-mbv3"])
def test_fastest_is_the_minimum_of_every_slot(name, latency):
    space = mbconv_space(name)
    for seed in range(3):
        model = latency(space, seed)
        cost = [[sum(model.table[op].median_us for op in choice) for choice in slot.options] for slot in space.slots]
        arch = fastest(space, model)
        assert model.predict(arch[None]).ms[0] == pytest.approx(sum(map(min, cost)) / 1e3)
        assert np.array_equal(space.check(arch), arch)


def test_fastest_minds_the_calibration(chain, latency):
    """With weights that make the network faster, the heaviest ops win."""
    space = chain(genes=3, values=3)
    plain = latency(space)
    rows = []
    for row in plain.table.rows:
        heavy = 1.0 if row.op["choice"] == 2 else 0.0
        rows.append(type(row)(row.op, type(row.cost)(heavy, 1, 1), median_us=row.median_us))
    table = type(plain.table)(tuple(rows), plain.table.provenance, b"")
    calibration = Calibration(("sum_ms", "weight_mb", "constant"), (1.0, -9.0, 50.0), 0.1)
    assert fastest(space, LatencyModel(table, space, calibration)).tolist() == [2, 2, 2]


@pytest.mark.parametrize("budget", [0.0, -1.0, float("nan"), float("inf"), -float("inf")])
def test_budgets_that_are_none(budget, chain, latency):
    space = chain()
    with pytest.raises(InfeasibleBudget, match=f"a budget must be more than 0 ms, got {budget:g}") as caught:
        require_feasible(space, latency(space), budget)
    assert "\n" not in str(caught.value)


def test_a_budget_too_small_names_the_fastest_network_and_its_ms(tiny_mbconv, latency):
    model = latency(tiny_mbconv)
    calibrated = LatencyModel(model.table, tiny_mbconv, Calibration(("sum_ms", "constant"), (1.0, 0.25), 0.1))
    arch = fastest(tiny_mbconv, calibrated)
    ms = float(model.predict(arch[None]).ms[0]) + 0.25
    require_feasible(tiny_mbconv, calibrated, 1.1001 * ms)
    with pytest.raises(InfeasibleBudget) as caught:
        require_feasible(tiny_mbconv, calibrated, 1.05 * ms)  # above the prediction, below its upper bound
    assert str(caught.value) == (
        f"no network of tiny fits {1.05 * ms:g} ms: the fastest is {tiny_mbconv.to_text(arch)} with "
        f"{ms:.4g} ms (upper bound {1.1 * ms:.4g} ms); give a larger budget"
    )


def test_an_op_without_a_time_is_never_the_fastest(chain, latency):
    space = chain(genes=2, values=2)
    model = latency(space)
    table = type(model.table)(model.table.rows[1:], model.table.provenance, b"")
    with pytest.raises(MissingOpError, match=r"op\(3x8x8; choice=0 slot=0\)"):
        require_feasible(space, LatencyModel(table, space), 1.0)
