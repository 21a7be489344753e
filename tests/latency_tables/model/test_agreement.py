import numpy as np
import pytest

from latency_tables import LatencyPrediction
from latency_tables.model.agreement import Agreement


def agreement(predicted, lower, upper, measured):
    columns = (np.array(c, dtype=float) for c in (predicted, lower, upper))
    return Agreement(LatencyPrediction(*columns), np.array(measured, dtype=float))


def test_by_hand():
    a = agreement([1.04, 2.2, 2.7, 4.0], [1.0, 2.1, 2.6, 3.0], [1.1, 2.3, 2.9, 5.0], [1.0, 2.0, 3.0, 4.0])
    assert a.errors.tolist() == pytest.approx([0.04, 0.1, -0.1, 0.0])
    assert a.mape_pct == pytest.approx(6.0)
    assert a.bias_pct == pytest.approx(1.0)
    assert (a.within_pct(5), a.within_pct(10.0001), a.within_pct(1)) == (50, 100, 25)
    assert a.inside == 2  # the first stands on its lower end, the second and third are outside
    assert a.coverage_pct == 50
    assert (a.spearman, a.kendall) == pytest.approx((1.0, 1.0))
    assert set(a.figures()) == {
        "mape_pct",
        "within5_pct",
        "within10_pct",
        "bias_pct",
        "spearman",
        "kendall",
        "interval_coverage_pct",
    }


def test_ranks_by_hand():
    a = agreement([1, 3, 2], [0, 0, 0], [9, 9, 9], [1, 2, 3])
    assert a.spearman == pytest.approx(0.5)
    assert a.kendall == pytest.approx(1 / 3)
