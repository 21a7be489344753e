import importlib.util

import pytest

from hwnas.workers import InProcess, RayWorkers, make_workers
from latency_tables import HwnasError


def test_here_is_this_process():
    assert isinstance(make_workers("here"), InProcess)


@pytest.mark.skipif(importlib.util.find_spec("ray") is None, reason="needs ray: pip install 'hwnas[ray]'")
@pytest.mark.parametrize("text", ["local", "local:1", "local:16", "auto", "ray://head:10001", "ray://10.0.0.7:10001"])
def test_ray_is_neither_started_nor_reached_by_naming_it(text):
    import ray

    assert isinstance(make_workers(text), RayWorkers)
    assert not ray.is_initialized()


@pytest.mark.parametrize(
    "text", ["", "Here", "local:", "local:0", "local:-1", "local:two", "ray://", "ray://head", "head:10001", "ray"]
)
def test_any_other_text_is_answered_with_what_there_is(text):
    with pytest.raises(HwnasError) as caught:
        make_workers(text)
    assert str(caught.value) == (f"unknown --workers {text!r}; there are here, local, local:4, auto, ray://host:10001")


def test_without_ray_the_remedy_is_named(monkeypatch):
    import sys

    monkeypatch.setitem(sys.modules, "ray", None)  # what an import of an absent package sees
    assert isinstance(make_workers("here"), InProcess)
    with pytest.raises(HwnasError, match=r"^these workers need Ray: pip install 'hwnas\[ray\]'$"):
        make_workers("local")
