"""Stage `search`: the Pareto front, and the most accurate networks whose upper latency bound is inside the budget."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace
from typing import Any

import numpy as np
from numpy.typing import NDArray

from hwnas.accuracy.pairs import Pairs
from hwnas.run.accuracy_model import AccuracyModel
from hwnas.run.budget import RunBudget
from hwnas.run.inputs import Stages
from hwnas.run.profiling import Correction, Profiling
from hwnas.run.stage import Result, Stage
from hwnas.search import (
    STRATEGIES,
    Budget,
    Evaluated,
    Problem,
    SearchResult,
    SearchStrategy,
    best_so_far,
    concat,
    fastest,
    make_strategy,
    require_feasible,
    search,
)
from hwnas.spaces import Genotype, Population
from latency_tables import LatencyModel
from latency_tables.progress import Progress

SHORTLIST = 16
LEAST_DIFFERENT_GENES = 3
FAST_ENOUGH = 0.8  # of the budget: nothing is gained by networks that are faster still

Found = tuple[Evaluated, Pairs, Population]
"""What a search saw, what the supernet answered on its way, and the genotypes that may win."""


@dataclass(frozen=True)
class Candidate:
    """A network that may win, and what is predicted of it."""

    arch: Genotype
    text: str
    accuracy: float
    predicted_ms: float
    predicted_lower_ms: float
    predicted_upper_ms: float
    precision: str


@dataclass(frozen=True)
class Choice:
    """What a search found: the finalists, best first, the front they stand on, and random networks behind it.

    `front_precisions` are those of the front's networks.
    """

    finalists: tuple[Candidate, ...]
    front: Evaluated
    front_precisions: tuple[str, ...]
    cloud: Evaluated


@dataclass(frozen=True)
class SearchStage(Stages):
    """Searches accuracy against latency, as often as the device contradicts the outcome."""

    profiling: Profiling
    accuracy_model: AccuracyModel
    budget: RunBudget

    def require_feasible(self, corrections: Sequence[Correction] = ()) -> None:
        """Raise `InfeasibleBudget`, naming the fastest network, before anything expensive is started."""
        require_feasible(self.space, self.profiling.latency(corrections), self.budget.ms)

    def choose(self, corrections: Sequence[Correction] = ()) -> Choice:
        """The finalists under the latency model as corrected so far, once for each search that was contradicted."""
        profiling, accuracy_model, s = self.profiling, self.accuracy_model, self.settings
        attempt = len(corrections) + 1
        latency, budget_ms = profiling.latency(corrections), self.budget.ms
        assert latency.calibration is not None
        inputs = {
            "supernet": accuracy_model.supernet_digest,
            "pairs": accuracy_model.pairs.accuracy.tolist(),
            "calibration": [*latency.calibration.coefficients, latency.calibration.relative_half_width],
            "table": profiling.table.digest,
            "budget_ms": budget_ms,
            **self._effort,
            "finalists": s.finalists,
            "seed": s.seed,
        }

        title = "search" if attempt == 1 else f"search again ({attempt})"
        stage = Stage("search", title, inputs, part=str(attempt))
        result = self.folder.do(stage, lambda progress: self._search(latency, budget_ms, progress))
        archs = np.array([self.space.from_text(text) for text in result["archs"]])
        ms = latency.predict(archs)
        precision, front = [s.precision], _unpack(result["front"])
        columns = (result["accuracy"], ms.ms.tolist(), ms.lower_ms.tolist(), ms.upper_ms.tolist())
        rows = zip(archs, result["archs"], *columns, precision * len(archs), strict=True)
        finalists = tuple(Candidate(*row) for row in rows)
        return Choice(finalists, front, tuple(precision * len(front)), _unpack(result["cloud"]))

    @property
    def _effort(self) -> dict[str, Any]:
        s = self.settings
        count = {"evaluations": s.evaluations} if self._asks_the_predictor else {"queries": s.queries}
        return {"strategy": s.strategy, **count, "minutes": s.search_minutes}

    @property
    def _asks_the_predictor(self) -> bool:
        """A strategy that is made for thousands of evaluations; others ask the supernet itself."""
        return STRATEGIES[self.settings.strategy].evaluations == "thousands"

    def _search(self, latency: LatencyModel, budget_ms: float, progress: Progress) -> Result:
        s, accuracy_model, space = self.settings, self.accuracy_model, self.space
        budgets = (Budget.latency(latency, budget_ms),)
        problem = Problem(space, accuracy_model.predictor(), latency, budgets, FAST_ENOUGH * budget_ms)
        look = self._among_predictions if self._asks_the_predictor else self._among_answers
        seen, answers, shortlist = look(problem, progress)
        refitted = Problem(space, accuracy_model.predictor(answers), latency)
        judged = refitted.evaluate(shortlist)
        best = np.argsort(-judged.accuracy, kind="stable")
        best = best[diverse(judged.population[best], s.finalists, LEAST_DIFFERENT_GENES)]
        random = space.sample(np.random.default_rng([s.seed, 3]), 500)
        finalists = judged.population[best]
        return {
            "archs": [space.to_text(a) for a in finalists],
            "accuracy": judged.accuracy[best],
            "supernet_accuracy": accuracy_model.evaluate(finalists, "finalists", progress),
            "evaluated": len(seen),
            "front": vars(refitted.evaluate(seen.population).front()),
            "cloud": vars(problem.evaluate(random)),
        }

    def _among_predictions(self, problem: Problem, progress: Progress) -> Found:
        """A search over what the predictor says; the few that are worth it are asked of the supernet.

        A supernet's answer is more expensive and more accurate than a predictor's.
        """
        s, latency = self.settings, problem.latency
        assert latency is not None
        quickest = fastest(self.space, latency)[None]
        warm_start = np.concatenate([quickest, self.accuracy_model.pairs.population])
        strategy = make_strategy(s.strategy, problem, seed=s.seed, warm_start=warm_start)
        seen = self._ask_and_tell(problem, strategy, s.evaluations, progress)
        order = np.argsort(-(seen.accuracy + 0.5 * seen.std), kind="stable")
        shortlist = seen.population[order[diverse(seen.population[order], SHORTLIST, LEAST_DIFFERENT_GENES)]]
        return seen, Pairs(shortlist, self.accuracy_model.evaluate(shortlist, "shortlist", progress)), shortlist

    def _among_answers(self, problem: Problem, progress: Progress) -> Found:
        """A strategy that asks the supernet itself; the pairs it began with may win too."""
        s = self.settings
        with self.accuracy_model.answers() as accuracy:
            supernet = replace(problem, accuracy=accuracy)
            strategy = make_strategy(s.strategy, supernet, seed=s.seed)
            known = supernet.evaluate(self.accuracy_model.pairs.population)
            strategy.observe(known)
            asked = self._ask_and_tell(supernet, strategy, s.queries, progress)
        seen = concat([asked, supernet.inside(known)])
        return seen, Pairs(asked.population, asked.accuracy), seen.population

    def _ask_and_tell(self, problem: Problem, strategy: SearchStrategy, count: int, progress: Progress) -> SearchResult:
        """Search, and say what was found when that ends early. Ctrl-C stops the run too, as anywhere in it."""
        minutes = self.settings.search_minutes
        found = search(problem, strategy, count, progress, time_limit_s=None if minutes is None else 60 * minutes)
        if found.stopped != "evaluations":
            best = best_so_far(problem, problem.best(found), len(found))
            self.folder.display.say(f"the search ended early ({found.stopped}); {best}")
        return found.uninterrupted()


def diverse(population: Population, count: int, genes: int) -> NDArray[np.int64]:
    """Indices of the first `count` genotypes that differ from all before them in at least `genes` genes.

    A search ends among networks that are nearly equal, and evaluating several of them tells little. Fewer where there
    are not so many.
    """
    picked: list[int] = []
    for i, arch in enumerate(population):
        if len(picked) == count:
            break
        if all((arch != population[j]).sum() >= genes for j in picked):
            picked.append(i)
    return np.array(picked, dtype=np.int64)


def _unpack(packed: dict[str, list[float]]) -> Evaluated:
    return Evaluated(**{name: np.array(column) for name, column in packed.items()})
