import gc
from collections import Counter
from dataclasses import replace

import pytest

from latency_tables import HwnasError, JournalError, Measurement, Op, OpCost, TableError, summarise
from profilers import Protocol, measure_plan, table_from_plan, write_plan

PROTOCOL = Protocol(warmup_runs=1, minimum_rounds=2, maximum_rounds=4, groups=2)
MODELS = (b"100 us", b"200 us", b"400 us")


def rounds_of(visits):
    return Counter((v.key, v.round) for v in visits)


def test_every_model_once_a_round(tmp_path, make_plan, fake_profiler):
    plan, profiler = make_plan(*MODELS), fake_profiler()
    visits = measure_plan(plan, profiler, tmp_path / "j.jsonl", PROTOCOL)
    # a fake is quiet: the interval is narrow after the minimum of two rounds
    assert rounds_of(visits) == {(m.key, r): 1 for m in plan.models for r in range(2)}
    assert [v.round for v in visits] == [0, 0, 0, 1, 1, 1]
    assert Counter(profiler.opened) == {b"50 us": 1} | dict.fromkeys(MODELS, 2)
    assert all(session.closed for session in profiler.sessions)


def test_each_round_in_an_order_of_its_own(tmp_path, make_plan, fake_profiler):
    plan = make_plan(*(b"%d us" % us for us in range(100, 130)))
    visits = measure_plan(plan, fake_profiler(), tmp_path / "j.jsonl", PROTOCOL)
    orders = [[v.key for v in visits if v.round == r] for r in range(2)]
    planned = [m.key for m in plan.models]
    assert sorted(orders[0]) == sorted(orders[1]) == sorted(planned)
    assert orders[0] != orders[1]
    assert planned not in orders
    again = measure_plan(plan, fake_profiler(), tmp_path / "k.jsonl", PROTOCOL)
    assert [v.key for v in again] == [v.key for v in visits]


def test_visits_in_a_row_are_one_round(tmp_path, make_plan, fake_profiler):
    plan, protocol = make_plan(*MODELS), replace(PROTOCOL, in_a_row=3)
    visits = measure_plan(plan, fake_profiler(), tmp_path / "j.jsonl", protocol)
    assert rounds_of(visits) == {(m.key, r): 3 for m in plan.models for r in range(2)}
    assert [v.round for v in visits] == [0] * 9 + [1] * 9
    for start in range(0, 18, 3):
        assert len({v.key for v in visits[start : start + 3]}) == 1
    assert summarise([v for v in visits if v.key == plan.models[0].key]).rounds == 2


def test_a_row_that_was_cut_is_gone_on_with(tmp_path, make_plan, fake_profiler):
    plan, protocol, journal = make_plan(*MODELS), replace(PROTOCOL, in_a_row=2), tmp_path / "j.jsonl"
    with pytest.raises(KeyboardInterrupt):
        measure_plan(plan, fake_profiler(fail_after=4), journal, protocol)  # the reference and three visits
    visits = measure_plan(plan, fake_profiler(), journal, protocol)
    assert rounds_of(visits) == {(m.key, r): 2 for m in plan.models for r in range(2)}
    assert len(visits) == 12


def test_the_table_by_hand(tmp_path, make_plan, fake_profiler):
    plan, profiler = make_plan(*MODELS), fake_profiler()
    visits = measure_plan(plan, profiler, tmp_path / "j.jsonl", PROTOCOL)
    table = table_from_plan(plan, profiler.target(), visits, PROTOCOL)
    assert [row.op for row in table.rows] == [m.op for m in plan.models]
    assert [row.median_us for row in table.rows] == pytest.approx([100.0, 200.0, 400.0])
    assert [row.stop_reason for row in table.rows] == ["ci"] * 3
    assert [(row.groups, row.rounds) for row in table.rows] == [(4, 2)] * 3
    assert table.rows[0].cost == OpCost(0.5, 10, 20)
    assert table.provenance.reference_us == pytest.approx(50.0)
    assert table.provenance.target == profiler.target()
    assert table.provenance.space == "fake-space"
    assert table.provenance.protocol == PROTOCOL.to_json()
    assert table.provenance.measured_at.endswith("+00:00")
    assert table.reference_model == b"50 us"
    assert {"python", "numpy", "system"} <= set(table.provenance.versions)


