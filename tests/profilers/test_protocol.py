import json
from dataclasses import replace

import numpy as np
import pytest

from latency_tables import Measurement, summarise
from profilers import Protocol
from profilers.protocol import NETWORKS_PROTOCOL, by_key, networks_protocol, stop_reason, visit, visit_model
from tests.profilers.conftest import FakeSession

PROTOCOL = Protocol(warmup_runs=3, group_us=1000, minimum_runs=4, maximum_runs=64, reference_runs=6, groups=2)


def sessions(fake_profiler, us, **more):
    profiler = fake_profiler(**more)
    return profiler.open(f"{us} us".encode()), profiler.open(b"50 us")


def test_what_is_run_and_in_what_order(fake_profiler):
    model, reference = sessions(fake_profiler, 100)
    measured = visit(model, reference, PROTOCOL, "op", 2)
    # warm up, time one run, then groups of 1000 us / 100 us = 10 runs, each after a run that is not timed
    assert model.calls == ["run"] * 3 + [1] + ["run", 10] * 2
    assert reference.calls == ["run", 6] * 3
    assert (measured.key, measured.round, measured.error) == ("op", 2, None)
    assert measured.samples_us == ((100.0,) * 10,) * 2
    assert measured.reference_us == (50.0,) * 3
    assert measured.ratios == (2.0, 2.0)
    assert Measurement.from_json(json.loads(json.dumps(measured.to_json()))) == measured


@pytest.mark.parametrize(
    ("us", "runs"), [(1, 64), (15, 64), (16, 62), (100, 10), (249, 4), (251, 4), (5000, 4), (0, 64)]
)
def test_runs_of_a_group_are_bounded(fake_profiler, us, runs):
    model, reference = sessions(fake_profiler, us)
    measured = visit(model, reference, PROTOCOL, "op", 0)
    assert [len(g) for g in measured.samples_us] == [runs, runs]


@pytest.mark.parametrize("groups", [1, 2, 5])
def test_one_bracket_more_than_groups(fake_profiler, groups):
    model, reference = sessions(fake_profiler, 100)
    measured = visit(model, reference, Protocol(groups=groups), "op", 0)
    assert len(measured.samples_us) == groups
    assert len(measured.reference_us) == groups + 1
    assert len(measured.ratios) == groups


def test_drift_cancels_but_for_half_a_step(fake_profiler):
    model, reference = sessions(fake_profiler, 100, drift_per_group=1.01)
    measured = visit(model, reference, Protocol(groups=3), "op", 0)
    assert measured.samples_us[2][0] / measured.samples_us[0][0] == pytest.approx(1.01**4)
    # a group is one step of drift after the faster of its brackets
    assert measured.ratios == pytest.approx([2 * 1.01] * 3)


def test_a_model_is_closed_after_its_visit(fake_profiler):
    profiler = fake_profiler()
    reference = profiler.open(b"50 us")
    assert visit_model(profiler, b"100 us", reference, PROTOCOL, "op", 0).ratios == (2.0, 2.0)
    assert profiler.sessions[1].closed
    assert not reference.closed


def test_a_refused_model_is_data(fake_profiler):
    profiler = fake_profiler()
    measured = visit_model(profiler, b"garbage", profiler.open(b"50 us"), PROTOCOL, "op", 3)
    assert measured.error == "fake refuses b'garbage'"
    assert (measured.key, measured.round, measured.samples_us) == ("op", 3, ())
    assert measured.started_unix_s > 0


def at(round_, ratio, key="op"):
    return Measurement(key, round_, 0.0, ((ratio,),), (1.0, 1.0))


def test_stop_reasons():
    protocol = Protocol(minimum_rounds=3, maximum_rounds=5, target_ci_pct=1.0)
    quiet, noisy = [10.0, 10.001, 10.002, 10.0, 10.001], [10.0, 11.0, 9.0, 12.0, 8.0]
    assert stop_reason([], protocol) is None
    assert [stop_reason([at(i, r) for i, r in enumerate(quiet[:n])], protocol) for n in range(1, 6)] == [
        None,
        None,
        "ci",
        "ci",
        "ci",
    ]
    assert [stop_reason([at(i, r) for i, r in enumerate(noisy[:n])], protocol) for n in range(1, 6)] == [
        None,
        None,
        None,
        None,
        "max_rounds",
    ]
    assert stop_reason([at(0, 1.0), Measurement("op", 1, 0.0, error="refused")], protocol) == "error"
    # ln 1, ln 1.02, ln 1.01: MAD .00985, t(.975, 2) = 4.3027: sinh(1.4826 * .00985 * 1.2533 * 4.3027 / sqrt(3)) = 4.55%
    visits = [at(0, 1.0), at(1, 1.02), at(2, 1.01)]
    assert stop_reason(visits, Protocol(target_ci_pct=4.55)) == "ci"
    assert stop_reason(visits, Protocol(target_ci_pct=4.54)) is None


