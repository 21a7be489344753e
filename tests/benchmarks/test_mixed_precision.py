"""Figures of the front that mixes precisions, by hand."""

from types import SimpleNamespace

import numpy as np
import pytest

from benchmarks import mixed_precision
from benchmarks.mixed_precision import judged
from hwnas.run.search import Choice
from hwnas.search import Evaluated


def test_every_network_is_judged_in_its_own_precision(monkeypatch):
    monkeypatch.setattr(mixed_precision, "_JUDGED", 2)
    population, zeros = np.array([[0], [1], [2]]), np.zeros(3)
    front = Evaluated(population, np.array([0.7, 0.8, 0.9]), zeros, np.array([1.0, 1.5, 3.0]), zeros)
    said, known = {"fp32": lambda arch: 0.5 + arch[0] / 10, "int8": lambda arch: 0.1 + arch[0] / 10}, {}
    branches = {p: SimpleNamespace(drop=SimpleNamespace(accuracy=accuracy)) for p, accuracy in said.items()}
    found = judged(SimpleNamespace(branches=branches), Choice((), front, ("int8", "int8", "fp32"), front), known)
    assert found.accuracy == pytest.approx([0.1, 0.7])  # the ends of the front: network 0 in int8, 2 in fp32
    assert (found.ms.tolist(), found.lower) == ([1.0, 3.0], 1)
    # What another front has judged is not judged again.
    assert known == {("int8", (0,)): pytest.approx(0.1), ("fp32", (2,)): pytest.approx(0.7)}
    again = judged(SimpleNamespace(branches={}), Choice((), front, ("int8", "int8", "fp32"), front), known)
    assert again.accuracy.tolist() == found.accuracy.tolist()
