from types import SimpleNamespace

import numpy as np
import pytest

from latency_tables import ProfilerError
from profilers import InputSpec, Profiler, Session, _base, random_inputs


class Ticking(Session):
    """Each run takes one microsecond longer than the one before."""

    def __init__(self):
        self.now_ns, self.runs = 5_000_000_000_000, 0

    def run(self):
        self.runs += 1
        self.now_ns += 1000 * self.runs


def test_time_us_is_the_time_of_each_run(monkeypatch):
    session = Ticking()
    monkeypatch.setattr(_base, "time", SimpleNamespace(perf_counter_ns=lambda: session.now_ns))
    times = session.time_us(4)
    assert times.tolist() == [1.0, 2.0, 3.0, 4.0]
    assert times.dtype == np.float64
    assert session.runs == 4
    assert session.time_us(0).shape == (0,)


def test_a_session_is_closed_even_when_the_work_fails(fake_profiler):
    session = fake_profiler().open(b"1 us")
    with session as entered:
        assert entered is session
        assert not session.closed
    assert session.closed
    session.closed = False
    with pytest.raises(ZeroDivisionError), session:
        _ = 1 / 0
    assert session.closed


def test_closing_is_optional():
    with Ticking() as session:
        session.run()
    assert session.runs == 1


def test_showing_outputs_is_optional():
    with pytest.raises(ProfilerError, match=r"^Ticking cannot show what the model answers$"):
        Ticking().infer({})


def test_what_a_plug_in_must_have():
    with pytest.raises(TypeError, match="run"):
        Session()
    with pytest.raises(TypeError, match="start"):
        Profiler()


def test_inputs_are_the_same_every_time():
    wanted = {
        "image": InputSpec((2, 3, 8, 8), "float32"),
        "half": InputSpec((4,), "float16"),
        "bytes": InputSpec((1000,), "uint8"),
    }
    made = random_inputs(wanted)
    assert {name: (a.shape, a.dtype.name) for name, a in made.items()} == {
        name: (spec.shape, spec.dtype) for name, spec in wanted.items()
    }
    again = random_inputs(wanted)
    assert all(np.array_equal(made[name], again[name]) for name in wanted)
    assert abs(made["image"].mean()) < 0.2
    assert abs(made["image"].std() - 1) < 0.2
    assert (made["bytes"].min(), made["bytes"].max()) == (0, 255)  # missed with probability .04 each, but not by seed 0
    signed = random_inputs({"x": InputSpec((5000,), "int8")})["x"]
    assert (signed.min(), signed.max()) == (-128, 127)


def test_an_input_that_is_no_number_to_time():
    with pytest.raises(ProfilerError, match=r"^input tokens is int64; only float and 8-bit inputs can be profiled$"):
        random_inputs({"tokens": InputSpec((1, 7), "int64")})
