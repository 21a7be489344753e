"""Few-shot supernets: a supernet of its own for each part of a space, where fewer networks share a weight.

Zhao et al. 2021, "Few-shot Neural Architecture Search".
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import dataclass, replace
from itertools import combinations, product
from pathlib import Path

import numpy as np
import torch
from torch import Tensor
from torch.nn import functional

from hwnas.spaces import Genotype, Population, SearchSpace, Subspace
from hwnas.training.batches import Batch, Batches
from hwnas.training.evaluate_many import NetworkScore, score_each
from hwnas.training.learning import train_supernet
from hwnas.training.recipe import Recipe
from hwnas.training.supernet import Supernet
from latency_tables import HwnasError
from latency_tables.arrays import Floats
from latency_tables.progress import Progress, silent

_SAMPLE = 1000
_LISTED = 12  # values of a gene that all divisions are looked at of


@dataclass(frozen=True)
class Split:
    """The values of one gene in two groups: a network is in the part of the value it has."""

    gene: int
    groups: tuple[tuple[int, ...], tuple[int, ...]]


def parts_of(space: SearchSpace, splits: Sequence[Split]) -> list[Subspace]:
    """The parts that splits of different genes make, two to the power of their number; each network is in one."""
    genes = [split.gene for split in splits]
    return [
        Subspace(space, dict(zip(genes, groups, strict=True)))
        for groups in product(*(split.groups for split in splits))
    ]


def splits_by_depth(space: SearchSpace, count: int = 1) -> list[Split]:
    """Splits of the genes that decide most about the number of ops of a network, shallow values from deep ones.

    After Oh et al. 2025, "Efficient Few-Shot Neural Architecture Search by Counting the Number of Nonlinear Functions".
    Raises `HwnasError` when fewer genes change the number of ops.
    """
    sample = space.sample(np.random.default_rng(0), _SAMPLE)
    depth = space.additive(dict.fromkeys(space.all_ops, 1.0))
    found = []
    for gene, values in enumerate(space.cardinalities):
        networks = space.with_each_value(sample, gene).reshape(-1, sample.shape[1])
        means = depth(networks).reshape(len(sample), values).mean(axis=0)
        found.append((float(np.ptp(means)), gene, means))
    chosen = sorted(found, key=lambda one: (-round(one[0], 9), one[1]))[:count]
    if len(chosen) < count or chosen[-1][0] == 0:
        raise HwnasError(f"{space.name} has fewer than {count} genes that change how many ops a network has")
    return [_at_the_widest_gap(gene, means) for _, gene, means in chosen]


def _at_the_widest_gap(gene: int, means: Floats) -> Split:
    order = np.argsort(means, kind="stable")
    gaps = np.diff(means[order])
    widest = np.flatnonzero(np.isclose(gaps, gaps.max()))
    cut = 1 + int(widest[len(widest) // 2])  # the middle one of equal gaps
    return Split(gene, (_ascending(order[:cut]), _ascending(order[cut:])))


def splits_by_gradients(
    supernet: Supernet, batches: Batches, seed: int, count: int = 1, rounds: int = 16
) -> list[Split]:
    """Splits of the genes whose values pull the other shared weights apart most.

    Gradient matching (Hu et al. 2022, "Generalizing Few-Shot NAS with Gradient Matching"): `rounds` times one batch and
    one random network, whose gradient is taken for each value of the gene. Cosines are over the weights that both
    networks use. The values are divided such that the mean cosine between the two groups is least; genes with the least
    come first.
    """
    rng, space = np.random.default_rng([seed, 11]), supernet.space
    drawn = _endless(batches, seed)
    cosines = {gene: np.zeros((values, values)) for gene, values in enumerate(space.cardinalities) if values > 1}
    for _ in range(rounds):
        batch, arch = next(drawn), space.sample(rng, 1)
        for gene, total in cosines.items():
            gradients = [_gradient(supernet, one, batch) for one in space.with_each_value(arch, gene)[0]]
            for a, b in combinations(range(len(total)), 2):
                total[a, b] += _cosine(gradients[a], gradients[b]) / rounds
                total[b, a] = total[a, b]
    cuts = sorted((least_cut(total), gene) for gene, total in cosines.items())
    return [Split(gene, groups) for (_, groups), gene in cuts[:count]]


Groups = tuple[tuple[int, ...], tuple[int, ...]]


def least_cut(cosine: Floats) -> tuple[float, Groups]:
    """The mean cosine [values, values] across the best division of values in two, and the division.

    Of more than a dozen values only those divisions that a spectral order of them offers are looked at (Fiedler 1973,
    "Algebraic connectivity of graphs").
    """

    def cut(group: tuple[int, ...]) -> tuple[float, Groups]:
        others = tuple(v for v in range(len(cosine)) if v not in group)
        return float(cosine[np.ix_(group, others)].mean()), (group, others)

    return min(map(cut, _groups(cosine)))


def _groups(cosine: Floats) -> Iterator[tuple[int, ...]]:
    values = len(cosine)
    if values <= _LISTED:
        for size in range(1, values // 2 + 1):
            yield from combinations(range(values), size)
        return
    alike = cosine - cosine.min()
    np.fill_diagonal(alike, 0)
    order = np.linalg.eigh(np.diag(alike.sum(axis=1)) - alike)[1][:, 1].argsort(kind="stable")
    for size in range(1, values):
        yield _ascending(order[:size])


def train_parts(
    parent: Supernet,
    parts: Sequence[Subspace],
    batches: Batches,
    recipe: Recipe,
    seed: int,
    folder: Path,
    progress: Progress = silent,
    feasible: Callable[[Subspace], bool] | None = None,
) -> list[Supernet]:
    """A supernet of each part, from the weights of `parent` on; the epochs of `recipe` are divided among them.

    A part that is not `feasible`, whose fastest network is too slow, is never trained. Raises `HwnasError` when none
    is. Each resumes from its own checkpoint in `folder`, which is made.
    """
    kept = {f"part-{i}": part for i, part in enumerate(parts) if feasible is None or feasible(part)}
    if not kept:
        raise HwnasError(f"none of the {len(parts)} parts of {parent.space.name} has a network inside the budget")
    folder.mkdir(parents=True, exist_ok=True)
    each = replace(recipe, epochs=max(1, round(recipe.epochs / len(kept))))
    supernets = []
    for name, part in kept.items():
        path = folder / f"{name}.safetensors"
        supernets.append(train_supernet(part, batches, each, seed, path, progress, start=parent)[0])
    return supernets


def score_by_parts(
    supernets: Sequence[Supernet], population: Population, calibration: Sequence[Batch], validation: Sequence[Batch]
) -> Iterator[tuple[int, NetworkScore]]:
    """As `score_each`, each genotype [n, genes] of the whole space by the supernet of its part.

    Networks of parts that have no supernet are left out.
    """
    for supernet in supernets:
        part = supernet.space
        assert isinstance(part, Subspace)
        inside = np.flatnonzero(part.contains(population))
        for index, score in score_each(supernet, part.from_whole(population[inside]), calibration, validation):
            yield int(inside[index]), score


def _endless(batches: Batches, seed: int) -> Iterator[Batch]:
    epoch = 0
    while True:
        yield from batches.training(seed, epoch)
        epoch += 1


def _gradient(supernet: Supernet, arch: Genotype, batch: Batch) -> dict[str, Tensor]:
    """Of every shared weight that the network uses."""
    named = dict(supernet.named_parameters())
    loss = functional.cross_entropy(supernet(batch.images, arch), batch.targets)
    gradients = torch.autograd.grad(loss, list(named.values()), allow_unused=True)
    return {name: gradient for name, gradient in zip(named, gradients, strict=True) if gradient is not None}


def _cosine(a: dict[str, Tensor], b: dict[str, Tensor]) -> float:
    """Over the weights that both networks use."""
    common = [name for name in a if name in b]
    if not common:
        return 0.0
    dot, of_a, of_b = (sum(float((x[name] * y[name]).sum()) for name in common) for x, y in ((a, b), (a, a), (b, b)))
    return dot / (of_a * of_b) ** 0.5 if of_a * of_b > 0 else 0.0


def _ascending(values: Iterable[int]) -> tuple[int, ...]:
    return tuple(sorted(int(v) for v in values))
