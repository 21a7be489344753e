"""Distributions trained with a supernet of NAS-Bench-Macro inside budgets, and a uniform one searched by NSGA-II."""

from __future__ import annotations

import json
from collections.abc import Iterator
from dataclasses import asdict, dataclass, replace
from functools import cache, partial
from pathlib import Path

import numpy as np
import torch

from benchmarks._macro_supernet import MacroRecipe, MacroTraining, macro_data
from benchmarks._supernet_scores import KEPT, PERCENTILES, ScoredSpace, kept_scores
from hwnas.accuracy import SupernetProbability
from hwnas.search import Budget, Problem, make_strategy, search
from hwnas.search.differentiable import (
    AnnealedDistribution,
    DirichletDistribution,
    Distribution,
    GaussianDistribution,
    PrunedDistribution,
    SoftmaxDistribution,
)
from hwnas.search.differentiable.learning import train_distribution
from hwnas.search.differentiable.likely import most_probable
from hwnas.spaces import Genotype
from hwnas.tables.calibrated import load_model
from hwnas.training import Batches
from latency_tables import load_table
from latency_tables.arrays import Function
from latency_tables.storage.files import write_atomically

KINDS: dict[str, type[Distribution]] = {
    "softmax": SoftmaxDistribution,
    "annealed": AnnealedDistribution,
    "dirichlet": DirichletDistribution,
    "gaussian": GaussianDistribution,
    "pruned": PrunedDistribution,
}
COSTS = ("MACs", "ms")
_PASSES_PER_STEP = 2.8  # two networks, and in the last two fifths of steps the forward third of six
_SCORED_IMAGES, _EVALUATIONS = 500, 300


@dataclass(frozen=True)
class Training:
    """One training: of a kind of distribution inside one budget, or of the uniform rival for all of them."""

    kind: str
    cost: str
    percentile: int
    seed: int
    passes: int
    size: int

    @property
    def name(self) -> str:
        """Of its folder."""
        return "-".join(map(str, asdict(self).values()))


@dataclass(frozen=True)
class Found:
    """A network's text, points of trained accuracy below the best inside the budget, and how budgets were kept.

    `steps_over` of the distribution expected more than the budget; `gap_pct` is between the expected cost at the end
    and the network's, of the network's.
    """

    arch: str
    regret_points: float
    over_budget: bool
    steps_over: int = 0
    gap_pct: float = 0.0


def budget_of(bench: ScoredSpace, cost: str, percentile: int) -> Budget:
    """A percentile of the cost of all networks."""
    function: Function
    if cost == "MACs":
        function = bench.additive_cost()
    else:
        function = load_model(KEPT / "table", load_table(KEPT / "table"), bench.space)[0].upper_ms
    return Budget(cost, float(np.percentile(function(bench.population), percentile)), function)


_images = cache(macro_data)


def run_training(training: Training, data_folder: Path, work: Path) -> dict[str, Found]:
    """What was found inside each budget, by the budget's name; kept in `work`."""
    torch.set_num_threads(1)
    work.mkdir(parents=True, exist_ok=True)
    kept = work / f"{training.name}.json"
    if kept.exists():
        return {name: Found(**found) for name, found in json.loads(kept.read_bytes()).items()}
    recipe = MacroRecipe("uniform", training.passes, training.seed, size=training.size, scored_images=_SCORED_IMAGES)
    bench = MacroTraining.of(recipe, _images(data_folder, recipe.size))
    scored = kept_scores(data_folder, KEPT)
    search_in = _rival if training.kind == "uniform" else _distribution
    found = dict(search_in(training, bench, scored, work / f"{training.name}.safetensors"))
    write_atomically(kept, json.dumps({name: asdict(one) for name, one in found.items()}).encode())
    return found


