"""What a table has to beat, fitted on the same calibration networks: MACs and a line, boosted trees, raw medians."""

from __future__ import annotations

import time
from pathlib import Path

import numpy as np
from sklearn.ensemble import GradientBoostingRegressor

from hwnas.lowering.op_models import plan_networks
from hwnas.spaces import Population, SearchSpace
from latency_tables import LatencyTable
from latency_tables.arrays import Floats
from profilers import Plan, Profiler
from profilers.device.machine import quiet

RAW_REPEATS = 50


def _line(x: Floats, y: Floats) -> tuple[float, float]:
    """Slope and offset of least relative squares."""
    rows = np.column_stack([x, np.ones_like(x)]) / y[:, None]
    slope, offset = np.linalg.lstsq(rows, np.ones(len(y)), rcond=None)[0]
    return float(slope), float(offset)


def network_macs(space: SearchSpace, table: LatencyTable, archs: Population) -> Floats:
    """Multiply-accumulates of networks, [n]."""
    return space.additive({row.op: row.cost.macs for row in table.rows})(archs)


def macs_and_line(
    space: SearchSpace, table: LatencyTable, seen: Population, seen_ms: Floats, new: Population
) -> Floats:
    """Predicted ms of new networks from MACs alone, [n]."""
    slope, offset = _line(network_macs(space, table, seen), seen_ms)
    return slope * network_macs(space, table, new) + offset


def boosted_trees(
    space: SearchSpace, table: LatencyTable, seen: Population, seen_ms: Floats, new: Population
) -> Floats:
    """Predicted ms of new networks by gradient boosting over one-hot choices and MACs, [n]."""

    def x(archs: Population) -> Floats:
        return np.column_stack([space.encode(archs), network_macs(space, table, archs)])

    trees = GradientBoostingRegressor(n_estimators=300, learning_rate=0.05, max_depth=3, subsample=0.8, random_state=0)
    predicted: Floats = np.exp(trees.fit(x(seen), np.log(seen_ms)).predict(x(new)))
    return predicted


def raw_median_us(profiler: Profiler, plan: Plan) -> list[float]:
    """Median of `RAW_REPEATS` runs of every model of a plan in turn, nothing else: how tables are usually made."""
    medians = []
    with quiet(profiler.target().threads):
        for model in plan.models:
            with profiler.open(plan.model(model)) as session:
                session.time_us(10)
                medians.append(float(np.median(session.time_us(RAW_REPEATS))))
    return medians


def raw_table(
    space: SearchSpace, profiler: Profiler, ops: Plan, folder: Path, seen: Population, new: Population
) -> tuple[Floats, float]:
    """ms of new networks [n] by a table of raw medians and a line fitted on raw medians; and the seconds it took."""
    started = time.monotonic()
    medians = zip(ops.models, raw_median_us(profiler, ops), strict=True)
    us = {model.op: median for model, median in medians if model.op is not None}
    networks = plan_networks(space, list(seen), folder, ops.reference(), precision=profiler.target().precision)
    seen_ms = np.array(raw_median_us(profiler, networks)) / 1e3
    sum_us = space.additive(us)
    slope, offset = _line(sum_us(seen) / 1e3, seen_ms)
    return slope * sum_us(new) / 1e3 + offset, time.monotonic() - started
