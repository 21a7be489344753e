"""One visit to one model on the device. A failure is data here, not an exception."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass
from itertools import pairwise
from typing import Any

import numpy as np

from latency_tables.errors import HwnasError
from latency_tables.storage.serialise import from_plain
from latency_tables.student import student_975

_PLAUSIBLE_US = (1e-3, 1e12)  # a nanosecond to eleven days
_QUIET = 1.03  # times the quiet reference; at 1.05 a neighbour shares the core, and networks differ by 12 %
_LEAST_GROUPS = 2
_YEAR_10000 = 253402300800.0


def _plausible(times_us: Sequence[float]) -> bool:
    shortest, longest = _PLAUSIBLE_US
    return all(shortest <= t <= longest for t in times_us)


@dataclass(frozen=True)
class Group:
    """Runs of a model, and the fastest reference run just before and just after them, in us."""

    runs_us: tuple[float, ...]
    reference_us: tuple[float, float]

    @property
    def ratio(self) -> float:
        """Fastest run over the faster reference run: drift cancels."""
        return min(self.runs_us) / min(self.reference_us)

    def is_quiet(self, quiet_us: float) -> bool:
        """Whether the reference network ran at its quiet time on both sides."""
        return is_quiet(max(self.reference_us), quiet_us)


@dataclass(frozen=True)
class Measurement:
    """Every sample of one visit: groups of runs, each bracketed by runs of the reference network.

    `samples_us[g]` are the runs of group g; `reference_us[g]` and `reference_us[g + 1]` are the fastest
    reference runs just before and just after it, so there is one more of them than of groups.
    Clock and temperature are as the visit ended; `throttled`: whether the device held itself back at any time of it.
    None is what the system does not tell.
    """

    key: str
    round: int
    started_unix_s: float
    samples_us: tuple[tuple[float, ...], ...] = ()
    reference_us: tuple[float, ...] = ()
    clock_mhz: float | None = None
    temperature_c: float | None = None
    throttled: bool | None = None
    error: str | None = None

    @property
    def sound_groups(self) -> tuple[Group, ...]:
        """The groups of runs, but those whose clock cannot have been right.

        A clock that jumps back gives times that are zero or negative; what else it did to that group nobody knows.
        """
        brackets = pairwise(self.reference_us)
        groups = zip(self.samples_us, brackets, strict=True)
        return tuple(Group(runs, bracket) for runs, bracket in groups if runs and _plausible((*runs, *bracket)))

    @property
    def ratios(self) -> tuple[float, ...]:
        """The ratio of each sound group."""
        return tuple(group.ratio for group in self.sound_groups)

    def to_json(self) -> dict[str, Any]:
        """Plain values for the journal."""
        return asdict(self)

    @classmethod
    def from_json(cls, record: Mapping[str, Any]) -> Measurement:
        """The inverse of `to_json`; raises `HwnasError` in one line for a record that is no measurement."""
        try:
            measured = from_plain(cls, record)
            groups, brackets = len(measured.samples_us), len(measured.reference_us)
            if (groups or brackets) and brackets != groups + 1:
                raise ValueError(f"{groups} groups have {brackets} reference times")
            if not 0 <= measured.started_unix_s < _YEAR_10000:
                raise ValueError(f"started_unix_s is {measured.started_unix_s}")
        except ValueError as e:
            raise HwnasError(f"a stored measurement is damaged: {e}; delete its file and measure again") from None
        return measured


@dataclass(frozen=True)
class Statistics:
    """What several visits to one model say together; ratios are to the reference network.

    `lower_ratio` is the lower quartile over rounds: whole networks need more of the cache than the reference, so that a
    neighbour may slow them while the reference is quiet, and the faster rounds are nearer to what they take.
    """

    ratio: float
    lower_ratio: float
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


def is_quiet(reference_us: float, quiet_us: float) -> bool:
    """Whether a run of the reference network is about as fast as when the device does nothing else.

    A neighbour that shares the core or the memory slows one model more than another, so that it does not cancel.
    """
    return reference_us <= _QUIET * quiet_us


def summarise(visits: Sequence[Measurement], quiet_us: float | None = None) -> Statistics:
    """Median over the groups of a round, then over rounds; the interval is Student's t over the rounds' medians.

    The interval is taken on the logarithm: what disturbs a time multiplies it, and no time is 0 or less. With a single
    round the spread of its groups stands in. With `quiet_us`, the reference network's quiet time, only
    groups of a quiet moment count, or the two of the quietest moments where there are no more. Visits with an error and
    groups whose clock jumped count for nothing; visits to a device that held itself back only where there are no
    others. Raises ValueError without one good visit.
    """
    good = [v for v in visits if v.error is None and v.ratios]
    good = [v for v in good if not v.throttled] or good
    if not good:
        raise ValueError("no visit without an error")
    groups = [(v.round, group) for v in good for group in v.sound_groups]
    if quiet_us is not None:
        groups.sort(key=lambda at: max(at[1].reference_us))
        quiet = sum(group.is_quiet(quiet_us) for _, group in groups)
        groups = groups[: max(quiet, _LEAST_GROUPS)]
    by_round: dict[int, list[float]] = {}
    for round_, group in groups:
        by_round.setdefault(round_, []).append(group.ratio)
    per_round = np.array([np.median(ratios) for ratios in by_round.values()])
    spread = per_round if len(per_round) > 1 else np.array(next(iter(by_round.values())))
    ratio = float(np.median(per_round))
    factor = 1.0
    if len(spread) > 1:
        logs = np.log(spread)
        # 1.4826 MAD: one disturbed round must not decide how sure we are of the median.
        sigma = max(1.4826 * float(np.median(np.abs(logs - np.median(logs)))), 1e-4)
        factor = float(np.exp(student_975(len(spread) - 1) * sigma * 1.2533 / np.sqrt(len(spread))))
    samples = np.concatenate([np.asarray(group.runs_us) for v in good for group in v.sound_groups])
    return Statistics(
        ratio=ratio,
        lower_ratio=float(np.quantile(per_round, 0.25)),
        ratio_ci95=(ratio / factor, ratio * factor),
        min_us=float(samples.min()),
        raw_median_us=float(np.median(samples)),
        groups=len(groups),
        rounds=len(by_round),
    )


def elapsed_s(visits: Sequence[Measurement], longest_s: float = 60.0) -> float:
    """Seconds spent on visits, in the order they were made, from start to start.

    A step back (the clock was set) or one longer than `longest_s` (the work was stopped and gone on with) counts for
    nothing.
    """
    steps = (b.started_unix_s - a.started_unix_s for a, b in pairwise(visits))
    return float(sum(step for step in steps if 0 <= step <= longest_s))


def quiet_reference_us(visits: Sequence[Measurement]) -> float:
    """The reference network's own quiet time: the 10th percentile of its group minima, in us."""
    times = [t for v in visits if v.error is None for t in v.reference_us if _plausible((t,))]
    if not times:
        raise ValueError("no visit without an error")
    return float(np.percentile(times, 10))
