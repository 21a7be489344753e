import pytest

from latency_tables.student import student_975

stats = pytest.importorskip("scipy.stats")


@pytest.mark.parametrize("degrees", range(1, 31))
def test_the_table_is_scipys(degrees):
    assert student_975(degrees) == pytest.approx(stats.t.ppf(0.975, degrees), rel=1e-9)


@pytest.mark.parametrize("degrees", [31, 32, 35, 40, 60, 100, 1000, 10**6])
def test_beyond_the_table(degrees):
    assert student_975(degrees) == pytest.approx(stats.t.ppf(0.975, degrees), rel=1e-6)


def test_more_values_make_a_narrower_interval():
    quantiles = [student_975(d) for d in range(1, 200)]
    assert quantiles == sorted(quantiles, reverse=True)
    assert len(set(quantiles)) == len(quantiles)


@pytest.mark.parametrize("degrees", [0, -1])
def test_without_a_degree_of_freedom(degrees):
    with pytest.raises(ValueError, match="at least one"):
        student_975(degrees)
