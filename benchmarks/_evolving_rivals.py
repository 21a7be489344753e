"""NSE and what it has to beat, on one space inside one budget: supernets of as many steps, searched alike."""

from __future__ import annotations

import json
from collections.abc import Iterator
from dataclasses import asdict, dataclass, field, replace
from pathlib import Path

import numpy as np
import torch
from torch import Tensor

from hwnas.accuracy import SupernetProbability
from hwnas.run.evolved import draw_rounds
from hwnas.search import Budget
from hwnas.search.differentiable.learning import DrawnPaths
from hwnas.search.evolving.active import Active
from hwnas.search.evolving.effort import Effort
from hwnas.search.evolving.evolve import Evolution, Round
from hwnas.search.evolving.fitness import FitnessDistribution
from hwnas.search.feasibility import budgets_of_part, repair, sample_within
from hwnas.search.pareto import hypervolume
from hwnas.spaces import Genotype, NSESpace, Population, Subspace, unique_genotypes
from hwnas.spaces.cost import count_macs
from hwnas.training import Batches, Recipe, Supernet, accuracy, load_weights, train_supernet
from hwnas.training.fine_tuning import FineTuning
from hwnas.training.paths import PathSampler
from latency_tables.arrays import Floats
from latency_tables.storage.files import write_json

METHODS = ("nse", "nse-fresh", "nse-macs", "nse-angle", "random-subset", "whole-pool", "single-path")
_FIRST, _CHILDREN, _GENERATIONS, _PARENTS = 60, 30, 2, 10  # networks that each supernet scores


@dataclass(frozen=True)
class Winner:
    """A method's network: its text, predicted ms, accuracies of the trained network in percent, and the front's volume.

    `volumes` are those of the rounds of NSE, `over` its steps and networks over the budget.
    """

    arch: str
    predicted_ms: float
    validation_pct: float
    test_pct: float
    volumes: tuple[float, ...] = ()
    over: int = 0


class OneBranch(NSESpace):
    """The same networks with one branch per place at most."""

    def sample(self, rng: np.random.Generator, n: int) -> Population:
        """Each branch of a place as likely as none."""
        return self._with(rng.integers(-1, len(self.preset.pool), (n, len(self.stages))))

    def mutate(self, population: Population, rng: np.random.Generator, rate: float | None = None) -> Population:
        """One place drawn anew."""
        here = population.reshape(len(population), len(self.stages), len(self.preset.pool))
        chosen = np.where(here.any(axis=2), here.argmax(axis=2), -1)
        places = rng.integers(0, len(self.stages), len(population))
        chosen[np.arange(len(population)), places] = rng.integers(-1, len(self.preset.pool), len(population))
        return self._with(chosen)

    def _with(self, chosen: Population) -> Population:
        there = chosen[:, :, None] == np.arange(len(self.preset.pool))
        one: Population = there.astype(np.int64).reshape(len(chosen), len(self.cardinalities))
        return one


@dataclass(frozen=True)
class SamplesOf(PathSampler):
    """Networks as `OneBranch` draws them."""

    space: OneBranch

    @property
    def name(self) -> str:  # type: ignore[override]
        """What is drawn."""
        return "one branch per place"

    def paths(self, rng: np.random.Generator, progress: float) -> Population:
        """One network."""
        return self.space.sample(rng, 1)


class ByMACs(Evolution):
    """The branches of a place with the most multiply-accumulates survive, whatever networks and fitness say."""

    def survival(self, done: Round) -> tuple[Population, Floats]:
        """All active branches by their MACs."""
        macs = [0.0] * len(self.space.cardinalities)
        for slot in self.space.slots:
            for gene in slot.genes or ():
                ((op,),) = (ops for ops in slot.options if ops)
                macs[gene] = count_macs(self.space.build_op(op).eval(), op.in_shape)
        return np.ones((1, len(macs)), dtype=np.int64), np.array(macs)


@dataclass(frozen=True)
class ByAngle(Evolution):
    """The branches of a place survive whose weights turned most in training (Hu et al. 2020, "Angle-based search")."""

    born: dict[int, Tensor] = field(default_factory=dict)

    def survival(self, done: Round) -> tuple[Population, Floats]:
        """All active branches by the angle between their weights now and those that they came in with."""
        trained, fresh = (
            self.supernet(done.number, done.active),
            Supernet(done.active.part(self.space), self.seed + done.number),
        )
        angle = np.zeros(len(self.space.cardinalities))
        for gene in (gene for genes in done.active.genes for gene in genes):
            begun = self.born.setdefault(gene, _weights(fresh, gene))
            angle[gene] = float(torch.acos(torch.cosine_similarity(begun, _weights(trained, gene), dim=0).clamp(-1, 1)))
        return np.ones((1, len(angle)), dtype=np.int64), angle


def _weights(supernet: Supernet, gene: int) -> Tensor:
    """All weights of the convolutions of one branch, [weights]."""
    alone = np.zeros(len(supernet.space.cardinalities), dtype=np.int64)
    alone[gene] = 1
    (name,) = (name for step in supernet.steps(alone) for _, name in step.branches)
    return torch.cat([p.detach().flatten() for p in supernet.shared[name].parameters() if p.dim() > 1])


