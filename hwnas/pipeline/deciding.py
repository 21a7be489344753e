"""Stage `search`: the Pareto front, and the most accurate networks whose upper latency bound is inside the budget."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace
from typing import Any

import numpy as np
from numpy.typing import NDArray

from hwnas.accuracy import AccuracyEstimate, AccuracyEstimator
from hwnas.pipeline.folder import Result, RunFolder
from hwnas.pipeline.learning import Learning, Pairs
from hwnas.pipeline.measuring import Correction, Measuring
from hwnas.pipeline.settings import NSGA2
from hwnas.search import (
    Budget,
    Evaluated,
    NSGA2Strategy,
    Problem,
    fastest,
    make_strategy,
    require_feasible,
    search,
)
from hwnas.spaces import Genotype, Population
from latency_tables import LatencyModel
from latency_tables.progress import Progress, silent

SHORTLIST = 16
APART = 3


@dataclass(frozen=True)
class Candidate:
    """A network that may win, and what is predicted of it."""

    arch: Genotype
    text: str
    accuracy: float
    predicted_ms: float
    predicted_lower_ms: float
    predicted_upper_ms: float


@dataclass(frozen=True)
class Choice:
    """What a search found: the finalists, best first, the front they stand on, and random networks behind it."""

    finalists: tuple[Candidate, ...]
    front: Evaluated
    cloud: Evaluated


class Deciding:
    """Searches accuracy against latency, as often as the device contradicts the outcome."""

    def __init__(self, folder: RunFolder, measuring: Measuring, learning: Learning):
        self.folder, self.settings = folder, folder.settings
        self.measuring, self.learning, self.space = measuring, learning, measuring.space

    def require_feasible(self, corrections: Sequence[Correction] = ()) -> None:
        """Raise `InfeasibleBudget`, naming the fastest network, before anything expensive is started."""
        require_feasible(self.space, self.measuring.latency(corrections), self.measuring.budget_ms)

    def choose(self, attempt: int, corrections: Sequence[Correction] = ()) -> Choice:
        """The finalists under the latency model as corrected so far. Attempts count from 1."""
        measuring, learning, s = self.measuring, self.learning, self.settings
        latency, budget_ms = measuring.latency(corrections), measuring.budget_ms
        assert latency.calibration is not None
        inputs = {
            "supernet": learning.supernet_digest,
            "pairs": learning.pairs.accuracy.tolist(),
            "calibration": [*latency.calibration.coefficients, latency.calibration.relative_half_width],
            "table": measuring.table.digest,
            "budget_ms": budget_ms,
            **self._effort,
            "finalists": s.finalists,
            "seed": s.seed,
        }

        def work(progress: Progress) -> Result:
            return self._search(latency, budget_ms, progress)

        title = "search" if attempt == 1 else f"search again ({attempt})"
        result = self.folder.stage(f"search-{attempt}", title, inputs, [], work)
        archs = np.array([self.space.from_text(text) for text in result["archs"]])
        ms = latency.predict(archs)
        columns = (result["accuracy"], ms.ms.tolist(), ms.lower_ms.tolist(), ms.upper_ms.tolist())
        finalists = tuple(Candidate(*row) for row in zip(archs, result["archs"], *columns, strict=True))
        return Choice(finalists, _unpack(result["front"]), _unpack(result["cloud"]))

    @property
    def _effort(self) -> dict[str, Any]:
        s = self.settings
        if s.strategy == NSGA2:
            return {"evaluations": s.evaluations}
        return {"strategy": s.strategy, "queries": s.queries}

    def _search(self, latency: LatencyModel, budget_ms: float, progress: Progress) -> Result:
        s, learning, space = self.settings, self.learning, self.space
        problem = Problem(space, learning.predictor(), latency, (Budget.latency(latency, budget_ms),))
        if s.strategy == NSGA2:
            found, hopeful = self._among_predictions(problem, latency, progress)
            seen = Pairs(hopeful, np.array(learning.evaluate(hopeful, "shortlist", progress)))
        else:
            found, seen = self._among_answers(problem, progress)
        refitted = Problem(space, learning.predictor(seen), latency)
        judged = refitted.evaluate(found.population if s.strategy != NSGA2 else seen.population)
        best = np.argsort(-judged.accuracy, kind="stable")
        if s.strategy != NSGA2:  # the shortlist is apart already
            best = best[apart(judged.population[best], s.finalists, APART)]
        best = best[: s.finalists]
        cloud = problem.evaluate(space.sample(np.random.default_rng([s.seed, 3]), 500))
        finalists = judged.population[best]
        return {
            "archs": [space.to_text(a) for a in finalists],
            "accuracy": judged.accuracy[best].tolist(),
            "supernet_accuracy": learning.evaluate(finalists, "finalists", progress),
            "evaluated": len(found),
            "front": _pack(refitted.evaluate(found.population).front()),
            "cloud": _pack(cloud),
        }

    def _among_predictions(
        self, problem: Problem, latency: LatencyModel, progress: Progress
    ) -> tuple[Evaluated, Population]:
        """What NSGA-II saw of what the predictor says, and the few worth asking the supernet about.

        What a supernet says is dearer and truer than what a predictor says of it.
        """
        s, quickest = self.settings, fastest(self.space, latency)[None]
        warm_start = np.concatenate([quickest, self.learning.pairs.population])
        strategy = NSGA2Strategy(self.space, s.seed, warm_start=warm_start)
        found = search(problem, strategy, s.evaluations, progress)
        feasible = found.within(self.measuring.budget_ms)
        order = np.argsort(-(feasible.accuracy + 0.5 * feasible.std), kind="stable")
        return found, feasible.population[order[apart(feasible.population[order], SHORTLIST, APART)]]

    def _among_answers(self, problem: Problem, progress: Progress) -> tuple[Evaluated, Pairs]:
        """All that keep the budget of what a strategy asked the supernet and of the pairs it began with; the former."""
        s = self.settings
        strategy = make_strategy(s.strategy, self.space, s.seed, problem.budgets)
        supernet = replace(problem, accuracy=_SupernetAnswers(self.learning))
        known = supernet.evaluate(self.learning.pairs.population)
        strategy.update(known)
        asked = search(supernet, strategy, s.queries, progress)
        inside = known.within(self.measuring.budget_ms)
        both = Evaluated(*(np.concatenate([getattr(asked, name), getattr(inside, name)]) for name in _FIELDS))
        return both, Pairs(asked.population, asked.accuracy)


class _SupernetAnswers(AccuracyEstimator):
    """The trained supernet's accuracies, each journalled and asked once."""

    def __init__(self, learning: Learning):
        self._learning = learning

    def estimate(self, population: Population) -> AccuracyEstimate:
        accuracy = np.array(self._learning.evaluate(population, "supernet accuracies", silent))
        return AccuracyEstimate(accuracy, np.zeros(len(accuracy)))


def apart(population: Population, count: int, genes: int) -> NDArray[np.int64]:
    """Indices of the first `count` genotypes that differ from all before them in at least `genes` genes.

    A search ends among twins; asking dearer judges about twins tells them little. Fewer when there are not so many.
    """
    picked: list[int] = []
    for i, arch in enumerate(population):
        if len(picked) == count:
            break
        if all((arch != population[j]).sum() >= genes for j in picked):
            picked.append(i)
    return np.array(picked, dtype=np.int64)


_FIELDS = ("population", "accuracy", "std", "ms", "upper_ms")


def _pack(evaluated: Evaluated) -> dict[str, list[float]]:
    return {name: getattr(evaluated, name).tolist() for name in _FIELDS}


def _unpack(packed: dict[str, list[float]]) -> Evaluated:
    return Evaluated(*(np.array(packed[name]) for name in _FIELDS))
