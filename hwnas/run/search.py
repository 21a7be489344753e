"""Stage `search`: the Pareto front, and the networks that may win; their upper latency bounds are inside the budget."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace
from math import ceil
from typing import Any

import numpy as np

from hwnas.accuracy import Predictor
from hwnas.accuracy.pairs import Pairs
from hwnas.accuracy.supernet_fit import SupernetFit
from hwnas.run.accuracy_model import AccuracyModel
from hwnas.run.budget import RunBudget
from hwnas.run.fitted import among_fitted
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
from hwnas.search.closer_look import clustered
from hwnas.search.differentiable.likely import likely_networks
from hwnas.spaces import Genotype, SearchSpace
from latency_tables import LatencyModel
from latency_tables.arrays import Floats
from latency_tables.progress import Progress

SHORTLIST = 16
_BEST = 0.1  # of the networks that a search saw may win
PROMISING = 0.5  # of those that may win are divided into clusters
FAST_ENOUGH = 0.8  # of the budget: nothing is gained by networks that are faster still

Found = tuple[Evaluated, Pairs]
"""What a search saw, and what the supernet answered on its way."""


@dataclass(frozen=True)
class Candidate:
    """A network that may win, and what is predicted of it: the supernet's score, and milliseconds."""

    arch: Genotype
    text: str
    accuracy: float
    predicted_ms: float
    predicted_lower_ms: float
    predicted_upper_ms: float
    precision: str


@dataclass(frozen=True)
class Choice:
    """What a search found: the networks to train first and others that may win, each best first; and the front.

    `front_precisions` are those of the front's networks; the cloud are random networks behind it.
    """

    finalists: tuple[Candidate, ...]
    front: Evaluated
    front_precisions: tuple[str, ...]
    cloud: Evaluated
    others: tuple[Candidate, ...] = ()


def first_wave(finalists: int) -> int:
    """How many of the networks that are trained are chosen before any is: five of nine."""
    return ceil(5 * finalists / 9)


