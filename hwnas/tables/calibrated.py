"""A table and the whole networks beside it, as a latency model."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from pathlib import Path

import numpy as np

from hwnas.spaces import Population, SearchSpace
from latency_tables import LatencyModel, LatencyTable, Op, TableError
from latency_tables.model.calibration import MINIMUM_NETWORKS
from latency_tables.storage.networks import NETWORKS_FILE, read_networks

_ABSURD_PCT = 50.0


def require_ops(table: LatencyTable, where: Path, space: str, ops: Iterable[Op]) -> None:
    """Raise `TableError` when the table in `where` lacks the time of an op of the space."""
    coverage = table.coverage(ops)
    if lacking := [*coverage.missing, *coverage.failed]:
        raise TableError(
            f"the latency table {where} is for {table.provenance.space} and has no time for {len(lacking)} of "
            f"{len(lacking) + len(coverage.hit)} ops of {space}, first {lacking[0].key}; profile this space"
        )


def load_model(folder: Path, table: LatencyTable, space: SearchSpace) -> tuple[LatencyModel, Population]:
    """The calibrated model of the table in `folder`, and the networks [n, genes] it was calibrated on.

    Without `networks.csv` the model has no calibration and n is 0. Raises `TableError` when there are too few.
    """
    networks, model = read_networks(folder, table.provenance.networks_sha256), LatencyModel(table, space)
    if not networks:
        return model, np.empty((0, len(space.cardinalities)), dtype=np.int64)
    if len(networks) < MINIMUM_NETWORKS:
        raise TableError(f"{folder} has {len(networks)} calibration networks and needs {MINIMUM_NETWORKS}; add some")
    archs = np.array([space.from_text(text) for text, _ in networks])
    model = model.calibrated(archs, np.array([ms for _, ms in networks]))
    _require_plausible(model, networks, folder)
    return model, archs


def _require_plausible(model: LatencyModel, networks: Sequence[tuple[str, float]], folder: Path) -> None:
    """Raise `TableError` naming the worst network where networks left out are far off: a number must be wrong."""
    assert model.calibration is not None
    off_pct = 100 * np.abs(model.calibration.residuals)
    if off_pct.mean() <= _ABSURD_PCT:
        return
    worst = int(off_pct.argmax())
    raise TableError(
        f"networks left out of the calibration of {folder} are {off_pct.mean():.3g} % off on average, most of all "
        f"{networks[worst][0]} with {networks[worst][1]:g} ms; correct {NETWORKS_FILE} or calibrate again"
    )