def test_the_table_of_visits_by_hand(tmp_path, fake_profiler, make_plan):
    plan, target = make_plan(*MODELS), fake_profiler().target()
    a, b, _ = (m.key for m in plan.models)
    visits = [
        Measurement(a, 0, 100.0, ((30.0, 33.0),), (10.0, 10.0)),  # 3 times the reference
        Measurement(b, 0, 101.0, error="refused: no kernel"),
        Measurement(a, 1, 107.5, ((100.0, 90.0),), (20.0, 22.0)),  # 4.5 times
    ]
    protocol = Protocol(groups=1, minimum_rounds=2, maximum_rounds=2, disturbed_rounds=0)
    table = table_from_plan(plan, target, visits, protocol, {"numpy": "2"})
    assert table.provenance.reference_us == 10.0  # minima 10, 10, 20, 22: their 10th percentile
    assert [row.error for row in table.rows] == [None, "refused: no kernel", "never visited"]
    assert [row.stop_reason for row in table.rows] == ["disturbed", "error", "error"]  # beside a slow reference
    assert table.rows[0].median_us == pytest.approx(3.75 * 10)
    assert (table.provenance.seconds, table.provenance.versions) == (7.5, {"numpy": "2"})
    assert table.provenance.measured_at == "1970-01-01T00:01:40+00:00"
    ops = list(plan.costs)
    assert table.coverage(ops).hit == tuple(ops[:1])
    assert table.coverage(ops).failed == tuple(ops[1:])

    others = [Measurement("a whole network", 0, 110.0, ((77.0,),), (4.0, 4.0))]  # only tell of the reference
    table = table_from_plan(plan, target, [*visits, *others, *others], protocol)
    assert table.provenance.reference_us == 4.0
    assert table.rows[0].median_us == pytest.approx(3.75 * 4)


def test_nothing_measured_is_an_error(make_plan, fake_profiler):
    plan, target = make_plan(*MODELS), fake_profiler().target()
    with pytest.raises(TableError, match="no op of fake-space could be measured: refused"):
        table_from_plan(plan, target, [Measurement("a", 0, 0.0, error="refused")], PROTOCOL)
    with pytest.raises(TableError, match="no op of fake-space could be measured: nothing was measured"):
        table_from_plan(plan, target, [], PROTOCOL)


def test_a_drifting_machine_gives_the_same_ratios(tmp_path, make_plan, fake_profiler):
    plan = make_plan(*MODELS)
    protocol = replace(PROTOCOL, minimum_rounds=3)
    profiler = fake_profiler(drift_per_group=1.002)
    visits = measure_plan(plan, profiler, tmp_path / "j.jsonl", protocol)
    assert profiler.drift > 1.1  # the wall clock is off by a lot
    table = table_from_plan(plan, profiler.target(), visits, protocol)
    ratios = [row.median_us / table.provenance.reference_us for row in table.rows]
    assert ratios == pytest.approx([2.0, 4.0, 8.0], rel=0.003)


def test_a_noisy_model_is_visited_until_the_last_round(tmp_path, make_plan, fake_profiler):
    class Noisy(fake_profiler):
        def start(self, engine):
            session = super().start(engine)
            if engine.content == b"200 us":
                session.us *= 1 + 0.3 * self.opened.count(engine.content)
            return session

    plan, profiler = make_plan(*MODELS), Noisy()
    visits = measure_plan(plan, profiler, tmp_path / "j.jsonl", PROTOCOL)
    assert Counter(profiler.opened) == {b"50 us": 1, b"100 us": 2, b"200 us": 4, b"400 us": 2}
    table = table_from_plan(plan, profiler.target(), visits, PROTOCOL)
    assert [row.stop_reason for row in table.rows] == ["ci", "max_rounds", "ci"]
    assert [row.rounds for row in table.rows] == [2, 4, 2]


