"""The contract every `PathSampler` keeps; run it on your own: `check_path_sampler(MyPaths, space)`."""

from __future__ import annotations

from collections.abc import Callable

import numpy as np

from hwnas.spaces import Population, SearchSpace
from hwnas.spaces.contract import check_population
from hwnas.training.paths._base import PathSampler

_SAME = 5  # steps that are compared


def check_path_sampler(
    make: Callable[[SearchSpace], PathSampler], space: SearchSpace, steps: int = 300, seed: int = 0
) -> None:
    """Raise AssertionError unless samplers made by `make(space)` keep the contract on `space`.

    Within `steps` steps each value of each gene that a random network may have must be drawn.
    """
    sampler = make(space)
    assert sampler.name == " ".join(sampler.name.split()) != "", "name must be filled in, one line"
    assert make(space).name == sampler.name, "name must depend on what the sampler is made with alone"
    drawn = np.concatenate([_step(sampler, space, seed, i / steps) for i in range(steps)])
    for gene, known in enumerate(space.sample(np.random.default_rng(seed), 64 * max(space.cardinalities)).T):
        never = set(known) - set(drawn[:, gene])
        assert not never, f"{space.gene_names[gene]} never had the value {min(never)}: its weights stay untrained"
    _check_resume(make, space, seed)


def _step(sampler: PathSampler, space: SearchSpace, seed: int, progress: float) -> Population:
    """The paths of a step, checked; the sampler hears of made-up norms."""
    rng = np.random.default_rng([seed, round(1e6 * progress)])
    paths = sampler.paths(rng, progress)
    assert len(paths) >= 1, "paths must give one network at least"
    check_population(space, paths, "paths")
    assert len(paths) == 1 or not sampler.learns, "a sampler that learns draws one path per step"
    before, norms = paths.copy(), rng.random(len(paths))
    sampler.observe(paths, norms)
    assert np.array_equal(paths, before), "observe must not change the paths it is given"
    return paths


def _check_resume(make: Callable[[SearchSpace], PathSampler], space: SearchSpace, seed: int) -> None:
    first, same = make(space), make(space)
    for i in range(_SAME):
        ours, theirs = (_step(sampler, space, seed, i / _SAME) for sampler in (first, same))
        assert np.array_equal(ours, theirs), "paths must depend on the rng and on what was observed alone"
    state = first.state()
    assert all(isinstance(values, np.ndarray) for values in state.values()), "state must give arrays"
    kept = {name: values.copy() for name, values in state.items()}
    resumed = make(space)
    resumed.restore(state)
    for i in range(_SAME):
        ours, theirs = (_step(sampler, space, seed + 1, i / _SAME) for sampler in (first, resumed))
        assert np.array_equal(ours, theirs), "restore must bring back what state gave"
    unchanged = all(np.array_equal(state[name], values) for name, values in kept.items())
    assert unchanged, "state must not change with what is observed later"
