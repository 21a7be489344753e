"""One visit to one model on the device. A failure is data here, not an exception."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass
from typing import Any

import numpy as np
from scipy import stats


@dataclass(frozen=True)
class Measurement:
    """Every sample of one visit: groups of runs, each bracketed by runs of the reference network.

    `samples_us[g]` are the runs of group g; `reference_us[g]` and `reference_us[g + 1]` are the fastest
    reference runs just before and just after it, so there is one more of them than of groups.
    """

    key: str
    round: int
    started_unix_s: float
    samples_us: tuple[tuple[float, ...], ...] = ()
    reference_us: tuple[float, ...] = ()
    clock_mhz: float | None = None
    error: str | None = None

    @property
    def ratios(self) -> tuple[float, ...]:
        """Fastest run of each group over the fastest reference run beside it: drift cancels."""
        brackets = zip(self.reference_us, self.reference_us[1:], strict=False)
        return tuple(min(g) / min(b) for g, b in zip(self.samples_us, brackets, strict=True))

    def to_json(self) -> dict[str, Any]:
        """Plain values for the journal."""
        return asdict(self)

    @classmethod
    def from_json(cls, record: Mapping[str, Any]) -> Measurement:
        """The inverse of `to_json`; raises KeyError / TypeError on foreign records."""
        return cls(
            key=str(record["key"]),
            round=int(record["round"]),
            started_unix_s=float(record["started_unix_s"]),
            samples_us=tuple(tuple(map(float, g)) for g in record["samples_us"]),
            reference_us=tuple(map(float, record["reference_us"])),
            clock_mhz=record["clock_mhz"],
            error=record["error"],
        )


@dataclass(frozen=True)
class Statistics:
    """What several visits to one model say together; ratios are to the reference network."""

    ratio: float
    ratio_ci95: tuple[float, float]
    min_us: float
    raw_median_us: float
    groups: int
    rounds: int

    @property
    def ci95_pct(self) -> float:
        """Half width of the 95 % interval of the ratio, in percent of the ratio."""
        low, high = self.ratio_ci95
        return 50.0 * (high - low) / self.ratio


def summarise(visits: Sequence[Measurement]) -> Statistics:
    """Median over groups, then over rounds; the interval is Student's t over the rounds' medians.

    With a single round the spread of its groups stands in. Raises ValueError without one good visit.
    """
    good = [v for v in visits if v.error is None and v.ratios]
    if not good:
        raise ValueError("no visit without an error")
    per_round = np.array([np.median(v.ratios) for v in good])
    spread = per_round if len(per_round) > 1 else np.array(good[0].ratios)
    ratio = float(np.median(per_round))
    half = 0.0
    if len(spread) > 1:
        # 1.4826 MAD: one disturbed round must not decide how sure we are of the median.
        sigma = max(1.4826 * float(np.median(np.abs(spread - np.median(spread)))), 1e-4 * ratio)
        half = float(stats.t.ppf(0.975, len(spread) - 1)) * sigma * 1.2533 / float(np.sqrt(len(spread)))
    samples = np.concatenate([np.asarray(g) for v in good for g in v.samples_us])
    return Statistics(
        ratio=ratio,
        ratio_ci95=(ratio - half, ratio + half),
        min_us=float(samples.min()),
        raw_median_us=float(np.median(samples)),
        groups=sum(len(v.ratios) for v in good),
        rounds=len(good),
    )


def quiet_reference_us(visits: Sequence[Measurement]) -> float:
    """The reference network's own quiet time: the 10th percentile of its group minima, in us."""
    times = [t for v in visits if v.error is None for t in v.reference_us]
    if not times:
        raise ValueError("no visit without an error")
    return float(np.percentile(times, 10))
