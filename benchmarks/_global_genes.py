"""Exact fronts of a space whose widths tie its stages together, against pricing every one of its networks."""

from __future__ import annotations

from collections.abc import Mapping
from functools import partial
from typing import Any

import numpy as np

from benchmarks._timing import timed
from hwnas.search import exact_front
from hwnas.search.pareto import pareto_front
from hwnas.spaces import every_network, load_space
from latency_tables import Calibration, LatencyModel, LatencyTable, OpCost, Provenance, TableRow, Target

_SPACE = "regnet-32"


def global_genes(seed: int) -> tuple[dict[str, float], Mapping[str, Any]]:
    """The front of a made-up accuracy against the upper ms of a made-up table, as a plain sum and with a knee."""
    space, rng = load_space(_SPACE), np.random.default_rng(seed)
    rows = tuple(TableRow(op, OpCost(float(rng.uniform(0, 0.1)), 1, 1), rng.uniform(5, 500)) for op in space.all_ops)
    target = Target("made up", "none", "0", "fp32", 1, 1)
    table = LatencyTable(rows, Provenance(target, space.name, 1.0, "", {}, "2026-01-01T00:00:00", 0.0), b"")
    accuracy = space.layout.factors([rng.uniform(-0.5, 1, len(slot.options)) for slot in space.slots])
    terms = ("sum_ms", "weight_mb_over_knee_1", "constant")
    bends = {"": None, "_bent": Calibration(terms, (0.9, 2.0, 0.1), 0.03, knees_mb=(0.3,))}
    every = every_network(space, at_most=200_000)
    assert every is not None
    figures = {"global_genes_agrees": 1.0, "global_genes_networks": float(len(every))}
    for name, calibration in bends.items():
        ms = LatencyModel(table, space, calibration).upper_ms
        front, spent = timed(partial(exact_front, space, accuracy, ms))
        best = pareto_front(accuracy(every), ms(every))
        same = len(front) == len(best) and np.allclose(front.value, accuracy(every)[best], rtol=0, atol=1e-9)
        figures["global_genes_agrees"] *= float(same and np.allclose(front.cost, ms(every)[best], rtol=0, atol=1e-9))
        figures[f"global_genes{name}_seconds"] = spent
    return figures, {"space": _SPACE}
