"""The networks that a distribution holds likely inside budgets: the most probable one, with proof, and some drawn."""

from __future__ import annotations

from collections.abc import Iterator, Sequence

import numpy as np

from hwnas.search.budget import Budget, InfeasibleBudget
from hwnas.search.differentiable._base import draw
from hwnas.search.differentiable.projection import project
from hwnas.search.exact.network import best_network, cheapest
from hwnas.search.feasibility import repair
from hwnas.spaces import Genotype, Population, SearchSpace, unique_genotypes
from latency_tables.additive import Factors
from latency_tables.arrays import Floats

_SHARES = (1.0, 0.8, 0.6, 0.4, 0.2)  # of the first budget, between the cheapest network and it


def most_probable(space: SearchSpace, mean: Floats, budgets: Sequence[Budget]) -> Genotype:
    """The most probable network [genes] within the budgets by probabilities [genes, values] of independent genes.

    With proof; raises as `best_network`.
    """
    logs: Floats = np.log(np.maximum(mean, 1e-30))
    tables: dict[tuple[int, ...], Floats] = {
        (gene,): logs[gene, :values] for gene, values in enumerate(space.cardinalities)
    }
    return best_network(space, Factors(space.cardinalities, tables), budgets).arch


def likely_networks(
    space: SearchSpace, mean: Floats, budgets: Sequence[Budget], rng: np.random.Generator, count: int
) -> Population:
    """About `count` distinct networks [n, genes] within the budgets, the most probable one first.

    For a front they come from the budgets as they are and from shares of the first one; for each, `mean` [genes,
    values] is projected on it. Raises `InfeasibleBudget` where no network keeps the budgets.
    """
    found = list[Population]()
    for nearer in _tighter(space, budgets):
        try:
            inside = project(space, mean, nearer)
            found.append(most_probable(space, inside, nearer)[None])
        except InfeasibleBudget:
            if not found:  # another budget keeps the share from being met
                raise
            continue
        drawn = repair(space, draw(space, inside, rng, count), nearer, rng)
        found.append(unique_genotypes(drawn)[: max(1, count // len(_SHARES))])
    return unique_genotypes(np.concatenate(found))


def _tighter(space: SearchSpace, budgets: Sequence[Budget]) -> Iterator[list[Budget]]:
    first, *others = budgets
    least = float(first.cost(cheapest(space, first.cost)[None])[0])
    for share in _SHARES:
        limit = first.limit if share == 1 else least + share * (first.limit - least)
        yield [Budget(first.name, limit, first.cost), *others]