@dataclass(frozen=True)
class SearchStage(Stages):
    """Searches accuracy against latency, as often as the device contradicts the outcome."""

    profiling: Profiling
    accuracy_model: AccuracyModel
    budget: RunBudget

    @property
    def space(self) -> SearchSpace:
        """What is searched: the whole space, or the part of it that evolved."""
        return self.accuracy_model.space

    def require_feasible(self, corrections: Sequence[Correction] = ()) -> None:
        """Raise `InfeasibleBudget`, naming the fastest network, before anything expensive is started."""
        # of the whole space: a part that evolves is not known yet
        require_feasible(self.inputs.space, self.profiling.latency(corrections), self.budget.ms)

    def choose(self, corrections: Sequence[Correction] = ()) -> Choice:
        """What may win under the latency model as corrected so far, once for each search that was contradicted."""
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

        _ = self._fit  # a stage of its own, before this one
        title = "search" if attempt == 1 else f"search again ({attempt})"
        stage = Stage("search", title, inputs, part=str(attempt))
        result = self.folder.do(stage, lambda progress: self._search(latency, budget_ms, progress))
        archs = np.array([self.space.from_text(text) for text in result["archs"]])
        ms = latency.predict(archs)
        precision, front = [s.precision], _unpack(result["front"])
        columns = (result["accuracy"], ms.ms.tolist(), ms.lower_ms.tolist(), ms.upper_ms.tolist())
        rows = zip(archs, result["archs"], *columns, precision * len(archs), strict=True)
        candidates, first = [Candidate(*row) for row in rows], result["first"]
        return Choice(
            tuple(candidates[i] for i in first),
            front,
            tuple(precision * len(front)),
            _unpack(result["cloud"]),
            tuple(one for i, one in enumerate(candidates) if i not in first),
        )

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
        s, space = self.settings, self.space
        budgets = (Budget.latency(latency, budget_ms),)
        problem = Problem(space, self._predictor(), latency, budgets, FAST_ENOUGH * budget_ms)
        seen, answers = self._look(problem, progress)
        learned = self.accuracy_model.learned_mean is not None
        judged = seen if learned else Problem(space, self._predictor(answers), latency).evaluate(seen.population)
        best = np.argsort(-judged.accuracy, kind="stable")[: max(2 * s.finalists, round(_BEST * len(seen)))]
        candidates = judged[np.array([0, *best[best > 0]]) if learned else best]
        count = first_wave(s.finalists)
        first = clustered(space, candidates.population, candidates.accuracy, count, top=PROMISING, seed=s.seed).tolist()
        if learned:  # what such a strategy answers is its most probable network: it is trained in any case
            first = [0, *(i for i in first if i > 0)][:count]
        random = space.sample(np.random.default_rng([s.seed, 3]), 500)
        return {
            "archs": [space.to_text(a) for a in candidates.population],
            "accuracy": candidates.accuracy,
            "first": first,
            "evaluated": len(seen),
            "front": vars(judged.front()),
            "cloud": vars(problem.evaluate(random)),
        }

    def _predictor(self, extra: Pairs | None = None) -> Predictor:
        """Of all pairs and `extra` ones; or, where a strategy learns a table once, that table as it is."""
        return self.accuracy_model.predictor(extra) if self._fit is None else self._fit

    def _look(self, problem: Problem, progress: Progress) -> Found:
        if self._fit is not None:
            return among_fitted(problem, self.settings.seed)
        if (mean := self.accuracy_model.learned_mean) is not None:
            return self._among_likely(problem, mean, progress)
        look = self._among_predictions if self._asks_the_predictor else self._among_answers
        return look(problem, progress)

    @property
    def _fit(self) -> SupernetFit | None:
        return self.accuracy_model.fit if STRATEGIES[self.settings.strategy].table else None

    def _among_predictions(self, problem: Problem, progress: Progress) -> Found:
        """A search over what the predictor says; of what is promising, the best of all alike are asked of the supernet.

        A supernet's answer is more expensive and more accurate than a predictor's.
        """
        s, latency = self.settings, problem.latency
        assert latency is not None
        quickest = fastest(self.space, latency)[None]
        warm_start = np.concatenate([quickest, self.accuracy_model.pairs.population])
        strategy = make_strategy(s.strategy, problem, seed=s.seed, warm_start=warm_start)
        seen = self._ask_and_tell(problem, strategy, s.evaluations, progress)
        hopes = seen.accuracy + 0.5 * seen.std
        shortlist = seen.population[clustered(self.space, seen.population, hopes, SHORTLIST, seed=s.seed)]
        return seen, Pairs(shortlist, self.accuracy_model.evaluate(shortlist, "shortlist", progress))

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
        return seen, Pairs(asked.population, asked.accuracy)

    def _among_likely(self, problem: Problem, mean: Floats, progress: Progress) -> Found:
        """What a distribution learned with the supernet holds likely, the most probable network first."""
        s = self.settings
        archs = likely_networks(self.space, mean, problem.budgets, np.random.default_rng([s.seed, 9]), s.queries)
        with self.accuracy_model.answers("scores of likely networks", progress) as accuracy:
            seen = replace(problem, accuracy=accuracy).evaluate(archs)
        return seen, Pairs(seen.population, seen.accuracy)

    def _ask_and_tell(self, problem: Problem, strategy: SearchStrategy, count: int, progress: Progress) -> SearchResult:
        """Search, and say what was found when that ends early. Ctrl-C stops the run too, as anywhere in it."""
        minutes = self.settings.search_minutes
        found = search(problem, strategy, count, progress, time_limit_s=None if minutes is None else 60 * minutes)
        if found.stopped != "evaluations":
            best = best_so_far(problem, problem.best(found), len(found))
            self.folder.display.say(f"the search ended early ({found.stopped}); {best}")
        return found.uninterrupted()


def _unpack(packed: dict[str, list[float]]) -> Evaluated:
    return Evaluated(**{name: np.array(column) for name, column in packed.items()})