def test_a_refused_op_is_a_row_with_an_error_and_the_rest_goes_on(tmp_path, make_plan, fake_profiler):
    plan, profiler = make_plan(b"100 us", b"exotic", b"400 us"), fake_profiler()
    visits = measure_plan(plan, profiler, tmp_path / "j.jsonl", PROTOCOL)
    assert rounds_of(visits)[plan.models[1].key, 0] == 1
    assert len(visits) == 5  # one try of the refused op is enough
    table = table_from_plan(plan, profiler.target(), visits, PROTOCOL)
    assert [row.error for row in table.rows] == [None, "fake refuses b'exotic'", None]
    assert [row.median_us for row in table.rows] == [pytest.approx(100.0), None, pytest.approx(400.0)]
    assert [row.stop_reason for row in table.rows] == ["ci", "error", "ci"]
    assert table.coverage(plan.costs).failed == (plan.models[1].op,)


def test_nothing_but_refusals(tmp_path, make_plan, fake_profiler):
    plan, profiler = make_plan(b"exotic", b"strange"), fake_profiler()
    visits = measure_plan(plan, profiler, tmp_path / "j.jsonl", PROTOCOL)
    with pytest.raises(TableError, match="no op of fake-space could be measured: fake refuses"):
        table_from_plan(plan, profiler.target(), visits, PROTOCOL)


@pytest.mark.parametrize("after", range(8))
def test_resume_after_an_interruption(tmp_path, make_plan, fake_profiler, after):
    plan, journal = make_plan(*MODELS), tmp_path / "j.jsonl"
    first = fake_profiler(fail_after=after)
    if after < 7:  # the reference and two rounds of three
        with pytest.raises(KeyboardInterrupt):
            measure_plan(plan, first, journal, PROTOCOL)
    else:
        measure_plan(plan, first, journal, PROTOCOL)
    second = fake_profiler()
    visits = measure_plan(plan, second, journal, PROTOCOL)
    assert rounds_of(visits) == {(m.key, r): 1 for m in plan.models for r in range(2)}
    opened = Counter(first.opened) + Counter(second.opened)
    assert {m: opened[m] for m in MODELS} == dict.fromkeys(MODELS, 2)
    third = fake_profiler()
    assert measure_plan(plan, third, journal, PROTOCOL) == visits
    assert third.opened == [b"50 us"]


@pytest.mark.parametrize("cut", [1, 2, 100])
def test_resume_after_a_kill_while_writing(tmp_path, make_plan, fake_profiler, cut):
    plan, journal = make_plan(*MODELS), tmp_path / "j.jsonl"
    with pytest.raises(KeyboardInterrupt):
        measure_plan(plan, fake_profiler(fail_after=3), journal, PROTOCOL)
    journal.write_bytes(journal.read_bytes()[:-cut])
    with pytest.raises(KeyboardInterrupt):
        measure_plan(plan, fake_profiler(fail_after=3), journal, PROTOCOL)
    visits = measure_plan(plan, fake_profiler(), journal, PROTOCOL)
    assert rounds_of(visits) == {(m.key, r): 1 for m in plan.models for r in range(2)}
    assert measure_plan(plan, fake_profiler(), journal, PROTOCOL) == visits


def test_a_refused_op_is_not_tried_again_on_resume(tmp_path, make_plan, fake_profiler):
    plan, journal = make_plan(b"exotic", b"100 us"), tmp_path / "j.jsonl"
    visits = measure_plan(plan, fake_profiler(), journal, PROTOCOL)
    again = fake_profiler()
    assert measure_plan(plan, again, journal, PROTOCOL) == visits
    assert again.opened == [b"50 us"]


