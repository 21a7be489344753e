"""Which networks to measure: random ones, and some spread over the whole range of a space's size."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence

import numpy as np

from hwnas.spaces.genotypes import Genotypes, every_network, first_rows, unique_genotypes
from latency_tables import Op
from latency_tables.arrays import Floats, Population

_DRAWS = 50
_STEPS = 400
_ONE_SPREAD_IN = 4
_POOL = 10  # random networks for each one taken
_MANY_OPS = 1.25  # times those of any random network


def random_networks(space: Genotypes, seed: Sequence[int], count: int, exclude: Population | None = None) -> Population:
    """Different random genotypes, [count, genes]; fewer where that many are hard to find."""
    rng = np.random.default_rng(list(seed))
    return collect(lambda: unique_genotypes(space.sample(rng, 4 * count), exclude), count, _DRAWS)


def different_functions(space: Genotypes, seed: Sequence[int], count: int) -> Population:
    """Random genotypes that compute something, and no two the same, [<= count, genes].

    Every function is as likely as any other where all networks can be listed, and so is every genotype of it: a
    supernet does not say the same of them all. Elsewhere functions with more genotypes are likelier.
    """
    rng = np.random.default_rng(list(seed))
    every = every_network(space)

    def draw() -> Population:
        return one_of_each_function(space, space.sample(rng, 4 * count))

    if every is None:
        return one_of_each_function(space, collect(draw, 2 * count, _DRAWS))[:count]
    return one_of_each_function(space, rng.permutation(every))[:count]


def one_of_each_function(space: Genotypes, population: Population) -> Population:
    """Those of genotypes [n, genes] that compute something, the first of each function, in their order."""
    there = population[space.computes(population)]
    return there[list(first_rows(space.functions(there)).values())]


def collect(draw: Callable[[], Population], count: int, draws: int) -> Population:
    """The first `count` different genotypes of at most `draws` draws, [<= count, genes]."""
    found = unique_genotypes(draw())[:count]
    for _ in range(draws - 1):
        if len(found) == count:
            break
        found = unique_genotypes(np.concatenate([found, draw()]))[:count]
    return found


def calibration_networks(
    space: Genotypes, macs: Mapping[Op, float], seed: int, count: int, exclude: Population | None = None
) -> Population:
    """Genotypes to calibrate a table on, [count, genes]: random ones, and one in four spread over the range of MACs.

    Random networks crowd in the middle, and a search under a budget goes to the ends.
    """
    random = random_networks(space, [seed, 1], count, exclude)
    spread = _spread_beside(random, space, macs, seed, count)
    return unique_genotypes(mixed(random, spread, _ONE_SPREAD_IN), exclude)[:count]


def networks_of_every_op(
    space: Genotypes, macs: Mapping[Op, float], seed: int, count: int, exclude: Population | None = None
) -> Population:
    """As `calibration_networks`, but every op occurs about as often, among the first few networks, too.

    Each next network of a pool of random ones is the one whose ops were rarest so far.
    """
    pool = random_networks(space, [seed, 1], _POOL * count, exclude)
    occurs, seen, order = _occurrences(space, pool), np.zeros(len(space.all_ops)), list[int]()
    per_op = occurs / occurs.sum(axis=1, keepdims=True)
    for _ in range(min(count, len(pool))):
        rarity = per_op @ (1 / (1 + seen))
        rarity[order] = -1
        order.append(int(rarity.argmax()))
        seen += occurs[order[-1]]
    spread = _spread_beside(pool, space, macs, seed, count)
    return unique_genotypes(mixed(pool[order], spread, _ONE_SPREAD_IN), exclude)[:count]


def _spread_beside(random: Population, space: Genotypes, macs: Mapping[Op, float], seed: int, count: int) -> Population:
    """Spread over the range of MACs; only as far as random networks reach where the largest has many more ops.

    Where all branches of a place may stand side by side, caches are full of those of the largest networks, which nobody
    searches: what they tell of the others is wrong.
    """
    most_ops, most = (float(space.additive(of)(random).max(initial=0.0)) for of in (_one_each(space), macs))
    if _ends(space, _one_each(space))[1] <= _MANY_OPS * most_ops:
        most_ops = most = np.inf
    return spread_networks(space, macs, np.random.default_rng([seed, 4]), count // _ONE_SPREAD_IN, most, most_ops)


def _one_each(space: Genotypes) -> Mapping[Op, float]:
    """Every op counts as one."""
    return dict.fromkeys(space.all_ops, 1.0)


def _occurrences(space: Genotypes, population: Population) -> Floats:
    """How often each of the space's ops occurs in genotypes, [n, ops]."""
    one, nothing = dict(zip(space.all_ops, np.eye(len(space.all_ops)), strict=True)), np.zeros(len(space.all_ops))
    columns = [np.array([sum((one[op] for op in ops), nothing) for ops in slot.options]) for slot in space.slots]
    return space.layout.gathered(columns, population)


def spread_networks(
    space: Genotypes,
    cost: Mapping[Op, float],
    rng: np.random.Generator,
    count: int,
    most: float = np.inf,
    most_ops: float = np.inf,
) -> Population:
    """Genotypes [n, genes] whose additive costs lie evenly between the least and the most of the space, n <= count.

    Random networks walk towards their targets, of `most` at most, by mutations that bring them closer and give them
    `most_ops` ops at most.
    """
    ops, total, (least, largest) = space.additive(_one_each(space)), space.additive(cost), _ends(space, cost)
    target = np.linspace(least, min(most, largest), count)
    population = space.sample(rng, count)
    off = np.abs(total(population) - target)
    for _ in range(_STEPS):
        proposed = space.mutate(population, rng)
        closer = np.abs(total(proposed) - target)
        better = (closer < off) & (ops(proposed) <= most_ops)
        population = np.where(better[:, None], proposed, population)
        off = np.where(better, closer, off)
    return unique_genotypes(population[rng.permutation(count)])


def _ends(space: Genotypes, cost: Mapping[Op, float]) -> tuple[float, float]:
    """The least and the most that an additive cost can be."""
    per_slot = space.layout.per_option(cost)
    least, most = (sum(float(end(costs)) for costs in per_slot) for end in (np.min, np.max))
    return least, most


def mixed(random: Population, spread: Population, every: int) -> Population:
    """One network of `spread` before every `every - 1` of `random`, each once, so that any first few are a mixture."""
    rows, others = list(spread), list(random)
    order = []
    while rows or others:
        order += rows[:1] + others[: every - 1]
        rows, others = rows[1:], others[every - 1 :]
    return unique_genotypes(np.array(order))