@dataclass(frozen=True)
class Contest:
    """What all methods share: the budget in ms, the images, the epochs of a supernet and of each finalist."""

    space: NSESpace
    budget: Budget
    batches: Batches
    epochs: int
    network: Recipe
    seed: int
    folder: Path
    effort: Effort
    finalists: int = 4

    def winner(self, method: str) -> Winner:
        """The method's; kept in the folder, and its training goes on where it was stopped."""
        where = self.folder / method
        where.mkdir(parents=True, exist_ok=True)
        kept = where / "winner.json"
        if kept.exists():
            return Winner(**json.loads(kept.read_bytes()))
        found = self._evolved(where, method) if method.startswith("nse") else self._rival(where, method)
        write_json(kept, asdict(found))
        return found

    def _recipe(self, epochs: int) -> Recipe:
        return Recipe(epochs, batch=self.batches.size, learning_rate=1e-2)

    def _evolved(self, where: Path, method: str) -> Winner:
        effort = replace(self.effort, inherit=method != "nse-fresh")
        rounds_of = effort.rounds(self.space)
        each = max(1, self.epochs // (2 * rounds_of))  # one half of all steps; the other is for what is left
        kind = {"nse-macs": ByMACs, "nse-angle": ByAngle}.get(method, Evolution)
        evolution = kind(self.space, [self.budget], self.batches, self._recipe(each), self.seed, where, effort)
        rounds = list(evolution.rounds())
        draw_rounds(self.space, rounds, self.budget.limit).savefig(where / "evolution.png", dpi=130)
        volumes = [hypervolume(one.accuracy, one.cost / self.budget.limit, 0.0, 1.0) for one in rounds]
        last, over = rounds[-1], sum(one.steps_over + int((one.cost > self.budget.limit).sum()) for one in rounds)
        part, start = evolution.left(last), evolution.supernet(last.number, last.active)
        supernet = self._trained(part, where, self.epochs - len(rounds) * each, start)
        return self._best(part, supernet, where, last.front[part.contains(last.front)], tuple(volumes), over)

    def _trained(
        self,
        part: Subspace,
        where: Path,
        epochs: int,
        start: Supernet | None = None,
        sampler: PathSampler | None = None,
    ) -> Supernet:
        """A supernet of the part: as many networks of the size that is searched as can be."""
        path = where / "supernet.safetensors"
        if sampler is None:  # uniform, but for what the budget makes of it
            sampler = DrawnPaths(FitnessDistribution(part, budgets_of_part(part, [self.budget])), count=1)
        supernet, _ = train_supernet(
            part, self.batches, self._recipe(epochs), self.seed, path, sampler=sampler, start=start
        )
        return supernet

    def _rival(self, where: Path, method: str) -> Winner:
        part, sampler = Subspace(self.space, {}), None
        if method == "single-path":
            sampler = SamplesOf(OneBranch(self.space.preset, self.space.num_classes))
        if method == "random-subset":
            part = Active.first(self.space, self.effort.active, np.random.default_rng([self.seed, 9])).part(self.space)
        return self._best(part, self._trained(part, where, self.epochs, sampler=sampler), where)

    def _best(
        self,
        part: Subspace,
        supernet: Supernet,
        where: Path,
        known: Population | None = None,
        volumes: tuple[float, ...] = (),
        over: int = 0,
    ) -> Winner:
        """Of the networks that the supernet says most of, trained, the one that validation says most of."""
        tuning = FineTuning(supernet, self.batches, self.network, self.seed, "cpu")
        tuned = []
        for i, arch in enumerate(self._promising(part, supernet, where.name, known)):
            tuned.append((tuning.train(part.to_text(arch), where / f"finalist-{i}.safetensors"), arch))
        best, arch = max(tuned, key=lambda one: one[0].true_class_probability)
        network = part.build(arch)
        load_weights(network, best.weights, where)
        data, plain = self.batches.data, self.batches.plain
        validation, test = (100 * accuracy(network, plain(split)) for split in (data.validation, data.test))
        (own,) = budgets_of_part(part, [self.budget])
        return Winner(part.to_text(arch), float(own.cost(arch[None])[0]), validation, test, volumes, over)

    def _promising(
        self, part: Subspace, supernet: Supernet, method: str, known: Population | None
    ) -> Iterator[Genotype]:
        """Networks that use the budget, so that all methods are compared at equal ms; mutations of the best follow."""
        rng, (budget,) = np.random.default_rng([self.seed, 7]), budgets_of_part(part, [self.budget])
        drawn: Subspace | OneBranch = part
        if method == "single-path":
            drawn, budget = OneBranch(self.space.preset, self.space.num_classes), self.budget
        scores = SupernetProbability(supernet, self.batches)
        population = sample_within(drawn, [budget], rng, _FIRST)
        if known is not None:
            population = np.concatenate([part.from_whole(known), population])
        population = unique_genotypes(filled(drawn, population, budget, rng))
        score = scores.estimate(population).mean
        for _ in range(_GENERATIONS):
            parents = population[np.argsort(-score)[:_PARENTS]]
            children = drawn.mutate(np.repeat(parents, _CHILDREN // _PARENTS, axis=0), rng)
            inside = filled(drawn, repair(drawn, children, [budget], rng), budget, rng)
            fresh = unique_genotypes(inside, exclude=population)
            if len(fresh):
                population = np.concatenate([population, fresh])
                score = np.concatenate([score, scores.estimate(fresh).mean])
        yield from population[np.argsort(-score)[: self.finalists]]


def filled(space: Subspace | OneBranch, population: Population, budget: Budget, rng: np.random.Generator) -> Population:
    """Networks [n, genes] inside a budget with branches added in random order, as many as it holds."""
    full = population.copy()
    for arch in full:
        for gene in rng.permutation(np.flatnonzero((arch == 0) & (np.array(space.cardinalities) == 2))):
            (place,) = (stage for stage in space.stages if gene in stage)
            if isinstance(space, OneBranch) and arch[list(place)].any():
                continue
            arch[gene] = 1
            if budget.cost(arch[None])[0] > budget.limit:
                arch[gene] = 0
    return full