def _distribution(
    training: Training, bench: MacroTraining, scored: ScoredSpace, path: Path
) -> Iterator[tuple[str, Found]]:
    budget, over = budget_of(scored, training.cost, training.percentile), list[float]()
    distribution = KINDS[training.kind](bench.space, [budget])

    def watched(*_: object) -> None:
        over.append(distribution.expected(budget.cost) - budget.limit)

    recipe = bench.training(1 / _PASSES_PER_STEP)
    train_distribution(distribution, bench.batches, recipe, training.seed, path, watched)
    arch = most_probable(bench.space, distribution.mean(), [budget])
    gap = abs(distribution.expected(budget.cost) / float(budget.cost(arch[None])[0]) - 1)
    found = _found(scored, budget, arch)
    yield (
        _name(training.cost, training.percentile),
        replace(found, steps_over=sum(one > 0 for one in over), gap_pct=100 * gap),
    )


def _rival(training: Training, bench: MacroTraining, scored: ScoredSpace, path: Path) -> Iterator[tuple[str, Found]]:
    supernet = bench.train(path).supernet
    few = replace(bench.batches.data, validation=bench.batches.data.validation.take(np.arange(_SCORED_IMAGES)))
    accuracy = SupernetProbability(supernet, Batches(few, bench.batches.size))
    for cost in COSTS:
        for percentile in PERCENTILES:
            budget = budget_of(scored, cost, percentile)
            problem = Problem(bench.space, accuracy, budgets=(budget,))
            seen = search(problem, make_strategy("nsga2", problem, seed=training.seed), _EVALUATIONS)
            yield _name(cost, percentile), _found(scored, budget, problem.best(seen).population[0])


def _found(scored: ScoredSpace, budget: Budget, arch: Genotype) -> Found:
    inside = budget.cost(scored.population) <= budget.limit
    accuracy = float(scored.accuracy_pct[scored.table.rows(arch[None])[0]])
    regret = float(scored.accuracy_pct[inside].max()) - accuracy
    return Found(scored.space.to_text(arch), regret, bool(budget.cost(arch[None])[0] > budget.limit))


def _name(cost: str, percentile: int) -> str:
    return f"{cost} {percentile}"


def trainings(seed: int, seeds: int, passes: int, size: int, kinds: tuple[str, ...]) -> Iterator[Training]:
    """The rival of each seed first, which takes longest."""
    make = partial(Training, passes=passes, size=size)
    for one in range(seed, seed + seeds):
        yield make("uniform", "all", 0, one)
        for kind in kinds:
            for cost in COSTS:
                yield from (make(kind, cost, percentile, one) for percentile in PERCENTILES)


def macro_figures(found: dict[Training, dict[str, Found]]) -> dict[str, float]:
    """Mean regrets, in how many budgets of each cost a kind is as good as the rival, and how budgets were kept."""
    by_kind: dict[str, dict[str, list[Found]]] = {}
    for training, answers in found.items():
        for budget, one in answers.items():
            by_kind.setdefault(training.kind, {}).setdefault(budget, []).append(one)
    means = {
        kind: {budget: float(np.mean([one.regret_points for one in ones])) for budget, ones in budgets.items()}
        for kind, budgets in by_kind.items()
    }
    rival = means.pop("uniform")
    every = [one for kind in means for ones in by_kind[kind].values() for one in ones]
    figures = {"rival_regret_points": float(np.mean(list(rival.values())))}
    for kind, budgets in means.items():
        figures[f"regret_points.{kind}"] = float(np.mean(list(budgets.values())))
        figures[f"regret_points_worst.{kind}"] = max(budgets.values())
        for cost in COSTS:
            won = [regret <= rival[budget] for budget, regret in budgets.items() if budget.startswith(cost)]
            figures[f"budgets_won.{kind}.{cost}"] = sum(won)
    figures["steps_over_budget"] = sum(one.steps_over for one in every)
    figures["over_budget"] = sum(one.over_budget for one in every)
    annealed = [one.gap_pct for ones in by_kind.get("annealed", {}).values() for one in ones]
    if annealed:
        figures["rounding_gap_pct"] = float(np.mean(annealed))
    return figures
