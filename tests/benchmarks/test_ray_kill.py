import pytest

from benchmarks._ray_kill import killed_workers


@pytest.mark.slow
@pytest.mark.measures
def test_nothing_is_lost_and_nothing_is_there_twice():
    pytest.importorskip("ray", reason="needs ray: pip install 'hwnas[ray]'")
    figures, details = killed_workers(24)
    assert figures == {"ray_jobs": 24, "ray_kills": 7, "ray_lost": 0, "ray_twice": 0}
    assert details["begun"] > 24


def test_too_few_jobs_are_refused():
    with pytest.raises(ValueError, match="at least 20"):
        killed_workers(5)
