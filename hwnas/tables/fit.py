"""A latency table from timings of whole networks: for a device on which single blocks cannot be timed."""

from __future__ import annotations

import hashlib
import math
import platform
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path

import numpy as np
from numpy.typing import NDArray
from scipy import stats

from hwnas.lowering.onnx_graph import onnx_from_module, weight_mb
from hwnas.spaces import Population, SearchSpace
from hwnas.spaces.cost import count_macs, count_params
from hwnas.spaces.sampling import random_networks
from hwnas.tables.csv_rows import read_arch, read_rows
from latency_tables import HwnasError, LatencyTable, Op, OpCost, Provenance, TableError, TableRow, Target
from latency_tables.additive import Slots
from latency_tables.arrays import Floats
from latency_tables.few_shot.fit import (
    MINIMUM_TIMINGS,
    MOST_MS,
    Counting,
    FewShotFit,
    check_timings,
    fit_few_shot,
    leave_one_out_ms,
)
from latency_tables.few_shot.prior import OpPrior, op_prior
from latency_tables.few_shot.which_networks import networks_to_time
from latency_tables.model.calibration import COVERAGE

_COLUMNS = ("arch", "ms")
_ALL = "all"
_SAMPLE = 1000  # random networks that say what a typical one is
_LEAST_MS = 1e-6  # a row of a table must take some time
_MOST_LEFT_OUT = 100


@dataclass(frozen=True)
class Runs:
    """Timed networks, each once: genotypes [n, genes] and milliseconds [n]; `repeated` rows were averaged away."""

    archs: Population
    ms: Floats
    repeated: int


@dataclass(frozen=True)
class FittedTable:
    """The table, its fit, and how far off networks are that the fit did not see (leave one out), in percent."""

    table: LatencyTable
    fit: FewShotFit
    left_out_error_pct: float


def read_runs(path: Path, space: SearchSpace) -> Runs:
    """Read a CSV file with the columns `arch` (text of the space) and `ms`; an arch that repeats is averaged.

    Raises `HwnasError` in one line that names the row (the header is row 1) when an arch does not parse or a timing
    is not a positive finite number; also when a column is missing, when fewer than `MINIMUM_TIMINGS` networks are
    left, and when all timings are equal.
    """
    rows = read_rows(path, _COLUMNS)
    timings: dict[bytes, list[float]] = {}
    for number, row in rows:
        arch, ms = _timing(row, space, f"{path}, row {number}")
        timings.setdefault(arch.tobytes(), []).append(ms)
    if len(timings) < MINIMUM_TIMINGS:
        raise HwnasError(f"{path} times {len(timings)} networks; a table needs at least {MINIMUM_TIMINGS}: time more")
    archs = np.array([np.frombuffer(key, dtype=np.int64) for key in timings])
    mean_ms = np.array([float(np.mean(of_one)) for of_one in timings.values()])
    try:
        check_timings(mean_ms)
    except HwnasError as e:
        raise HwnasError(f"{path}: {e}") from None
    return Runs(archs, mean_ms, len(rows) - len(timings))


def _timing(row: dict[str, str | None], space: SearchSpace, where: str) -> tuple[NDArray[np.int64], float]:
    arch, text = read_arch(space, row["arch"], where), row["ms"] or ""
    try:
        ms = float(text)
    except ValueError:
        raise HwnasError(f"{where}: ms is {text!r:.40}, not a number") from None
    if not 0 < ms < MOST_MS:
        raise HwnasError(f"{where}: ms is {text:.40}; a timing must be positive and below {MOST_MS:g} ms")
    return np.ascontiguousarray(arch), ms


def fit_table(space: SearchSpace, runs: Runs, target: Target, like: Sequence[LatencyTable] = ()) -> FittedTable:
    """Fit an additive table on `runs`, with the tables of other devices as prior, and choose what to count.

    Raises `TableError` when a table of `like` is of another space or lacks an op.
    """
    others, costs = _tables_of_others(space, like), _op_costs(space)
    countings = {
        way: Counting(way, _op_counts(space, runs.archs, way), _space_prior(space, costs, others, way))
        for way in (_ALL, *space.prunings)
    }
    fit = fit_few_shot(list(countings.values()), runs.ms)
    some = slice(_MOST_LEFT_OUT)
    chosen = countings[fit.counting]
    left_out = leave_one_out_ms(fit, Counting(chosen.name, chosen.features[some], chosen.prior), runs.ms[some])
    errors = np.abs(runs.ms[some] / left_out - 1)
    error_pct = float(100 * np.abs(left_out / runs.ms[some] - 1).mean())
    random = _op_counts(space, space.sample(np.random.default_rng(0), _SAMPLE), fit.counting)
    provenance = Provenance(
        target=target,
        space=space.name,
        reference_us=1.0,  # no reference network was timed: the times are the device's own
        reference_sha256=hashlib.sha256(b"").hexdigest(),
        protocol={"timed_networks": float(len(runs.ms)), "like_tables": float(len(like))},
        measured_at=datetime.now(UTC).isoformat(timespec="seconds"),
        seconds=0.0,
        versions={"python": platform.python_version(), "numpy": np.__version__},
        pruning="" if fit.counting == _ALL else fit.counting,
        relative_half_width=_relative_half_width(fit, random, errors),
    )
    return FittedTable(LatencyTable(_rows(costs, fit), provenance, b""), fit, error_pct)