def test_the_journal_of_other_work_is_refused(tmp_path, make_plan, fake_profiler):
    plan, journal = make_plan(*MODELS), tmp_path / "j.jsonl"
    measure_plan(plan, fake_profiler(), journal, PROTOCOL)
    other = make_plan(*MODELS[:2], folder=tmp_path / "other")
    for plan_, profiler, protocol in (
        (other, fake_profiler(), PROTOCOL),
        (plan, fake_profiler(threads=2), PROTOCOL),
        (plan, fake_profiler(), replace(PROTOCOL, groups=3)),
    ):
        with pytest.raises(JournalError, match="is the journal of other work"):
            measure_plan(plan_, profiler, journal, protocol)
        assert profiler.opened == []


def test_the_power_mode_may_change_between_sessions(tmp_path, make_plan, fake_profiler):
    class Saving(fake_profiler):
        def target(self):
            return replace(super().target(), power_mode="powersave")

    plan, journal = make_plan(*MODELS), tmp_path / "j.jsonl"
    visits = measure_plan(plan, fake_profiler(), journal, PROTOCOL)
    assert measure_plan(plan, Saving(), journal, PROTOCOL) == visits


def test_a_damaged_model_stops_the_work_and_keeps_what_was_measured(tmp_path, make_plan, fake_profiler):
    plan, journal = make_plan(*MODELS), tmp_path / "j.jsonl"
    last = plan.folder / measure_plan_order(plan, fake_profiler, tmp_path)[-1].file
    whole = last.read_bytes()
    last.write_bytes(b"damaged")
    with pytest.raises(HwnasError, match=r"is damaged .its digest does not match.; make the plan again"):
        measure_plan(plan, fake_profiler(), journal, PROTOCOL)
    last.write_bytes(whole)
    profiler = fake_profiler()
    assert len(measure_plan(plan, profiler, journal, PROTOCOL)) == 6
    assert len(profiler.opened) == 1 + 4


def measure_plan_order(plan, fake_profiler, tmp_path):
    """The models in the order of the first round."""
    visits = measure_plan(plan, fake_profiler(), tmp_path / "order.jsonl", replace(PROTOCOL, maximum_rounds=1))
    planned = {m.key: m for m in plan.models}
    return [planned[v.key] for v in visits]


def test_whole_networks_have_no_rows(tmp_path, fake_profiler):
    op, cost = Op.of("conv", (1,)), OpCost(1.0, 2, 3)
    plan = write_plan(tmp_path, "s", b"50 us", [("conv(1)", op, cost, b"100 us"), ("0-1", None, cost, b"900 us")])
    profiler = fake_profiler()
    visits = measure_plan(plan, profiler, tmp_path / "j.jsonl", PROTOCOL)
    assert {v.key for v in visits} == {"conv(1)", "0-1"}
    assert [row.op for row in table_from_plan(plan, profiler.target(), visits, PROTOCOL).rows] == [op]


def test_progress_ends_complete(tmp_path, make_plan, fake_profiler):
    told = []
    plan = make_plan(*MODELS)
    measure_plan(plan, fake_profiler(), tmp_path / "j.jsonl", PROTOCOL, lambda *step: told.append(step))
    assert [done for done, _, _ in told] == [0, 1, 2, 3, 4, 5, 6]
    assert [total for _, total, _ in told] == [6] * 7
    assert all(plan_key in {m.key for m in plan.models} for plan_key in (t.split(": ")[1] for _, _, t in told[:-1]))
    assert told[-1][2] == "measured"


def test_the_process_is_as_before_after_an_error(tmp_path, make_plan, fake_profiler):
    assert gc.isenabled()
    with pytest.raises(KeyboardInterrupt):
        measure_plan(make_plan(*MODELS), fake_profiler(fail_after=2), tmp_path / "j.jsonl", PROTOCOL)
    assert gc.isenabled()
