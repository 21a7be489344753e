"""Stage `evolve`: which part of a space with parallel branches is searched (strategy `nse`)."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import asdict, dataclass, replace
from functools import cached_property
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np

from hwnas.report.evolution import RoundShown, evolution_plot
from hwnas.run.inputs import Stages
from hwnas.run.stage import Result, Stage
from hwnas.search.evolving.active import Active
from hwnas.search.evolving.effort import Effort
from hwnas.search.evolving.evolve import Evolution, Round
from hwnas.search.pareto import pareto_front
from hwnas.spaces import SearchSpace, Subspace
from hwnas.training import Batches, Recipe, Supernet
from latency_tables.progress import Progress

if TYPE_CHECKING:
    from matplotlib.figure import Figure

    from hwnas.run.branches import Branch

_EFFORT = Effort()


def draw_rounds(space: SearchSpace, rounds: Sequence[Round], budget_ms: float) -> Figure:
    """Which branches were active and used in each round, and the fronts."""
    shown = []
    for one in rounds:
        front = pareto_front(one.score, one.cost)
        active, used = np.zeros(len(space.cardinalities), dtype=bool), one.population[front].sum(axis=0) > 0
        active[[gene for genes in one.active.genes for gene in genes]] = True
        places = np.array(space.stages)
        shown.append(RoundShown(active[places], used[places], one.cost[front], one.score[front]))
    branches = [space.gene_names[gene].partition(".")[2] for gene in space.stages[0]]
    return evolution_plot(shown, branches, budget_ms)


@dataclass(frozen=True)
class EvolvedSpace(Stages):
    """Rounds of NSE inside the run's budget; `first` gives the branch whose latency model and budget they keep.

    Genes of such spaces have two values, so that networks of the part are written as those of the whole space.
    """

    first: Callable[[], Branch]

    @cached_property
    def _stage(self) -> Stage:
        s, inputs = self.settings, self.inputs
        decided_by = {
            "space": [op.key for op in inputs.space.all_ops],
            "data": inputs.data.digest,
            "recipe": asdict(self._recipe),
            "effort": asdict(_EFFORT),
            "seed": s.seed,
            **self.first().limited_by,
        }
        return Stage("evolve", "evolving the space", decided_by, (self._picture,))

    @property
    def _picture(self) -> Path:
        return self.folder.path / "evolution.png"

    @cached_property
    def _recipe(self) -> Recipe:
        """The supernet's, its epochs divided among the rounds."""
        recipe = self.inputs.recipes.supernet
        return replace(recipe, epochs=max(1, recipe.epochs // _EFFORT.rounds(self.inputs.space)))

    @cached_property
    def _evolution(self) -> Evolution:
        inputs = self.inputs
        where = self.folder.path / "evolving" / self._stage.inputs_sha256[:10]  # rounds of other budgets stay
        batches, seed = Batches.of(inputs.data, self._recipe), self.settings.seed
        return Evolution(inputs.space, [self.first().limit], batches, self._recipe, seed, where, _EFFORT, inputs.where)

    @cached_property
    def _evolved(self) -> Result:
        """How many rounds there were, which branches were active in the last, and what every gene may be at the end."""

        def work(progress: Progress) -> Result:
            self._evolution.folder.mkdir(parents=True, exist_ok=True)
            rounds = list(self._evolution.rounds(progress))
            draw_rounds(self.inputs.space, rounds, self.first().limit.limit).savefig(self._picture, dpi=150)
            last = rounds[-1]
            allowed = self._evolution.left(last).allowed
            return {"rounds": last.number, "active": last.active.genes, "allowed": allowed}

        return self.folder.do(self._stage, work)

    @property
    def part(self) -> Subspace:
        """The part of the space that is left after the last round."""
        return Subspace(self.space, dict(enumerate(self._evolved["allowed"])))

    @property
    def supernet(self) -> Supernet:
        """That of the last round."""
        active = Active(tuple(map(tuple, self._evolved["active"])), ())
        return self._evolution.supernet(self._evolved["rounds"], active)