def networks_to_fit_on(space: SearchSpace, k: int, like: Sequence[LatencyTable] = (), seed: int = 0) -> Population:
    """The `k` of a thousand random networks whose timings tell most about all the others, [k, genes], best first.

    `like` are tables of other devices, the prior as in `fit_table`. Raises `HwnasError` where the space has fewer than
    `k` networks, `TableError` when a table of `like` is of another space or lacks an op.
    """
    candidates = random_networks(space, [seed, 6], _SAMPLE)
    if len(candidates) < k:
        raise HwnasError(f"cannot choose {k} of the {len(candidates)} networks of {space.name}; choose fewer")
    prior = _space_prior(space, _op_costs(space), _tables_of_others(space, like))
    return candidates[networks_to_time(_op_counts(space, candidates), k, prior)]


def _relative_half_width(fit: FewShotFit, features: Floats, left_out_errors: Floats) -> float:
    """Half the 90 % interval of a network, relative to its ms: one number, so that budgets stay sums over genes.

    The wider of two: what the fit says of typical networks, features [n, ops] of random ones, and Student's t times
    the root mean square of the relative errors [k] of timed networks left out, which are few.
    """
    ms, (_, high) = fit.predict(features), fit.bounds(features, COVERAGE)
    typical = float(np.median((high - ms) / np.maximum(ms, _LEAST_MS)))
    t = stats.t.ppf(0.5 + COVERAGE / 2, len(left_out_errors) - 1)
    return max(typical, float(t * np.sqrt(np.square(left_out_errors).mean())))


def _space_prior(space: SearchSpace, costs: Mapping[Op, OpCost], others: Sequence[Floats], way: str = _ALL) -> OpPrior:
    """What is believed of a device before a network is timed on it, from the tables of others."""
    return op_prior(
        _op_counts(space, space.sample(np.random.default_rng(0), _SAMPLE), way),
        np.array([[c.macs, c.params, math.prod(op.in_shape)] for op, c in costs.items()], dtype=np.float64).T,
        _groups(space.all_ops),
        others,
        # What every network pays belongs to the ops that all of them use (stem, head). Where there are none, it is
        # spread over all ops, by fitting without a constant: a table has rows for ops only.
        constant=False,
    )


def _tables_of_others(space: SearchSpace, like: Sequence[LatencyTable]) -> list[Floats]:
    """Other devices' tables for `_space_prior`; raises `TableError` when one is of another space or lacks an op."""
    return [np.append(_op_ms(table, space), 0.0) for table in like]


def _op_costs(space: SearchSpace) -> dict[Op, OpCost]:
    """What every op of the space costs on paper."""
    costs = {}
    for op in space.all_ops:
        module = space.build_op(op)
        megabytes = weight_mb(onnx_from_module(module, op.in_shape))
        costs[op] = OpCost(megabytes, count_macs(module, op.in_shape), count_params(module))
    return costs


def _op_counts(space: SearchSpace, population: Population, way: str = _ALL) -> Floats:
    """How often each op of the space occurs in networks, [n, ops]."""
    slots = space.layout if way == _ALL else Slots(space.cardinalities, space.pruned_slots(way))
    ops = space.all_ops
    return slots.gathered(
        [np.array([[o.count(op) for op in ops] for o in s.options], float) for s in slots.slots], population
    )


def _groups(ops: Sequence[Op]) -> list[NDArray[np.int64]]:
    """One labelling of the ops for each thing they may have in common: kind, input shape, each setting."""
    names = sorted({name for op in ops for name, _ in op.settings})
    described = [[op.kind, op.in_shape, *(dict(op.settings).get(name) for name in names)] for op in ops]
    labellings = []
    for values in zip(*described, strict=True):
        known = {value: i for i, value in enumerate(dict.fromkeys(values))}
        if 1 < len(known) < len(ops):
            labellings.append(np.array([known[value] for value in values], dtype=np.int64))
    return labellings


def _op_ms(table: LatencyTable, space: SearchSpace) -> Floats:
    """The times of the space's ops by another device's table, [ops]; raises `TableError` when they are not there."""
    p = table.provenance
    if p.space != space.name:
        raise TableError(f"the table of {p.target.device} given with --like is for {p.space}, not for {space.name}")
    coverage = table.coverage(space.all_ops)
    if lacking := [*coverage.missing, *coverage.failed]:
        raise TableError(f"the table of {p.target.device} given with --like has no time for {lacking[0].key}")
    return np.array([(table[op].median_us or 0.0) / 1e3 for op in space.all_ops])


def _rows(costs: Mapping[Op, OpCost], fit: FewShotFit) -> tuple[TableRow, ...]:
    op_ms = fit.non_negative(_LEAST_MS)[:-1]
    half_ms = 1.96 * fit.op_std_ms[:-1]
    return tuple(
        TableRow(
            op,
            cost,
            median_us=1e3 * float(ms),
            ci95_low_us=1e3 * max(float(ms - half), 0.0),
            ci95_high_us=1e3 * float(ms + half),
            stop_reason="fitted",
        )
        for (op, cost), ms, half in zip(costs.items(), op_ms, half_ms, strict=True)
    )
