"""The second source of a latency table: the layers of whole networks, by the runtime's own profile.

Ops that are built alone may have other kernels, other layouts and warmer caches than inside a network; the layers of
whole networks have not. What a layer costs is divided among the ops whose nodes it runs, relative to the reference
network; a row is the median over the op's places in all networks. What the profile adds, and what runs between layers,
is smooth in the number of ops and their time, so that the calibration finds it.
"""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from datetime import UTC, datetime

import numpy as np

from hwnas.spaces import Population, SearchSpace
from latency_tables import HwnasError, LatencyTable, Measurement, Op, Provenance, Target, quiet_reference_us
from latency_tables.arrays import Floats
from latency_tables.measurement import elapsed_s
from latency_tables.table import OpCost, row_from_visits
from profilers import Plan
from profilers.device.machine import versions_here
from profilers.engines.layers import LayerTime
from profilers.layer_profile import LAYER_RUNS, LayerRound

_PLACE = re.compile(r"_(\d+)(?:_|$)")  # how the name of a node begins: the place of its op in the network
_LEAST_US = 1e-3  # of an op that runs nothing, an identity: no row of a table has 0


def op_times_us(layers: Sequence[LayerTime], ops: int) -> Floats:
    """The time of each op of a chain in one network, [ops]; they add up to that of all its layers.

    A layer fused of several ops is divided evenly. One whose nodes name no op is of the op before it, else of the
    first: a runtime's change of layout, the cast of the image.
    """
    us, before = np.zeros(ops), [0]
    for layer in layers:
        places = sorted({int(found[1]) for node in layer.onnx_nodes if (found := _PLACE.match(node))})
        before = [place for place in places if place < ops] or before
        us[before] += layer.us / len(before)
    return np.maximum(us, _LEAST_US)


def table_from_networks(
    space: SearchSpace,
    archs: Population,
    plan: Plan,
    target: Target,
    rounds: Sequence[LayerRound],
    costs: Mapping[Op, OpCost],
) -> LatencyTable:
    """The table of a chain space from networks [n, genes] of `plan` whose layers were profiled in rounds.

    An op in none of the networks has a row with an error. Raises `HwnasError` for a space that is no chain of ops.
    """
    if not space.is_chain:
        raise HwnasError(f"networks of {space.name} are no chains of ops, so layers cannot be told apart; measure ops")
    places: dict[Op, list[Measurement]] = {op: [] for op in costs}
    for number, (arch, model) in enumerate(zip(archs, plan.models, strict=True)):
        ops = space.ops(arch)
        for visit in (profiled.visits[model.key] for profiled in rounds):
            for op, us in zip(ops, op_times_us(visit.layers, len(ops)).tolist(), strict=True):
                # each network counts as a round: its visits are more like each other than like those of other networks
                places[op].append(Measurement(op.key, number, visit.started_unix_s, ((us,),), visit.reference_us))
    every = sorted((m for mine in places.values() for m in mine), key=lambda m: m.started_unix_s)
    reference_us = quiet_reference_us(every)
    rows = tuple(row_from_visits(op, cost, places[op], reference_us, "networks") for op, cost in costs.items())
    provenance = Provenance(
        target=target,
        space=space.name,
        reference_us=reference_us,
        reference_sha256=plan.reference_sha256,
        protocol={"profiled_networks": len(archs), "layer_rounds": len(rounds), "layer_runs": LAYER_RUNS},
        measured_at=datetime.fromtimestamp(every[0].started_unix_s, UTC).isoformat(timespec="seconds"),
        seconds=elapsed_s(every),
        versions=versions_here(),
    )
    return LatencyTable(rows, provenance, plan.reference())
