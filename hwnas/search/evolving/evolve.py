"""NSE (Ci et al. 2021, "Evolving Search Space for Neural Architecture Search"), every step inside the budgets.

A round has some branches of each place active. It trains a supernet on networks of all of them inside the budgets and,
every other step on images held out, the fitness of the branches, whose expected cost is projected on the budgets. Then
networks are drawn at several shares of the budget and scored, those on the front of earlier rounds again; of the front
as many networks stay whole as there is room for, and branches not seen before come in, until all were seen. What
survives the last round is a small space: train its supernet on, and search it.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import asdict, dataclass
from pathlib import Path

import numpy as np
import torch

from hwnas.accuracy import SupernetAccuracy
from hwnas.search.budget import Budget, feasible
from hwnas.search.differentiable.learning import train_distribution
from hwnas.search.differentiable.likely import likely_networks
from hwnas.search.evolving.active import Active
from hwnas.search.evolving.effort import Effort
from hwnas.search.evolving.fitness import FitnessDistribution
from hwnas.search.feasibility import budgets_of_part, inside_part
from hwnas.search.pareto import by_volume, pareto_front
from hwnas.spaces import Population, SearchSpace, Subspace, unique_genotypes
from hwnas.training import Batches, Recipe, Supernet, Where, load_checkpoint, load_weights, trained_weights
from latency_tables import HwnasError
from latency_tables.arrays import Floats
from latency_tables.progress import Progress, silent
from latency_tables.storage.files import digest_json, plain_json
from latency_tables.storage.signed import read_signed, write_signed


@dataclass(frozen=True)
class Round:
    """What was learned in one: networks [n, genes] of the whole space, and fitness [genes].

    Of the networks: their costs; scores, which are mean probabilities of the true class on images held out; and
    accuracies there, 0 to 1; [n] each. `steps_over` of the fitness expected more than a budget.
    """

    number: int
    active: Active
    population: Population
    cost: Floats
    score: Floats
    accuracy: Floats
    fitness: Floats
    steps_over: int

    @property
    def front(self) -> Population:
        """The networks that no other is better than in both, by rising cost."""
        found: Population = self.population[pareto_front(self.score, self.cost)]
        return found


@dataclass(frozen=True)
class Evolution:
    """All rounds in one folder, each done once: `space`, the first of the budgets is that of the front."""

    space: SearchSpace
    budgets: Sequence[Budget]
    batches: Batches
    recipe: Recipe
    seed: int
    folder: Path
    effort: Effort
    where: Where | None = None

    def rounds(self, progress: Progress = silent) -> Iterator[Round]:
        """Round after round; those that are in the folder at once. Raises `InfeasibleBudget` before any training."""
        active: Active | None = Active.first(self.space, self.effort.active, np.random.default_rng([self.seed, 5]))
        assert active is not None
        inside_part(active.part(self.space), self.budgets)
        number, inherited = 1, np.zeros((0, len(self.space.cardinalities)), dtype=np.int64)
        before: tuple[int, Active] | None = None
        while active is not None:
            path = self.folder / f"round-{number}.json"
            inputs = self._inputs(number, active)
            if path.exists():
                done = _read(path, inputs, number, active)
            else:
                start = None if before is None or not self.effort.inherit else self.supernet(*before)
                done = self._round(number, active, inherited, start, progress)
                write_signed(path, plain_json({"inputs": inputs, **asdict(done)}))
            yield done
            before, inherited = (number, active), done.front
            active, number = self.after(done), number + 1

    def after(self, done: Round) -> Active | None:
        """What is active in the next round, if there is one."""
        return done.active.next(*self.survival(done), self.effort.survivors)

    def left(self, last: Round) -> Subspace:
        """The part of the space that is left at the end: what survives the last round, and no less than budgets hold.

        As many branches of a place as survive between rounds, and more as long as they all fit the budgets together.
        """
        survival = self.survival(last)
        for most in range(self.effort.survivors, self.effort.active + 1):
            part = last.active.last(*survival, most).part(self.space)
            largest = part.to_whole(np.array([part.cardinalities]) - 1)
            if not feasible(self.budgets, largest).all():
                break
        return part

    def survival(self, done: Round) -> tuple[Population, Floats]:
        """What decides which branches stay: the front, first the network that adds most to it, and their fitness."""
        order = by_volume(done.score, done.cost, 0.0, self.budgets[0].limit)
        return done.population[order], done.fitness

    def supernet(self, number: int, active: Active) -> Supernet:
        """The supernet of a round that is done."""
        path = self._weights(number)
        supernet = Supernet(active.part(self.space), self.seed + number)
        load_weights(supernet, trained_weights(load_checkpoint(path)), path)
        return supernet

    def _weights(self, number: int) -> Path:
        return self.folder / f"round-{number}.safetensors"

    def _inputs(self, number: int, active: Active) -> str:
        limits = {budget.name: budget.limit for budget in self.budgets}
        known = {"space": self.space.name, "round": number, "active": active.genes, "limits": limits}
        known |= {"recipe": asdict(self.recipe), "effort": asdict(self.effort), "seed": self.seed}
        return digest_json(plain_json(known | {"data": self.batches.data.digest}))

    def _round(
        self, number: int, active: Active, inherited: Population, start: Supernet | None, progress: Progress
    ) -> Round:
        part = active.part(self.space)
        own, over = budgets_of_part(part, self.budgets), list[float]()
        distribution = FitnessDistribution(part, own, self.effort.learning_rate)

        def watched(done: int, total: int, what: str) -> None:
            over.extend(distribution.expected(budget.cost) - budget.limit for budget in own)
            progress(done, total, f"round {number}: {what}")

        supernet, _ = train_distribution(
            distribution,
            self.batches,
            self.recipe,
            self.seed + number,
            self._weights(number),
            watched,
            self.where,
            paths=1,
            start=start,
        )
        population = self._networks(part, own, distribution, inherited, number)
        device = torch.device("cpu") if self.where is None else self.where.device
        scores = SupernetAccuracy(supernet, self.batches, device).scores(population)
        return Round(
            number,
            active,
            part.to_whole(population),
            own[0].cost(population),
            np.array([one.true_class_probability for one in scores]),
            np.array([one.accuracy for one in scores]),
            distribution.fitness(),
            sum(one > 0 for one in over),
        )

    def _networks(
        self,
        part: Subspace,
        own: Sequence[Budget],
        distribution: FitnessDistribution,
        inherited: Population,
        number: int,
    ) -> Population:
        """Likely ones, and inherited ones that still stand, [n, genes] of the part."""
        rng = np.random.default_rng([self.seed, 6, number])
        found = likely_networks(part, distribution.mean(), own, rng, self.effort.networks)
        population = unique_genotypes(np.concatenate([part.from_whole(inherited[part.contains(inherited)]), found]))
        inside: Population = population[feasible(own, population)]
        return inside


def _read(path: Path, inputs: str, number: int, active: Active) -> Round:
    try:
        kept = read_signed(path)
    except ValueError as e:
        raise HwnasError(f"{path} is damaged or was edited ({e}); delete it to do the round again") from None
    if kept["inputs"] != inputs:
        raise HwnasError(f"{path} is of another round, space, recipe or budget: delete it, or give another folder")
    arrays = {name: np.array(kept[name]) for name in ("population", "cost", "score", "accuracy", "fitness")}
    return Round(number, active, steps_over=kept["steps_over"], **arrays)
