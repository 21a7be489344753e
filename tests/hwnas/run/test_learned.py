"""Runs whose strategy learns a distribution over networks together with the supernet, inside the budget."""

import numpy as np
import pytest

from hwnas.run import Run, Settings
from hwnas.search import STRATEGIES
from hwnas.search.differentiable.likely import most_probable

LEARNING = [name for name, entry in STRATEGIES.items() if entry.learns]


def test_four_strategies_learn_with_the_supernet():
    assert LEARNING == ["drnas", "balenas", "ddpnas", "da2s"]


@pytest.mark.slow
@pytest.mark.measures
def test_the_most_probable_network_is_trained_and_inside_the_budget(tmp_path, listener, little_effort):
    """All four in one folder: the table is measured once."""
    effort = {**little_effort, "queries": 12}
    for strategy in LEARNING:
        with Run(Settings(**effort, strategy=strategy), tmp_path / "run", listener) as run:
            choice, mean = run.branches.choose({}), run.accuracy_model.learned_mean
            space, budget = run.inputs.space, run.branches.first.limit
            assert mean.shape == (len(space.cardinalities), max(space.cardinalities))
            assert choice.finalists[0].text == space.to_text(most_probable(space, mean, [budget]))
            assert len({one.text for one in choice.finalists}) == 2
            assert all(one.predicted_upper_ms <= budget.limit for one in (*choice.finalists, *choice.others))
    assert listener.stages.count("latency table") == 1
    assert listener.stages.count("supernet training") == 4
    with Run(Settings(**effort, strategy="da2s"), tmp_path / "run", listener) as again:
        assert [one.text for one in again.branches.choose({}).finalists] == [one.text for one in choice.finalists]
        assert np.array_equal(again.accuracy_model.learned_mean, mean)
    assert listener.stages.count("supernet training") == 4
    tighter = Settings(**effort, strategy="da2s", budget_ms=0.7 * budget.limit)
    with Run(tighter, tmp_path / "run", listener) as other:  # another budget is learned inside of
        assert all(one.predicted_upper_ms <= 0.7 * budget.limit for one in other.branches.choose({}).finalists)
    assert listener.stages.count("supernet training") == 5
