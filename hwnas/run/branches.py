"""A run in every precision that it may ship: a table, a search under it and files of each, and the best of all.

Precision is one more choice of the search. It is made outside: a drop in accuracy that is the same for every network
changes no order, so one search per precision, each of its own latency model, finds the front that mixes them.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from functools import cached_property
from itertools import chain
from typing import Any

import numpy as np

from deploy.lowered import PrecisionError
from hwnas.lowering.precision import PRECISIONS
from hwnas.lowering.probe import require_precision
from hwnas.run.accuracy_model import AccuracyModel
from hwnas.run.budget import RunBudget
from hwnas.run.deployment import Deployment
from hwnas.run.drop import PrecisionDrop
from hwnas.run.finalists import Finalists
from hwnas.run.folder import RunFolder
from hwnas.run.inputs import Inputs
from hwnas.run.profiling import Correction, Profiling
from hwnas.run.search import Candidate, Choice, SearchStage, first_wave
from hwnas.run.settings import ANY_PRECISION
from hwnas.run.training import Training
from hwnas.search import Budget, Evaluated, InfeasibleBudget, concat
from hwnas.search.pareto import pareto_front
from latency_tables import ProfilerError

Corrections = Mapping[str, Sequence[Correction]]
"""What the device contradicted, by precision."""


@dataclass(frozen=True)
class Branch:
    """A run in one precision."""

    profiling: Profiling
    search: SearchStage
    deployment: Deployment
    drop: PrecisionDrop

    @property
    def precision(self) -> str:
        """What its files compute in."""
        return self.profiling.settings.precision

    @property
    def limit(self) -> Budget:
        """What networks may be predicted to take, before the device has contradicted any."""
        return Budget.latency(self.profiling.latency(), self.search.budget.ms)

    @property
    def limited_by(self) -> dict[str, Any]:
        """What identifies the limit, for stages that learn inside it."""
        return {"budget_ms": self.search.budget.ms, "table": self.profiling.table.digest}


class Branches:
    """All precisions of a run: one, or with `--precision any` those that the device computes in."""

    def __init__(self, folder: RunFolder, inputs: Inputs, accuracy_model: AccuracyModel, training: Training):
        self._folder, self._inputs = folder, inputs
        self._accuracy_model, self._training = accuracy_model, training

    @cached_property
    def by_precision(self) -> Mapping[str, Branch]:
        """Every branch; raises `HwnasError` when the device cannot be used at all."""
        s = self._folder.settings
        if s.precision != ANY_PRECISION:
            return {s.precision: self._branch(self._folder, None)}
        branches: dict[str, Branch] = {}
        for precision in PRECISIONS:
            mine = replace(s, precision=precision)
            branch = self._branch(self._folder.part(precision, mine), next(iter(branches.values()), None))
            try:
                require_precision(branch.profiling.profiler)
            except ProfilerError as e:
                if precision == PRECISIONS[0]:
                    raise
                self._folder.display.say(f"without {precision}: {e}")
            else:
                branches[precision] = branch
        return branches

    def _branch(self, folder: RunFolder, first: Branch | None) -> Branch:
        profiling = Profiling(folder, self._inputs)
        budget = RunBudget(profiling) if first is None else first.search.budget
        search = SearchStage(folder, self._inputs, profiling, self._accuracy_model, budget)
        deployment = Deployment(folder, self._inputs, profiling, self._training, budget)
        return Branch(
            profiling, search, deployment, PrecisionDrop(folder, self._inputs, profiling, self._accuracy_model)
        )

    def __iter__(self) -> Iterator[Branch]:
        return iter(self.by_precision.values())

    def __getitem__(self, precision: str) -> Branch:
        return self.by_precision[precision]

    @property
    def first(self) -> Branch:
        """The branch of the only precision, else that of fp32, which suggests the budget."""
        return next(iter(self))

    @property
    def budget(self) -> RunBudget:
        """The budget of all."""
        return self.first.search.budget

    def feasible(self, corrections: Corrections) -> dict[str, Branch]:
        """The branches with a network that fits the budget; raises `InfeasibleBudget` when there is none.

        Known before anything expensive is started. The refusal names the fastest network of all precisions.
        """
        return self._without(self._refusals(corrections))

    def _without(self, refusals: Mapping[str, InfeasibleBudget]) -> dict[str, Branch]:
        if len(refusals) == len(self.by_precision):
            raise min(refusals.values(), key=lambda refusal: refusal.least_ms)
        return {precision: branch for precision, branch in self.by_precision.items() if precision not in refusals}

    def _refusals(self, corrections: Corrections) -> dict[str, InfeasibleBudget]:
        """Why no network of a precision fits the budget, for each precision where that is so."""
        refusals = dict[str, InfeasibleBudget]()
        for precision, branch in self.by_precision.items():
            try:
                branch.search.require_feasible(corrections.get(precision, ()))
            except InfeasibleBudget as e:
                refusals[precision] = e
        return refusals

    def choose(self, corrections: Corrections) -> Choice:
        """What may win in all precisions, what each costs taken off, and the front that mixes them."""
        if not any(corrections.values()) and (complaint := self.budget.complaint):
            self._folder.display.say(complaint)
        refusals = self._refusals(corrections)
        found = self._without(refusals)
        for precision, refusal in refusals.items():
            self._folder.display.say(f"without {precision}: {refusal}")
        choices = [branch.search.choose(corrections.get(precision, ())) for precision, branch in found.items()]
        if len(self.by_precision) == 1:
            return choices[0]
        drops = [branch.drop.of_score for branch in found.values()]
        return mixed(choices, drops, first_wave(self._folder.settings.finalists))

    def finalists(self, choice: Choice) -> tuple[Candidate, ...]:
        """The networks that are trained, and are now."""
        return Finalists(self._folder, self._inputs, self._training).trained(choice)

    def best(self, finalists: Sequence[Candidate]) -> Candidate:
        """The one whose file is best on validation, by the mean probability of the true class.

        Left out are files that a lower precision spoils; raises `PrecisionError` when that are all.
        """
        self._training.train_all(list({one.text: one.arch for one in finalists}.values()))  # one for all precisions
        scores, refusals = list[float](), list[PrecisionError]()
        for one in finalists:
            try:
                scores.append(self[one.precision].deployment.true_class_probability(one.arch))
            except PrecisionError as e:
                self._folder.display.say(f"{one.text} is left out: {e}")
                scores.append(-1.0)
                refusals.append(e)
        if len(refusals) == len(finalists):
            raise refusals[-1]
        return finalists[int(np.argmax(scores))]


def mixed(choices: Sequence[Choice], drops: Sequence[float], first: int) -> Choice:
    """What searches in several precisions found, as if precision had been one more choice of one search.

    `drops` are what each precision costs in accuracy, 0 to 1; the best `first` of all finalists are trained first.
    """
    best = _by_accuracy(_lowered(choice.finalists, drop) for choice, drop in zip(choices, drops, strict=True))
    others = _by_accuracy(_lowered(choice.others, drop) for choice, drop in zip(choices, drops, strict=True))
    fronts = [_less_accurate(choice.front, drop) for choice, drop in zip(choices, drops, strict=True)]
    front, precisions = concat(fronts), np.concatenate([choice.front_precisions for choice in choices])
    kept = pareto_front(front.accuracy, front.ms)
    rest = _by_accuracy([best[first:], others])
    return Choice(tuple(best[:first]), front[kept], tuple(map(str, precisions[kept])), choices[0].cloud, tuple(rest))


def _by_accuracy(parts: Iterable[Iterable[Candidate]]) -> list[Candidate]:
    return sorted(chain.from_iterable(parts), key=lambda one: -one.accuracy)


def _lowered(candidates: Iterable[Candidate], drop: float) -> Iterator[Candidate]:
    return (replace(one, accuracy=one.accuracy - drop) for one in candidates)


def _less_accurate(evaluated: Evaluated, drop: float) -> Evaluated:
    return replace(evaluated, accuracy=evaluated.accuracy - drop)
