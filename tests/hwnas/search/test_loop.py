"""The loop of every search: what it counts and says, its limits, Ctrl-C, and the journal it goes on from."""

import signal
import subprocess
import sys
from dataclasses import dataclass

import numpy as np
import pytest

from hwnas.accuracy import AccuracyEstimate, AccuracyEstimator
from hwnas.search import Budget, EvolutionStrategy, Problem, RandomStrategy, make_strategy, search
from hwnas.spaces import NasBenchMacro
from latency_tables import Journal

MACRO = NasBenchMacro()


class Counted(AccuracyEstimator):
    """The share of large layers; notes every network it is asked about, and `before` each call."""

    def __init__(self, before=lambda asked: None):
        self.asked, self.before = [], before

    def estimate(self, population):
        self.before(len(self.asked))
        self.asked += [MACRO.to_text(arch) for arch in population]
        mean = population.sum(axis=1) / 16
        return AccuracyEstimate(mean, np.zeros(len(mean)))


def ctrl_c_at(k):
    """Raise KeyboardInterrupt where `k` networks have been asked about."""

    def before(asked):
        if asked == k:
            raise KeyboardInterrupt

    return before


def searched(name, accuracy, evaluations, journal=None, **options):
    problem = Problem(MACRO, accuracy)
    return search(problem, make_strategy(name, problem, **options), evaluations, journal=journal)


@dataclass
class _Scripted:
    """Suggests what it was told to, and notes what it is told."""

    script: list
    told: list

    def suggest(self):
        return np.array(self.script[len(self.told)])

    def update(self, evaluated):
        self.told.append(evaluated)


def test_search_counts_reports_and_names_each_network_once(chain, additive, latency):
    space = chain(genes=2, values=3)
    problem = Problem(space, additive(space), latency(space))
    strategy = _Scripted([[[2, 2], [0, 1]], [[0, 1], [2, 2], [1, 1]], [[0, 0]]], [])
    said = []
    found = search(problem, strategy, 5, lambda done, total, what: said.append((done, total)))
    assert found.population.tolist() == [[2, 2], [0, 1], [1, 1]]  # in order of first appearance
    assert len(strategy.told) == 2
    assert said == [(2, 5), (5, 5)]
    assert np.array_equal(found.ms, problem.evaluate(found.population).ms)
    assert np.array_equal(found.accuracy, problem.evaluate(found.population).accuracy)


def test_search_with_a_strategy_that_ships(chain, additive, latency):
    space = chain()
    problem = Problem(space, additive(space), latency(space))
    found = search(problem, RandomStrategy(problem, batch=30), 100)
    assert 100 <= len(found) <= 120
    assert found.stopped == "evaluations"


def test_a_network_suggested_again_gets_the_known_answer():
    script = [[[1] * 8, [2] * 8, [1] * 8], [[2] * 8, [0] * 8]]
    accuracy, strategy = Counted(), _Scripted(script, [])
    found = search(Problem(MACRO, accuracy), strategy, 5)
    assert accuracy.asked == ["11111111", "22222222", "00000000"]
    assert [told.accuracy.tolist() for told in strategy.told] == [[0.5, 1.0, 0.5], [1.0, 0.0]]
    assert found.accuracy.tolist() == [0.5, 1.0, 0.0]


def test_the_best_so_far_is_inside_the_budgets():
    script = [[[2] * 8], [[0] * 8], [[1] * 8, [0] * 8], [[1] + [0] * 7]]
    few = Budget("layers", 4, lambda population: (population > 0).sum(axis=1).astype(float))
    said = []
    search(Problem(MACRO, Counted(), budgets=(few,)), _Scripted(script, []), 5, lambda *a: said.append(a))
    assert said == [
        (1, 5, "none of 1 networks keeps the budgets"),
        (2, 5, "best 0.0000 of 2 networks: 00000000"),
        (4, 5, "best 0.0000 of 3 networks: 00000000"),
        (5, 5, "best 0.0625 of 4 networks: 10000000"),
    ]


def test_the_best_so_far_says_milliseconds_where_they_are_known(chain, additive, latency):
    space, said = chain(genes=2, values=3), []
    problem = Problem(space, additive(space), latency(space))
    found = search(problem, _Scripted([[[2, 1]]], []), 1, lambda *a: said.append(a[2]))
    assert said == [f"best {found.accuracy[0]:.4f} at {found.ms[0]:.4g} ms of 1 networks: chain:2-1"]


@pytest.mark.parametrize(("limit_s", "expected"), [(25.0, 3), (30.0, 3), (0.0, 1), (1e9, 6)])
def test_the_time_limit_ends_a_search_between_suggestions(monkeypatch, limit_s, expected):
    """Every evaluation takes ten seconds of a clock that only evaluations move."""
    accuracy, said = Counted(), []
    monkeypatch.setattr("hwnas.search.loop.monotonic", lambda: 100.0 + 10.0 * len(accuracy.asked))
    problem = Problem(MACRO, accuracy)
    strategy = RandomStrategy(problem, batch=1)
    found = search(problem, strategy, 6, lambda *a: said.append(a[2]), time_limit_s=limit_s)
    assert len(found) == expected
    if expected < 6:
        assert found.stopped == "time"
        assert said[-1] == f"stopped after {expected} evaluations: the time limit of {limit_s:g} s is over"
    else:
        assert found.stopped == "evaluations"


