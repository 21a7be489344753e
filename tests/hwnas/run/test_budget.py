"""The budget of a run that was given none."""

from types import SimpleNamespace

import numpy as np
import pytest

from hwnas.run.budget import RunBudget

MS = np.arange(1.0, 1001.0)  # of the thousand random networks


def budget(upper_ms, given_ms=None):
    latency = SimpleNamespace(predict=lambda archs: SimpleNamespace(ms=MS, upper_ms=upper_ms))
    space = SimpleNamespace(name="made-up", sample=lambda rng, count: np.zeros((count, 3), dtype=int))
    settings = SimpleNamespace(budget_ms=given_ms)
    return RunBudget(SimpleNamespace(space=space, settings=settings, latency=lambda: latency))


def test_the_median_of_random_networks():
    found = budget(1.05 * MS)
    assert found.ms == pytest.approx(500.5)
    assert found.source == "median predicted latency of 1000 random networks"


def test_wide_intervals_leave_some_networks_inside():
    """Every upper bound is 600 above: the median admits none of them, the budget a tenth."""
    found = budget(MS + 600)
    assert found.ms == pytest.approx(600 + 100.9)
    assert (found.ms >= MS + 600).sum() == 100
    assert found.source == "upper bound of the fastest 10 % of 1000 random networks, since intervals are wide"


def test_a_budget_that_was_given_is_kept():
    found = budget(MS + 600, given_ms=3.0)
    assert (found.ms, found.source) == (3.0, "given")
    assert found.complaint is None
    assert "does not bind" in budget(1.05 * MS, given_ms=2000.0).complaint