def test_by_key_keeps_the_order():
    visits = [at(0, 1, "b"), at(0, 2, "a"), at(1, 3, "b")]
    assert by_key(visits) == {"b": [visits[0], visits[2]], "a": [visits[1]]}
    assert list(by_key(visits)) == ["b", "a"]
    assert by_key([]) == {}


def test_every_field_goes_into_the_provenance():
    assert Protocol(**Protocol(groups=7).to_json()) == Protocol(groups=7)
    assert json.loads(json.dumps(Protocol().to_json())) == Protocol().to_json()


def test_a_first_look_has_few_rounds_and_waits_for_nothing():
    unhurried = {"patience": 0, "disturbed_rounds": 0}
    assert Protocol().limited(1) == Protocol(minimum_rounds=1, maximum_rounds=1, **unhurried)
    assert Protocol(minimum_rounds=3).limited(5) == Protocol(minimum_rounds=3, maximum_rounds=5, **unhurried)
    assert Protocol(groups=7).limited(None) == Protocol(groups=7)
    assert stop_reason([steady(0)], Protocol().limited(1)) == "ci"
    assert stop_reason([steady(0)], Protocol().limited(2)) is None


def throttled(visit, times=2):
    return replace(visit, throttled=True, samples_us=tuple(tuple(times * t for t in g) for g in visit.samples_us))


def steady(round_, us=100.0):
    groups = ((us, us), (us, us))
    return Measurement("op", round_, 0.0, groups, (100.0, 100.0, 100.0), throttled=False)


def test_a_visit_while_throttled_is_made_again_and_does_not_count():
    protocol = Protocol(minimum_rounds=3, maximum_rounds=5)
    sound = [steady(0), throttled(steady(1)), steady(2)]
    assert stop_reason(sound, protocol) is None
    assert stop_reason([*sound, steady(3)], protocol) == "ci"
    assert summarise([*sound, steady(3)]).ratio == 1.0
    assert summarise([*sound, steady(3)]).rounds == 3


def test_a_device_that_never_recovers_is_measured_as_it_is_and_marked():
    protocol = Protocol(minimum_rounds=3, maximum_rounds=3, disturbed_rounds=2)
    visits = [throttled(steady(r)) for r in range(5)]
    assert stop_reason(visits[:4], protocol) is None
    assert stop_reason(visits, protocol) == "disturbed"
    assert summarise(visits).ratio == 2.0


def test_networks_on_several_threads_are_visited_more_often():
    assert networks_protocol(1) == NETWORKS_PROTOCOL
    assert networks_protocol(2).in_a_row > NETWORKS_PROTOCOL.in_a_row
    assert replace(networks_protocol(4), in_a_row=NETWORKS_PROTOCOL.in_a_row) == NETWORKS_PROTOCOL


def beside(round_, reference_us, us=300.0):
    return Measurement("op", round_, 0.0, ((us,),), (reference_us, reference_us))


def test_visits_beside_a_slow_reference_are_made_again():
    protocol = Protocol(minimum_rounds=2, maximum_rounds=3, disturbed_rounds=2)
    quiet, slow = [beside(r, 100.0) for r in range(3)], [beside(r, 120.0) for r in range(3, 8)]
    assert stop_reason([*slow[:3], quiet[0]], protocol, quiet_us=100.0) is None
    assert stop_reason([*slow[:3], *quiet[:2]], protocol, quiet_us=100.0) == "ci"
    assert stop_reason(slow[:4], protocol, quiet_us=100.0) is None
    assert stop_reason(slow, protocol, quiet_us=100.0) == "disturbed"
    assert stop_reason(slow[:2], protocol) == "ci"  # where the quiet time is not known, all count


class Moody(FakeSession):
    """A reference network with a neighbour until it has been run so often."""

    def time_us(self, runs):
        super().time_us(runs)
        return np.full(runs, 50.0 if len(self.calls) > 2 * self.neighbour else 65.0)


@pytest.mark.parametrize(("neighbour", "first"), [(0, 50.0), (7, 50.0), (200, 65.0)])
def test_a_visit_waits_a_little_for_a_quiet_moment(fake_profiler, neighbour, first):
    profiler = fake_profiler()
    reference = Moody(profiler, 50.0)
    reference.neighbour = neighbour
    measured = visit(profiler.open(b"100 us"), reference, PROTOCOL, "op", 0, quiet_us=50.0)
    assert measured.reference_us == (first,) * 3
    waited = min(neighbour, PROTOCOL.patience)
    assert len(reference.calls) == 2 * (3 + waited)
