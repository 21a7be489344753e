"""The best networks by a predictor, segment by segment: a beam of super-cells within budgets.

Chen et al. 2021, "Fitting the Search Space of Weight-sharing NAS with Graph Convolutional Networks": all choices of a
segment are predicted after each of the few prefixes that were kept (super-cells), and the best are kept for the next.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from math import prod

import numpy as np

from hwnas.search.budget import Budget, feasible
from hwnas.search.evaluated import Evaluated, concat
from hwnas.search.feasibility import sample_within
from hwnas.search.problem import Problem
from hwnas.search.rests import Complete, rests_of
from hwnas.spaces import Population, SearchSpace, unique_genotypes
from hwnas.spaces.genotypes import first_rows
from latency_tables.additive.joint import every_value, shape_of

SUPER_CELLS = 6
_CHOICES = 1000  # of a segment: joint values of its genes


def segments(space: SearchSpace) -> Iterator[list[int]]:
    """Neighbouring genes to decide about together: stages of the space, large ones in equal parts."""
    for stage in space.stages:
        for count in range(1, len(stage) + 1):
            parts = [part.tolist() for part in np.array_split(stage, count)]
            if count == len(stage) or all(prod(shape_of(space.cardinalities, part)) <= _CHOICES for part in parts):
                yield from parts
                break


def best_by_segments(problem: Problem, kept: int = SUPER_CELLS, seed: int = 0) -> Evaluated:
    """All networks that a beam looked at; they keep the budgets, and the most accurate comes first.

    The problem's accuracy is asked about thousands of networks: give it a predictor's. A prefix is worth what is said
    of it with the best rest that it can afford (`rests_of`); one that can afford no rest, not even the cheapest, is
    dropped without being asked about. Raises `InfeasibleBudget` naming the closest network where none fits.
    """
    space, budgets = problem.space, problem.budgets
    rests = rests_of(problem, seed)
    prefixes = space.sample(np.random.default_rng(0), 1)
    trades = unique_genotypes(space.canonical(np.concatenate([rest(prefixes) for rest in rests(0)])))
    trades = trades[feasible(budgets, trades)]
    if not len(trades):  # nor is any other network, but for sums that bend
        trades = sample_within(space, budgets, np.random.default_rng([seed, 13]), 1)
    found = [problem.evaluate(trades)]
    for segment in segments(space):
        decided = segment[-1] + 1
        choices = every_value(space.cardinalities, segment)[:, segment]
        joined = np.repeat(prefixes, len(choices), axis=0)
        joined[:, segment] = np.tile(choices, (len(prefixes), 1))
        whole = _completed(space, joined, rests(decided), budgets)
        if not len(whole):
            continue
        found.append(problem.evaluate(whole))
        best_first = whole[np.argsort(-found[-1].accuracy, kind="stable")]
        _, first = np.unique(best_first[:, :decided], axis=0, return_index=True)
        prefixes = best_first[np.sort(first)[:kept]]
    every = concat(found)
    every = every[np.array(list(first_rows(every.population).values()))]
    return every[np.argsort(-every.accuracy, kind="stable")]


def _completed(
    space: SearchSpace, prefixes: Population, rests: Iterable[Complete], budgets: Sequence[Budget]
) -> Population:
    """Different networks [m, genes] with prefixes of [n, genes] and the first of `rests` that keeps the budgets."""
    whole, left = prefixes.copy(), np.arange(len(prefixes))
    for rest in rests:
        whole[left] = rest(whole[left])
        left = left[~feasible(budgets, whole[left])]
        if not left.size:
            break
    return unique_genotypes(space.canonical(np.delete(whole, left, axis=0)))
