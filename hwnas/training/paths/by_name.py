"""Path samplers by the names that recipes have for them."""

from __future__ import annotations

from collections.abc import Callable, Mapping

from hwnas.spaces import SearchSpace
from hwnas.training.paths._base import PathSampler
from hwnas.training.paths.balanced import BalancedPaths
from hwnas.training.paths.fair import FairPaths
from hwnas.training.paths.importance import ImportancePaths
from hwnas.training.paths.sandwich import SandwichPaths
from hwnas.training.paths.uniform import UniformPaths

_KINDS: Mapping[str, Callable[[SearchSpace], PathSampler]] = {
    "sandwich": SandwichPaths,
    "uniform": UniformPaths,
    "fair": FairPaths,
    "balanced": BalancedPaths,
    "importance": ImportancePaths,
}


def path_sampler(name: str, space: SearchSpace) -> PathSampler:
    """The sampler of one of `PATHS` of `hwnas.training.recipe`."""
    return _KINDS[name](space)
