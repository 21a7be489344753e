"""Ways to predict every network of a space from k timings on a new device: ours, and what it must beat."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field
from functools import cached_property

import numpy as np
from scipy.optimize import nnls
from scipy.stats import spearmanr
from sklearn.linear_model import LinearRegression, RidgeCV

from benchmarks._help_data import DeviceData, Floats, Ints
from latency_tables.few_shot.fit import Counting, FewShotFit, fit_few_shot
from latency_tables.few_shot.prior import OpPrior, op_prior
from latency_tables.few_shot.which_networks import networks_to_time

_ENOUGH_FOR_A_TABLE = 2000


@dataclass(frozen=True)
class Forecast:
    """Milliseconds of all n networks; the ends of the 90 % interval and what was counted, where a method says."""

    ms: Floats
    lower_ms: Floats | None = None
    upper_ms: Floats | None = None
    counting: str = ""


Method = Callable[[str, Ints], Forecast]


@dataclass(frozen=True)
class Methods:
    """The methods, each from (device, rows of the timed networks) to a forecast."""

    data: DeviceData
    _tables: dict[str, FewShotFit] = field(default_factory=dict)

    def known(self, device: str) -> FewShotFit:
        """The additive table of a device of the pool, from many of its networks."""
        if device not in self._tables:
            ms = self.data.ms[device]
            rows = np.random.default_rng(0).permutation(len(ms))[:_ENOUGH_FOR_A_TABLE]
            self._tables[device] = self._fit(self._priors, rows, ms)
        return self._tables[device]

    @cached_property
    def _priors(self) -> dict[str, OpPrior]:
        return self.priors([])

    def priors(self, tables: list[Floats]) -> dict[str, OpPrior]:
        """A prior for each way to count."""
        costs, groups = self.data.costs, self.data.groups
        return {name: op_prior(x, costs, groups, tables) for name, x in self.data.countings.items()}

    def _fit(self, priors: dict[str, OpPrior], rows: Ints, ms: Floats) -> FewShotFit:
        ways = self.data.countings.items()
        return fit_few_shot([Counting(n, x[rows], priors[n]) for n, x in ways], ms[rows])

    def _forecast(self, fit: FewShotFit) -> Forecast:
        features = self.data.countings[fit.counting]
        return Forecast(fit.predict(features), *fit.bounds(features), fit.counting)

    def without_prior(self, device: str, rows: Ints) -> Forecast:
        """Ours, knowing costs on paper only."""
        return self._forecast(self._fit(self._priors, rows, self.data.ms[device]))

    def with_prior(self, device: str, rows: Ints) -> Forecast:
        """Ours, knowing the tables of the other devices."""
        pool = [self.known(d).table_ms for d in self.data.pool(device)]
        return self._forecast(self._fit(self.priors(pool), rows, self.data.ms[device]))

    def choose(self, device: str, candidates: Ints, k: int, prior: bool) -> Ints:
        """The k of the candidate rows that are worth timing, by what is believed before any timing."""
        tables = [self.known(d).table_ms for d in self.data.pool(device)] if prior else []
        name, features = next(iter(self.data.countings.items()))
        return np.asarray(candidates[networks_to_time(features[candidates], k, self.priors(tables)[name])])

    def macs(self, device: str, rows: Ints) -> Forecast:
        """A line on multiply-accumulates."""
        return self._line(self.data.macs, device, rows)

    def best_proxy(self, device: str, rows: Ints) -> Forecast:
        """A line on the latencies of the one known device that ranks *all* networks most like the new one.

        No honest method can pick it by k timings: an upper bound.
        """
        ms = self.data.ms
        best = max(self.data.pool(device), key=lambda d: float(spearmanr(ms[d], ms[device])[0]))
        return self._line(ms[best], device, rows)

    def chosen_proxy(self, device: str, rows: Ints) -> Forecast:
        """The same with the known device that the k timings point to: the one whose line they lie closest to."""
        ms = self.data.ms[device][rows]
        lines = [self._line(self.data.ms[d], device, rows) for d in self.data.pool(device)]
        return min(lines, key=lambda line: float(((line.ms[rows] - ms) ** 2).sum()))

    def mixture(self, device: str, rows: Ints) -> Forecast:
        """A non-negative mixture of the known devices' latencies."""
        known = np.array([self.data.ms[d] for d in self.data.pool(device)]).T
        return Forecast(known @ nnls(known[rows], self.data.ms[device][rows])[0])

    def ridge(self, device: str, rows: Ints) -> Forecast:
        """A plain additive table: ridge regression on all op counts, its strength by leave-one-out."""
        features = next(iter(self.data.countings.values()))
        model = RidgeCV(np.logspace(-4, 3, 15)).fit(features[rows], self.data.ms[device][rows])
        return Forecast(model.predict(features))

    def pooled_ridge(self, device: str, rows: Ints) -> Forecast:
        """The same, with one parameter an op wherever it stands (a column for each label of each group)."""
        features = next(iter(self.data.countings.values()))
        pooled = np.hstack([features @ (g[:, None] == np.unique(g)[None]) for g in self.data.groups])
        scaled = pooled / np.maximum(pooled.std(axis=0), 1e-9)
        model = RidgeCV(np.logspace(-4, 3, 15)).fit(scaled[rows], self.data.ms[device][rows])
        return Forecast(model.predict(scaled))

    def _line(self, x: Floats, device: str, rows: Ints) -> Forecast:
        model = LinearRegression(positive=True).fit(x[rows, None], self.data.ms[device][rows])
        return Forecast(model.predict(x[:, None]))
