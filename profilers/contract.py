"""The contract every `Profiler` keeps; run it on your own: `check_profiler(MyProfiler(), model_bytes)`."""

from __future__ import annotations

import hashlib
from dataclasses import fields
from typing import get_args

import numpy as np

from latency_tables import ProfilerError
from profilers._base import DeviceKind, Profiler, Session, random_inputs
from profilers.device.energy import EnergyMeter


def check_profiler(profiler: Profiler, model: bytes) -> None:
    """Raise AssertionError unless `profiler` keeps the contract on an ONNX model it should be able to run."""
    target = profiler.target()
    assert target == profiler.target(), "target() must not change between calls"
    for field in fields(target):
        assert getattr(target, field.name) not in ("", None), f"target().{field.name} must be filled in"
    assert target.threads >= 1, "threads must be at least 1"
    assert target.batch >= 1, "batch must be at least 1"
    assert profiler.device_kind in get_args(DeviceKind), f"device_kind must be one of {get_args(DeviceKind)}"
    meter = profiler.energy_meter()
    assert meter is None or isinstance(meter, EnergyMeter), "energy_meter() must give an EnergyMeter or None"

    engine = profiler.build(model)
    assert engine.model_sha256 == hashlib.sha256(model).hexdigest(), "an engine must say which model it was built from"
    assert engine.proof is None or not engine.proof.offenders, "what is not run as asked must be refused"
    with profiler.start(engine) as session:
        session.run()
        times = session.time_us(5)
        assert times.shape == (5,), "time_us(n) must give n times"
        assert np.isfinite(times).all(), "times must be finite"
        assert (times > 0).all(), "times must be positive microseconds"
        with profiler.start(engine) as other:  # an engine is built once and started as often as one likes
            other.run()
            session.run()  # two models may be open at once: the reference always is
        _check_answers(session)

    for broken in (b"", b"not an ONNX model", model[: len(model) // 2]):
        message = _refusal(profiler, broken)
        assert message is not None, "a model that cannot be parsed must be refused with a ProfilerError"
        assert "\n" not in message, "an error is one line"


def _check_answers(session: Session) -> None:
    if not session.input_specs:
        return  # showing answers is optional
    inputs = random_inputs(session.input_specs)
    answers = session.infer(inputs)
    assert answers, "a model answers something"
    assert all(np.isfinite(answer).all() for answer in answers), "answers to random inputs must be finite"
    session.infer({name: np.zeros_like(array) for name, array in inputs.items()})
    session.run()
    again = session.infer({name: np.asfortranarray(array) for name, array in inputs.items()})
    same = (np.allclose(a, b, rtol=1e-3, atol=1e-3) for a, b in zip(answers, again, strict=True))
    assert all(same), "the same inputs have the same answers, however they lie in memory and whatever was asked between"


def _refusal(profiler: Profiler, model: bytes) -> str | None:
    try:
        profiler.open(model).close()
    except ProfilerError as e:
        return str(e)
    return None
