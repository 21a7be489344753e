"""Stage `search`: the Pareto front, and the most accurate network whose upper latency bound is inside the budget."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from hwnas.pipeline.folder import Result, RunFolder
from hwnas.pipeline.learning import Learning, Pairs
from hwnas.pipeline.measuring import Measuring
from hwnas.search import Evaluated, NSGA2Strategy, Problem, fastest, require_feasible, search
from hwnas.spaces import Genotype
from latency_tables import CalibrationNetwork, LatencyModel
from latency_tables.progress import Progress

FINALISTS = 16


@dataclass(frozen=True)
class Choice:
    """The network a search chose, what is predicted of it, and the front it stands on."""

    arch: Genotype
    text: str
    accuracy: float
    predicted_ms: float
    predicted_lower_ms: float
    predicted_upper_ms: float
    front: Evaluated
    cloud: Evaluated


class Deciding:
    """Searches accuracy against latency, as often as the device contradicts the outcome."""

    def __init__(self, folder: RunFolder, measuring: Measuring, learning: Learning):
        self.folder, self.settings = folder, folder.settings
        self.measuring, self.learning, self.space = measuring, learning, measuring.space

    def require_feasible(self, corrections: Sequence[CalibrationNetwork] = ()) -> None:
        """Raise `InfeasibleBudget`, naming the fastest network, before anything expensive is started."""
        require_feasible(self.space, self.measuring.latency(corrections), self.measuring.budget_ms)

    def choose(self, attempt: int, corrections: Sequence[CalibrationNetwork] = ()) -> Choice:
        """The winner under the latency model as corrected so far. Attempts count from 1."""
        measuring, learning, s = self.measuring, self.learning, self.settings
        latency, budget_ms = measuring.latency(corrections), measuring.budget_ms
        assert latency.calibration is not None
        inputs = {
            "supernet": learning.supernet_digest(),
            "pairs": learning.pairs.accuracy.tolist(),
            "calibration": [*latency.calibration.coefficients, latency.calibration.relative_half_width],
            "table": measuring.table.digest,
            "budget_ms": budget_ms,
            "evaluations": s.evaluations,
            "seed": s.seed,
        }

        def work(progress: Progress) -> Result:
            return self._search(latency, budget_ms, progress)

        title = "search" if attempt == 1 else f"search again ({attempt})"
        result = self.folder.stage(f"search-{attempt}", title, inputs, [], work)
        arch = self.space.from_text(result["arch"])
        predicted = latency.predict(arch[None])
        return Choice(
            arch=arch,
            text=result["arch"],
            accuracy=result["accuracy"],
            predicted_ms=float(predicted.ms[0]),
            predicted_lower_ms=float(predicted.lower_ms[0]),
            predicted_upper_ms=float(predicted.upper_ms[0]),
            front=_unpack(result["front"]),
            cloud=_unpack(result["cloud"]),
        )

    def _search(self, latency: LatencyModel, budget_ms: float, progress: Progress) -> Result:
        s, learning, space = self.settings, self.learning, self.space
        problem = Problem(space, learning.predictor(), latency)
        quickest = fastest(space, problem.latency)[None]
        strategy = NSGA2Strategy(space, s.seed, warm_start=np.concatenate([quickest, learning.pairs.population]))
        found = search(problem, strategy, s.evaluations, progress)
        # What a supernet says is dearer and truer than what a predictor says of it: ask it about the best few.
        feasible = found.within(budget_ms)
        hopeful = feasible[np.argsort(-(feasible.accuracy + 0.5 * feasible.std))[:FINALISTS]]
        seen = Pairs(hopeful.population, np.array(learning.evaluate(hopeful.population, "finalists", progress)))
        refitted = Problem(space, learning.predictor(seen), problem.latency)
        finalists = refitted.evaluate(hopeful.population)
        best = int(np.argmax(finalists.accuracy))
        cloud = problem.evaluate(space.sample(np.random.default_rng([s.seed, 3]), 500))
        return {
            "arch": space.to_text(finalists.population[best]),
            "accuracy": float(finalists.accuracy[best]),
            "supernet_accuracy": float(seen.accuracy[best]),
            "evaluated": len(found),
            "front": _pack(refitted.evaluate(found.front().population)),
            "cloud": _pack(cloud),
        }


_FIELDS = ("population", "accuracy", "std", "ms", "upper_ms")


def _pack(evaluated: Evaluated) -> dict[str, list[float]]:
    return {name: getattr(evaluated, name).tolist() for name in _FIELDS}


def _unpack(packed: dict[str, list[float]]) -> Evaluated:
    return Evaluated(*(np.array(packed[name]) for name in _FIELDS))
