"""How well predictions agree with what the device said: the figures by which a latency table is judged."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from scipy.stats import kendalltau, spearmanr

from latency_tables.arrays import Floats
from latency_tables.model.model import LatencyPrediction


@dataclass(frozen=True)
class Agreement:
    """Predicted and measured milliseconds of the same networks, [n] each. Errors are relative to the measurement."""

    prediction: LatencyPrediction
    measured_ms: Floats

    @property
    def errors(self) -> Floats:
        """predicted / measured - 1, [n]."""
        return np.asarray(self.prediction.ms / self.measured_ms - 1)

    @property
    def mape_pct(self) -> float:
        """Mean absolute error in percent."""
        return float(np.abs(self.errors).mean() * 100)

    @property
    def bias_pct(self) -> float:
        """Mean error in percent: above 0 where the table promises too many milliseconds."""
        return float(self.errors.mean() * 100)

    def within_pct(self, percent: float) -> float:
        """Percent of networks within +-`percent` %."""
        return float((np.abs(self.errors) <= percent / 100).mean() * 100)

    @property
    def spearman(self) -> float:
        """Rank correlation; NaN when it is not defined."""
        return float(spearmanr(self.prediction.ms, self.measured_ms)[0])

    @property
    def kendall(self) -> float:
        """Kendall's tau; NaN when it is not defined."""
        return float(kendalltau(self.prediction.ms, self.measured_ms)[0])

    @property
    def inside(self) -> int:
        """How many networks are inside their interval."""
        p = self.prediction
        return int(((p.lower_ms <= self.measured_ms) & (self.measured_ms <= p.upper_ms)).sum())

    @property
    def coverage_pct(self) -> float:
        """Percent of networks inside their interval."""
        return 100 * self.inside / len(self.measured_ms)

    def figures(self) -> dict[str, float]:
        """All of them by name."""
        return {
            "mape_pct": self.mape_pct,
            "within5_pct": self.within_pct(5),
            "within10_pct": self.within_pct(10),
            "bias_pct": self.bias_pct,
            "spearman": self.spearman,
            "kendall": self.kendall,
            "interval_coverage_pct": self.coverage_pct,
        }
