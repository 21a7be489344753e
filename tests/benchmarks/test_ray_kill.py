import pytest

from benchmarks._ray_kill import killed_workers


def test_too_few_jobs_are_refused():
    with pytest.raises(ValueError, match="at least 20"):
        killed_workers(5)
