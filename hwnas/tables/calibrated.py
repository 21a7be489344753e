"""A table and the whole networks beside it, as a latency model."""

from __future__ import annotations

from pathlib import Path

import numpy as np

from hwnas.spaces import Population, SearchSpace
from latency_tables import LatencyModel, LatencyTable, TableError
from latency_tables.model.calibration import MINIMUM_NETWORKS
from latency_tables.storage.networks import read_networks


def load_model(folder: Path, table: LatencyTable, space: SearchSpace) -> tuple[LatencyModel, Population]:
    """The calibrated model of the table in `folder`, and the networks [n, genes] it was calibrated on.

    Without `networks.csv` the model has no calibration and n is 0. Raises `TableError` when there are too few.
    """
    networks, model = read_networks(folder), LatencyModel(table, space)
    if not networks:
        return model, np.empty((0, len(space.cardinalities)), dtype=np.int64)
    if len(networks) < MINIMUM_NETWORKS:
        raise TableError(f"{folder} has {len(networks)} calibration networks and needs {MINIMUM_NETWORKS}; add some")
    archs = np.array([space.from_text(text) for text, _ in networks])
    return model.calibrated(archs, np.array([ms for _, ms in networks])), archs
