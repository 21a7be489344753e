"""Several devices at once, against brute force over every network."""

import numpy as np
import pytest

from hwnas.search import Fleet, InfeasibleBudget
from hwnas.search.pareto import pareto_front
from hwnas.spaces import mbconv_space
from latency_tables import Calibration, HwnasError, LatencyModel, OpCost
from latency_tables.model.calibration import KNEES


def with_costs(model, seed=0, calibration=None):
    """The same device, its ops of different weights."""
    rng, table = np.random.default_rng(seed), model.table
    costs = [
        OpCost(float(rng.uniform(0.01, 0.2)), int(rng.integers(10**6)), int(rng.integers(10**5))) for _ in table.rows
    ]
    rows = tuple(type(r)(r.op, cost, median_us=r.median_us) for r, cost in zip(table.rows, costs, strict=True))
    return LatencyModel(type(table)(rows, table.provenance, b""), model.space, calibration)


BENT = Calibration(("sum_ms", *KNEES[:2], "constant"), (1.0, 0.5, -0.3, 0.1), 0.05, knees_mb=(0.4, 0.6))


def fleet_of(space, latency):
    plain = with_costs(latency(space, 0), 0)
    return Fleet(space, {"cpu": plain, "board": with_costs(latency(space, 1), 0, BENT)})


def worth(space, seed=0):
    rng = np.random.default_rng(seed)
    return space.layout.factors([rng.uniform(-0.2, 1, len(slot.options)) for slot in space.slots])


def test_every_front_is_the_front_of_all(tiny_mbconv, latency, enumerated):
    fleet, value, every = fleet_of(tiny_mbconv, latency), worth(tiny_mbconv), enumerated(tiny_mbconv)
    seen = []
    fronts = fleet.sweep(value, progress=lambda done, total, what: seen.append((done, total, what)))
    assert seen == [(0, 2, "cpu"), (1, 2, "board"), (2, 2, "fronts")]
    assert list(fronts) == ["cpu", "board"]
    for i, (name, front) in enumerate(fronts.items()):
        upper_ms = fleet.devices[name].predict(every).upper_ms
        best = every[pareto_front(value(every), upper_ms)]
        assert front.whole
        assert np.array_equal(front.population, best)
        assert front.value == pytest.approx(value(best))
        assert front.ms.shape == front.upper_ms.shape == (len(best), 2)
        assert front.upper_ms[:, i] == pytest.approx(fleet.devices[name].predict(best).upper_ms)
        assert front.ms[:, 1 - i] == pytest.approx(list(fleet.devices.values())[1 - i].predict(best).ms)


def test_a_ladder_where_the_front_cannot_be_whole(latency):
    space = mbconv_space("mbconv-32")
    fleet, value = fleet_of(space, latency), worth(space)
    fronts = fleet.sweep(value, rungs=6)
    assert fronts["cpu"].whole
    ladder = fronts["board"]
    assert not ladder.whole
    assert ladder.proven
    assert 2 <= len(ladder) <= 6
    assert (np.diff(ladder.upper_ms[:, 1]) > 0).all()
    assert (np.diff(ladder.value) > 0).all()
    random = space.sample(np.random.default_rng(0), 5000)
    upper_ms = fleet.ms(random)[1][:, 1]
    assert ladder.upper_ms[0, 1] <= upper_ms.min()
    for value_there, ms in zip(ladder.value, ladder.upper_ms[:, 1], strict=True):
        assert value_there >= value(random)[upper_ms <= ms].max(initial=-np.inf) - 1e-6


def test_one_network_within_all_budgets(tiny_mbconv, latency, enumerated):
    fleet, value, every = fleet_of(tiny_mbconv, latency), worth(tiny_mbconv, 3), enumerated(tiny_mbconv)
    upper_ms = fleet.ms(every)[1]
    limits = np.quantile(upper_ms, 0.6, axis=0)
    megabytes = fleet.budget("MB", 1.0).cost(every)
    budgets = [
        fleet.budget_ms("cpu", limits[0]),
        fleet.budget_ms("board", limits[1]),
        fleet.budget("MB", float(np.quantile(megabytes, 0.6))),
    ]
    inside = (upper_ms <= limits).all(axis=1) & (megabytes <= budgets[2].limit)
    answer = fleet.one_network(value, budgets)
    assert answer.value == pytest.approx(value(every)[inside].max(), abs=1e-5)
    assert answer.proven(1e-5)
    assert all(budget.cost(answer.arch[None])[0] <= budget.limit for budget in budgets)


def test_resources_are_what_the_ops_say_and_the_most_of_all_tables(tiny_mbconv, latency):
    light, heavy = (with_costs(latency(tiny_mbconv), seed) for seed in (0, 1))
    arch = tiny_mbconv.sample(np.random.default_rng(0), 1)
    pairs = [(light.table[op].cost, heavy.table[op].cost) for op in tiny_mbconv.ops(arch[0])]
    fleet = Fleet(tiny_mbconv, {"light": light, "heavy": heavy})
    for resource, wanted in (
        ("MB", sum(max(a.weight_mb, b.weight_mb) for a, b in pairs)),
        ("M MACs", sum(max(a.macs, b.macs) for a, b in pairs) / 1e6),
        ("M parameters", sum(max(a.params, b.params) for a, b in pairs) / 1e6),
    ):
        budget = fleet.budget(resource, 5.0)
        assert (budget.name, budget.limit) == (resource, 5.0)
        assert budget.cost(arch)[0] == pytest.approx(wanted)


def test_impossible_and_unknown(tiny_mbconv, latency, enumerated):
    fleet = fleet_of(tiny_mbconv, latency)
    least = fleet.ms(enumerated(tiny_mbconv))[1].min(axis=0)
    with pytest.raises(InfeasibleBudget) as said:
        fleet.one_network(worth(tiny_mbconv), [fleet.budget_ms("cpu", 0.9 * least[0]), fleet.budget_ms("board", 1e3)])
    for name, ms in zip(("cpu", "board"), least, strict=True):
        assert f"has the fewest ms on {name}, {ms:.4g}" in str(said.value)
    with pytest.raises(HwnasError, match="there is no device 'phone' for a budget; there are cpu, board"):
        fleet.budget_ms("phone", 1.0)
