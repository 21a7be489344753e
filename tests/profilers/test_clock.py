"""A clock that stands still or is set back while ops are measured."""

from itertools import count

import pytest

from profilers import Protocol, measure_plan, table_from_plan
from profilers.protocol import stop_reason

PROTOCOL = Protocol(warmup_runs=1, minimum_rounds=2, maximum_rounds=4, disturbed_rounds=0, groups=2)


def test_an_op_whose_times_are_zero_has_no_row_and_the_rest_goes_on(tmp_path, make_plan, fake_profiler):
    plan, profiler = make_plan(b"100 us", b"0 us", b"400 us"), fake_profiler()
    visits = measure_plan(plan, profiler, tmp_path / "j.jsonl", PROTOCOL)
    stopped = [v for v in visits if v.key == plan.models[1].key]
    assert len(stopped) == 4  # tried to the last round, as nothing is known of it
    assert stop_reason(stopped, PROTOCOL)
    assert stop_reason(stopped[:3], PROTOCOL) is None
    table = table_from_plan(plan, profiler.target(), visits, PROTOCOL)
    assert [row.median_us for row in table.rows] == [pytest.approx(100.0), None, pytest.approx(400.0)]
    assert table.coverage(plan.costs).failed == (plan.models[1].op,)
    assert measure_plan(plan, profiler, tmp_path / "j.jsonl", PROTOCOL) == visits


@pytest.mark.parametrize("step", [-3600.0, -1.0, 1e9])
def test_a_clock_that_is_set_while_measuring(tmp_path, make_plan, fake_profiler, monkeypatch, step):
    ticks = count()
    monkeypatch.setattr("profilers.protocol.time.time", lambda: 1.5e9 + step * next(ticks))
    plan, profiler = make_plan(b"100 us", b"400 us"), fake_profiler()
    visits = measure_plan(plan, profiler, tmp_path / "j.jsonl", PROTOCOL)
    table = table_from_plan(plan, profiler.target(), visits, PROTOCOL)
    assert [row.median_us for row in table.rows] == [pytest.approx(100.0), pytest.approx(400.0)]
    assert table.provenance.seconds >= 0
