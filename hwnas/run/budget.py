"""The latency budget of a run: the one asked for, else one that random networks suggest."""

from __future__ import annotations

from functools import cached_property

import numpy as np

from hwnas.run.profiling import Profiling
from latency_tables.model.model import LatencyPrediction

_RANDOM_NETWORKS = 1000
_INSIDE = 0.1  # of them, whose whole interval a suggested budget admits at least


class RunBudget:
    """Milliseconds, and where they come from. Needs the latency model only where no budget was given."""

    def __init__(self, profiling: Profiling):
        self._profiling, self._given_ms = profiling, profiling.settings.budget_ms

    @cached_property
    def _random(self) -> LatencyPrediction:
        """Predicted latency of random networks."""
        archs = self._profiling.space.sample(np.random.default_rng(0), _RANDOM_NETWORKS)
        return self._profiling.latency().predict(archs)

    @cached_property
    def _suggested(self) -> tuple[float, str]:
        """The median of random networks; more where intervals are so wide that too few of them would be inside."""
        median_ms, wide_ms = float(np.median(self._random.ms)), float(np.quantile(self._random.upper_ms, _INSIDE))
        if median_ms >= wide_ms:
            return median_ms, f"median predicted latency of {_RANDOM_NETWORKS} random networks"
        share = f"{100 * _INSIDE:.0f} % of {_RANDOM_NETWORKS} random networks"
        return wide_ms, f"upper bound of the fastest {share}, since intervals are wide"

    @cached_property
    def ms(self) -> float:
        """The budget asked for, else the one that random networks suggest."""
        return self._suggested[0] if self._given_ms is None else self._given_ms

    @property
    def source(self) -> str:
        """Where the budget comes from, in words."""
        return self._suggested[1] if self._given_ms is None else "given"

    @property
    def complaint(self) -> str | None:
        """That the budget rules out nothing, in one line; None when it does."""
        slowest_ms = float(self._random.upper_ms.max())
        if slowest_ms > self.ms:
            return None
        return (
            f"the budget of {self.ms:.4g} ms does not bind: all {_RANDOM_NETWORKS} random networks of "
            f"{self._profiling.space.name} take {slowest_ms:.4g} ms at most; a larger space would make use of it"
        )
