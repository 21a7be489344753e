"""Precision as one more choice: what several searches found, put together; which file wins; what is left out."""

from dataclasses import replace
from types import SimpleNamespace

import numpy as np
import pytest

from deploy.lowered import PrecisionError
from hwnas.run.branches import Branches, mixed
from hwnas.run.search import Candidate, Choice
from hwnas.search import Evaluated, InfeasibleBudget


def choice(precision, accuracy, ms):
    """A search whose front are networks [0, i], and whose finalists are all of them, best first."""
    n = len(accuracy)
    population = np.array([[0, i] for i in range(n)])
    front = Evaluated(population, np.array(accuracy), np.zeros(n), np.array(ms), 1.1 * np.array(ms))
    finalists = [
        Candidate(a, f"n{a[1]}", s, m, m, m, precision) for a, s, m in zip(population, accuracy, ms, strict=True)
    ]
    return Choice(tuple(sorted(finalists, key=lambda c: -c.accuracy)), front, (precision,) * n, front)


def test_the_front_mixes_precisions_and_every_drop_is_taken_off():
    """int8 costs .02: .78 at 1 ms and .88 at 3 ms; the first beats fp32's .75 at 2 ms, fp32's .90 at 4 ms stays."""
    found = mixed([choice("fp32", [0.75, 0.90], [2.0, 4.0]), choice("int8", [0.80, 0.90], [1.0, 3.0])], [0.0, 0.02], 3)
    assert found.front.ms.tolist() == [1.0, 3.0, 4.0]
    assert found.front.accuracy == pytest.approx([0.78, 0.88, 0.90])
    assert found.front_precisions == ("int8", "int8", "fp32")
    assert [(c.precision, c.text) for c in found.finalists] == [("fp32", "n1"), ("int8", "n1"), ("int8", "n0")]
    assert [c.accuracy for c in found.finalists] == pytest.approx([0.90, 0.88, 0.78])


def test_those_that_are_not_trained_first_may_win_later():
    """Of four finalists the best two stay; the others follow, with those that no search put first."""
    fp32, int8 = choice("fp32", [0.75, 0.90], [2.0, 4.0]), choice("int8", [0.80, 0.91], [1.0, 3.0])
    more = Candidate(np.array([0, 7]), "n7", 0.85, 1.0, 1.0, 1.0, "int8")
    found = mixed([fp32, replace(int8, others=(more,))], [0.0, 0.02], 2)
    assert [(c.precision, c.text) for c in found.finalists] == [("fp32", "n1"), ("int8", "n1")]
    assert [(c.precision, c.text) for c in found.others] == [("int8", "n7"), ("int8", "n0"), ("fp32", "n0")]
    assert [c.accuracy for c in found.others] == pytest.approx([0.83, 0.78, 0.75])


def test_a_precision_that_spoils_every_network_gives_no_finalist():
    found = mixed([choice("fp32", [0.75, 0.90], [2.0, 4.0]), choice("int8", [0.80, 0.90], [1.0, 3.0])], [0.0, 1.0], 2)
    assert found.front.accuracy[np.array(found.front_precisions) == "int8"].max() < 0
    assert {c.precision for c in found.finalists} == {"fp32"}


class Training:
    def __init__(self):
        self.trained = []

    def train_all(self, archs):
        self.trained += [tuple(arch) for arch in archs]


def branches(listener, **by_precision):
    made = Branches(SimpleNamespace(display=listener, settings=None), None, None, Training())
    made.__dict__["by_precision"] = by_precision
    return made


def scoring(scores):
    """A branch whose files have these mean probabilities of the true class by genotype; None: it is spoilt."""

    def probability(arch):
        if scores[int(arch[1])] is None:
            raise PrecisionError("int8 costs 9 points")
        return scores[int(arch[1])]

    return SimpleNamespace(deployment=SimpleNamespace(true_class_probability=probability))


def test_the_best_file_wins_whatever_its_precision(listener):
    finalists = [*choice("fp32", [0.9, 0.8], [4.0, 2.0]).finalists, *choice("int8", [0.85], [1.0]).finalists]
    all_precisions = branches(listener, fp32=scoring({0: 0.7, 1: 0.6}), int8=scoring({0: 0.75}))
    assert all_precisions.best(finalists) is finalists[2]
    assert all_precisions._training.trained == [(0, 0), (0, 1)]  # the network in two precisions once


def test_files_that_a_precision_spoils_are_left_out(listener):
    finalists = choice("int8", [0.9, 0.8], [4.0, 2.0]).finalists
    assert branches(listener, int8=scoring({0: None, 1: 0.1})).best(finalists).text == "n1"
    assert listener.said == ["n0 is left out: int8 costs 9 points"]
    with pytest.raises(PrecisionError, match="int8 costs 9 points"):
        branches(listener, int8=scoring({0: None, 1: None})).best(finalists)


def searching(precision, least_ms=None):
    """A branch that finds one network, or whose fastest is that slow."""

    def require_feasible(corrections):
        if least_ms is not None:
            refusal = InfeasibleBudget(f"the fastest in {precision} has {least_ms} ms")
            refusal.least_ms = least_ms
            raise refusal

    search = SimpleNamespace(
        require_feasible=require_feasible,
        choose=lambda corrections: choice(precision, [0.9], [1.0]),
        budget=SimpleNamespace(complaint=None),
    )
    return SimpleNamespace(search=search, drop=SimpleNamespace(of_score=0.0))


def test_a_budget_is_refused_only_where_no_precision_meets_it(listener):
    some = branches(listener, fp32=searching("fp32", 4.0), int8=searching("int8"))
    assert list(some.feasible({})) == ["int8"]
    none = branches(listener, fp32=searching("fp32", 2.0), fp16=searching("fp16", 1.0), int8=searching("int8", 3.0))
    with pytest.raises(InfeasibleBudget, match="the fastest in fp16"):
        none.feasible({})


def test_a_precision_without_a_network_inside_the_budget_is_named(listener):
    some = branches(listener, fp32=searching("fp32", 4.0), int8=searching("int8"))
    some._folder.settings = SimpleNamespace(finalists=3)
    assert [c.precision for c in some.choose({}).finalists] == ["int8"]
    assert listener.said == ["without fp32: the fastest in fp32 has 4.0 ms"]
