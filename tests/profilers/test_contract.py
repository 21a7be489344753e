from dataclasses import replace

import numpy as np
import pytest

from latency_tables import ProfilerError
from profilers import InputSpec
from profilers.contract import check_profiler
from profilers.engines.engine import Engine

MODEL = b"100 us"


def test_a_good_profiler(fake_profiler):
    profiler = fake_profiler()
    check_profiler(profiler, MODEL)
    assert all(session.closed for session in profiler.sessions)


@pytest.mark.parametrize(
    ("trait", "value", "why"),
    [("device_kind", "abacus", "device_kind must be"), ("energy_meter", lambda: 3.0, "must give an EnergyMeter")],
)
def test_traits_that_cannot_be(fake_profiler, trait, value, why):
    profiler = fake_profiler()
    setattr(profiler, trait, value)
    with pytest.raises(AssertionError, match=why):
        check_profiler(profiler, MODEL)


def times(make):
    """A profiler whose sessions answer time_us(runs) with make(runs)."""

    def change(fake_profiler):
        class Bad(fake_profiler):
            def start(self, engine):
                session = super().start(engine)
                session.time_us = make
                return session

        return Bad()

    return change


def answers(make):
    """A profiler whose sessions answer infer() with make(number of the call)."""

    def change(fake_profiler):
        class Bad(fake_profiler):
            calls = 0

            def start(self, engine):
                session = super().start(engine)

                def infer(inputs):
                    self.calls += 1
                    return make(self.calls)

                session.input_specs, session.infer = {"x": InputSpec((1, 3), "float32")}, infer
                return session

        return Bad()

    return change


def target(**fields):
    def change(fake_profiler):
        class Bad(fake_profiler):
            def target(self):
                return replace(super().target(), **fields)

        return Bad()

    return change


def another_target_each_time(fake_profiler):
    class Bad(fake_profiler):
        def target(self):
            self.threads += 1
            return super().target()

    return Bad()


def accepting(garbage):
    def change(fake_profiler):
        class Bad(fake_profiler):
            def start(self, engine):
                return super().start(Engine.of(MODEL) if engine.content == garbage else engine)

        return Bad()

    return change


def many_lines(fake_profiler):
    class Bad(fake_profiler):
        def start(self, engine):
            if engine.content != MODEL:
                raise ProfilerError("first line\nsecond line")
            return super().start(engine)

    return Bad()


@pytest.mark.parametrize(
    ("bad", "what"),
    [
        (times(lambda runs: np.ones(runs - 1)), "give n times"),
        (times(lambda runs: np.ones((runs, 1))), "give n times"),
        (times(lambda runs: np.full(runs, np.nan)), "finite"),
        (times(lambda runs: np.full(runs, np.inf)), "finite"),
        (times(np.zeros), "positive"),
        (times(lambda runs: -np.ones(runs)), "positive"),
        (answers(lambda call: []), "answers something"),
        (answers(lambda call: [np.array([1.0, np.nan])]), "must be finite"),
        (answers(lambda call: [np.array([1.0, call])]), "same answers"),
        (target(device=""), "device must be filled in"),
        (target(runtime_version=None), "runtime_version must be filled in"),
        (target(threads=0), "threads must be at least 1"),
        (target(batch=0), "batch must be at least 1"),
        (another_target_each_time, "must not change"),
        (accepting(b""), "must be refused"),
        (accepting(b"not an ONNX model"), "must be refused"),
        (accepting(MODEL[: len(MODEL) // 2]), "must be refused"),
        (many_lines, "one line"),
    ],
)
def test_a_bad_profiler(fake_profiler, bad, what):
    with pytest.raises(AssertionError, match=what):
        check_profiler(bad(fake_profiler), MODEL)


def test_good_answers(fake_profiler):
    check_profiler(answers(lambda call: [np.array([1.0, 1e-6 * call])])(fake_profiler), MODEL)


def test_a_profiler_that_refuses_a_good_model(fake_profiler):
    with pytest.raises(ProfilerError, match="refuses"):
        check_profiler(fake_profiler(), b"a good model")