def test_ctrl_c_returns_what_was_seen_so_far():
    accuracy, said = Counted(ctrl_c_at(7)), []
    problem = Problem(MACRO, accuracy)
    strategy = EvolutionStrategy(problem, population=4)
    found = search(problem, strategy, 20, lambda *a: said.append(a))
    assert [MACRO.to_text(a) for a in found.population] == accuracy.asked
    assert len(found) == 7
    assert found.stopped == "interrupted"
    assert said[-1] == (7, 20, "stopped after 7 evaluations: Ctrl-C")
    with pytest.raises(KeyboardInterrupt):
        found.uninterrupted()


def test_ctrl_c_before_anything_was_seen_is_ctrl_c():
    with pytest.raises(KeyboardInterrupt):
        searched("random", Counted(ctrl_c_at(0)), 20)


def test_a_whole_search_is_uninterrupted():
    found = searched("random", Counted(), 5, batch=5)
    assert found.uninterrupted() is found


def journal(tmp_path):
    return Journal(tmp_path / "search.jsonl", {"space": MACRO.name})


@pytest.mark.parametrize("name", ["evolution", "weaknas"])
@pytest.mark.parametrize("k", [3, 26])
def test_after_ctrl_c_a_search_with_a_journal_ends_as_if_undisturbed(tmp_path, name, k):
    """weaknas suggests ten at a time: the three of a suggestion that were answered are kept, too."""
    undisturbed = searched(name, Counted(), 40)
    first, second = Counted(ctrl_c_at(k)), Counted()
    with journal(tmp_path) as record:
        stopped = searched(name, first, 40, journal=record)
    assert len(stopped) == k
    with journal(tmp_path) as record:
        resumed = searched(name, second, 40, journal=record)
    assert np.array_equal(resumed.population, undisturbed.population)
    assert np.array_equal(resumed.accuracy, undisturbed.accuracy)
    assert np.isnan(resumed.ms).all(), "a problem without latency has none after a journal, too"
    assert len(set(first.asked + second.asked)) == len(first.asked + second.asked) == len(undisturbed)


def test_a_journal_keeps_every_number_exactly(tmp_path, chain, additive, latency):
    space = chain()
    problem = Problem(space, additive(space), latency(space))
    path, said = tmp_path / "search.jsonl", []
    for _ in range(2):
        with Journal(path, {}) as record:
            found = search(problem, RandomStrategy(problem, batch=20), 20, journal=record)
            assert len(record.records) == 20
        said.append(found)
    plain = search(problem, RandomStrategy(problem, batch=20), 20)
    for name in ("population", "accuracy", "std", "ms", "upper_ms"):
        assert np.array_equal(getattr(said[0], name), getattr(said[1], name)), name
        assert np.allclose(getattr(said[0], name), getattr(plain, name), rtol=1e-12), name


def test_records_are_looked_up_by_network_not_by_place(tmp_path):
    """A journal of another seed: what it knows is used, what it does not know is evaluated."""
    with journal(tmp_path) as record:
        before = searched("random", Counted(), 500, journal=record, seed=1, batch=500)
    accuracy, known = Counted(), {MACRO.to_text(a) for a in before.population}
    with journal(tmp_path) as record:
        found = searched("random", accuracy, 500, journal=record, seed=2, batch=500)
    texts = [MACRO.to_text(a) for a in found.population]
    assert accuracy.asked == [text for text in texts if text not in known]
    assert 0 < len(accuracy.asked) < 500
    assert np.array_equal(found.accuracy, found.population.sum(axis=1) / 16)


SEARCH = """
import os, signal, sys
from pathlib import Path
import numpy as np
from hwnas.accuracy import AccuracyEstimate, AccuracyEstimator
from hwnas.search import Problem, make_strategy, search
from hwnas.spaces import NasBenchMacro
from latency_tables import Journal

name, folder, killed_at = sys.argv[1], Path(sys.argv[2]), int(sys.argv[3])
space, asked = NasBenchMacro(), folder / "asked"

class Sum(AccuracyEstimator):
    def estimate(self, population):
        with asked.open("a+") as file:
            file.seek(0)
            if len(file.readlines()) == killed_at:
                os.kill(os.getpid(), signal.SIGKILL)
            file.writelines(space.to_text(arch) + "\\n" for arch in population)
        return AccuracyEstimate(np.sin(population @ np.arange(8)), np.zeros(len(population)))

with Journal(folder / "search.jsonl", {"strategy": name}) as journal:
    problem = Problem(space, Sum())
    found = search(problem, make_strategy(name, problem), 32, journal=journal)
print([space.to_text(arch) for arch in found.population], found.accuracy.tolist(), found.stopped)
"""


@pytest.mark.slow
@pytest.mark.parametrize("name", ["evolution", "prednas"])
def test_after_kill_9_a_search_ends_as_if_undisturbed(tmp_path, name):
    def run(folder, killed_at):
        folder.mkdir(exist_ok=True)
        command = [sys.executable, "-c", SEARCH, name, str(folder), str(killed_at)]
        return subprocess.run(command, capture_output=True, text=True, check=False)

    undisturbed = run(tmp_path / "undisturbed", -1)
    assert undisturbed.returncode == 0, undisturbed.stderr
    for killed_at in (5, 31):
        assert run(tmp_path / "killed", killed_at).returncode == -signal.SIGKILL
    resumed = run(tmp_path / "killed", -1)
    assert resumed.stdout == undisturbed.stdout
    asked = [(tmp_path / folder / "asked").read_text().split() for folder in ("killed", "undisturbed")]
    assert asked[0] == asked[1]
    assert len(set(asked[0])) == len(asked[0]) >= 32
