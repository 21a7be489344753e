"""How searches and trainings of distributions are judged: by hand."""

import numpy as np
import pytest

from benchmarks._distribution_trainings import Found, Training, macro_figures
from benchmarks._supernet_scores import ScoredSpace
from benchmarks.differentiable import Outcome, Trial, figures
from hwnas.spaces import NasBenchMacro, every_network


def test_figures_of_searches():
    outcomes = {
        Trial("softmax", 25, 0): Outcome(0.0, 10, 0),
        Trial("softmax", 25, 1): Outcome(0.4, 30, 1),
        Trial("softmax", 50, 0): Outcome(0.1, 20, 0),
        Trial("evolution", 25, 0): Outcome(9.0, 5, 0),
    }
    said = figures(outcomes)
    assert said["public_regret_points"] == pytest.approx(0.2)  # the worse budget; the rival does not count
    assert said["regret_points.softmax"] == pytest.approx(0.5 / 3)
    assert said["found_best_pct.softmax"] == pytest.approx(100 / 3)
    assert said["lookups.softmax"] == 20
    assert said["regret_points.evolution"] == 9
    assert said["over_budget"] == 1


def test_figures_of_trainings():
    def training(kind, seed):
        return Training(kind, "MACs", 25, seed, 100, 16)

    found = {
        training("uniform", 0): {"MACs 25": Found("a", 1.0, False), "ms 25": Found("b", 0.5, False)},
        training("softmax", 0): {"MACs 25": Found("c", 0.4, False, 2, 3.0)},
        training("softmax", 1): {"MACs 25": Found("c", 0.8, True, 0, 3.0)},
        Training("softmax", "ms", 25, 0, 100, 16): {"ms 25": Found("c", 0.7, False, 0, 3.0)},
        training("annealed", 0): {"MACs 25": Found("c", 1.1, False, 0, 0.2)},
    }
    said = macro_figures(found)
    assert said["rival_regret_points"] == pytest.approx(0.75)
    assert said["regret_points.softmax"] == pytest.approx(0.65)
    assert said["regret_points_worst.softmax"] == pytest.approx(0.7)
    assert said["budgets_won.softmax.MACs"] == 1  # .6 against 1, but .7 against .5
    assert said["budgets_won.softmax.ms"] == 0
    assert said["budgets_won.annealed.MACs"] == 0
    assert (said["steps_over_budget"], said["over_budget"]) == (2, 1)
    assert said["rounding_gap_pct"] == pytest.approx(0.2)


def scored(cost):
    space = NasBenchMacro()
    every = every_network(space)
    nothing = np.zeros(len(every))
    return ScoredSpace(space, every, nothing, cost(every), nothing, {"one": nothing}, {})


def test_a_cost_that_adds_up_is_found_as_a_sum():
    weights = np.random.default_rng(0).random((8, 3))
    bench = scored(lambda archs: weights[np.arange(8), archs].sum(axis=1).round(6))
    np.testing.assert_allclose(bench.additive_cost()(bench.population), bench.cost, atol=1e-5)


def test_a_cost_that_does_not_add_up_is_refused():
    with pytest.raises(ValueError, match="do not add up"):
        scored(lambda archs: archs[:, 0] * archs[:, 1].astype(float)).additive_cost()
