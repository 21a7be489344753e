import gc
import os

import pytest

from profilers.device.machine import cpu_name, quiet

pinning = pytest.mark.skipif(not hasattr(os, "sched_setaffinity"), reason="this system cannot pin")


def test_cpu_name_says_model_and_cores():
    name = cpu_name()
    assert name == cpu_name()
    assert name.endswith(f" x{os.cpu_count()}")
    assert "\n" not in name
    assert not name.startswith(" ")


@pinning
@pytest.mark.parametrize("threads", [1, 2, 10_000])
def test_quiet_pins_and_restores(threads):
    before = os.sched_getaffinity(0)
    with quiet(threads):
        assert os.sched_getaffinity(0) == set(sorted(before)[-threads:])
        assert not gc.isenabled()
    assert os.sched_getaffinity(0) == before
    assert gc.isenabled()


@pinning
def test_quiet_restores_after_an_error():
    before = os.sched_getaffinity(0)
    with pytest.raises(KeyboardInterrupt), quiet(1):
        raise KeyboardInterrupt
    assert os.sched_getaffinity(0) == before
    assert gc.isenabled()


def test_quiet_leaves_collection_off_for_who_had_it_off():
    gc.disable()
    try:
        with quiet(1):
            pass
        assert not gc.isenabled()
    finally:
        gc.enable()


@pinning
def test_quiet_where_pinning_is_forbidden(monkeypatch):
    def refuse(pid, cores):
        raise PermissionError

    monkeypatch.setattr(os, "sched_setaffinity", refuse)
    with quiet(1):
        assert not gc.isenabled()
    assert gc.isenabled()
