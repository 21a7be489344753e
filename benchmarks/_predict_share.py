"""Networks a second of `LatencyModel.predict` (ms and interval) against those of the bare look-ups it is made of."""

from __future__ import annotations

from collections.abc import Mapping
from functools import partial
from typing import Any

import numpy as np

from benchmarks._timing import seconds
from hwnas.spaces import load_space
from hwnas.tables.check import load_model
from latency_tables import load_table
from latency_tables.additive import Factors, Hinged
from latency_tables.storage.find import find_tables, shipped_tables

_SPACE = "mbconv-224"


def predict_share(rounds: int, count: int) -> tuple[dict[str, float], Mapping[str, Any]]:
    """In pairs, on the shipped table of a large space and random networks as a search holds them, [n, genes] int64."""
    folder = next(f.folder for f in find_tables([shipped_tables()]) if f.folder.name == _SPACE)
    space = load_space(_SPACE)
    model, _ = load_model(folder, load_table(folder), space)
    upper = model.upper_ms
    assert isinstance(upper, Factors | Hinged)
    bare = upper.additive if isinstance(upper, Hinged) else upper
    archs = space.sample(np.random.default_rng(0), count)
    by_gene = np.asfortranarray(archs.astype(np.uint8))
    figures: dict[str, float] = {}
    populations: dict[str, Any] = {"": archs, "_by_gene": by_gene}
    for name, population in populations.items():
        bare(population[:10])
        model.predict(population[:10])  # tables are packed at the first call
        pairs = [
            (seconds(partial(bare, population)), seconds(partial(model.predict, population))) for _ in range(rounds)
        ]
        looked_up, predicted = np.array(pairs).T
        figures[f"predict_share{name}"] = float(np.median(looked_up / predicted))
        figures[f"predicted_per_second{name}"] = count / float(np.median(predicted))
        figures[f"looked_up_per_second{name}"] = count / float(np.median(looked_up))
    knees = len(upper.hinges) if isinstance(upper, Hinged) else 0
    return figures, {"space": _SPACE, "networks": count, "knees": knees}
