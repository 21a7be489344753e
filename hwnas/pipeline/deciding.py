"""Stage `search`: the Pareto front, and the most accurate networks whose upper latency bound is inside the budget."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from hwnas.pipeline.folder import Result, RunFolder
from hwnas.pipeline.learning import Learning, Pairs
from hwnas.pipeline.measuring import Correction, Measuring
from hwnas.search import Evaluated, NSGA2Strategy, Problem, fastest, require_feasible, search
from hwnas.spaces import Genotype, Population
from latency_tables import LatencyModel
from latency_tables.progress import Progress

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
            "evaluations": s.evaluations,
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

    def _search(self, latency: LatencyModel, budget_ms: float, progress: Progress) -> Result:
        s, learning, space = self.settings, self.learning, self.space
        problem = Problem(space, learning.predictor(), latency)
        quickest = fastest(space, problem.latency)[None]
        strategy = NSGA2Strategy(space, s.seed, warm_start=np.concatenate([quickest, learning.pairs.population]))
        found = search(problem, strategy, s.evaluations, progress)
        # What a supernet says is dearer and truer than what a predictor says of it: ask it about the best few.
        feasible = found.within(budget_ms)
        order = np.argsort(-(feasible.accuracy + 0.5 * feasible.std), kind="stable")
        hopeful = feasible[order[apart(feasible.population[order], SHORTLIST, APART)]]
        seen = Pairs(hopeful.population, np.array(learning.evaluate(hopeful.population, "shortlist", progress)))
        refitted = Problem(space, learning.predictor(seen), problem.latency)
        judged = refitted.evaluate(hopeful.population)
        best = np.argsort(-judged.accuracy, kind="stable")[: s.finalists]
        cloud = problem.evaluate(space.sample(np.random.default_rng([s.seed, 3]), 500))
        return {
            "archs": [space.to_text(a) for a in judged.population[best]],
            "accuracy": judged.accuracy[best].tolist(),
            "supernet_accuracy": seen.accuracy[best].tolist(),
            "evaluated": len(found),
            "front": _pack(refitted.evaluate(found.population).front()),
            "cloud": _pack(cloud),
        }


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
