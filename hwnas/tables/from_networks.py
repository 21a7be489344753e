"""The second source of a latency table: whole networks, by how their time divides over their layers.

Ops that are built alone may have other kernels, other layouts and warmer caches than inside a network; the layers of
whole networks have not. An op's time is its share of the layers' time in a profiled run, of the network's own
milliseconds, which are measured without the profile; a row is the median over the op's places in all networks.
"""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from datetime import UTC, datetime

import numpy as np

from hwnas.spaces import Population, SearchSpace
from latency_tables import HwnasError, LatencyTable, Measurement, Op, Provenance, Target, quiet_reference_us, summarise
from latency_tables.arrays import Floats
from latency_tables.measurement import elapsed_s
from latency_tables.table import OpCost, row_from_visits
from profilers import Plan
from profilers.device.machine import versions_here
from profilers.engines.layers import LayerTime
from profilers.layer_profile import LAYER_RUNS, PlanLayers
from profilers.protocol import Protocol, by_key

_PLACE = re.compile(r"_(\d+)(?:_|$)")  # how the name of a node begins: the place of its op in the network
_LEAST_US = 1e-3  # of an op that runs nothing, an identity: no row of a table has 0


def op_shares(layers: Sequence[LayerTime], ops: int) -> Floats:
    """The share of each op of a chain in the time of a network's layers, [ops]; they add up to 1.

    A layer fused of several ops is divided evenly. One whose nodes name no op is of the op before it, else of the
    first: a runtime's change of layout, the cast of the image.
    """
    us, before = np.zeros(ops), [0]
    for layer in layers:
        places = sorted({int(found[1]) for node in layer.onnx_nodes if (found := _PLACE.match(node))})
        before = [place for place in places if place < ops] or before
        us[before] += layer.us / len(before)
    return us / us.sum()


def table_from_networks(
    space: SearchSpace,
    archs: Population,
    plan: Plan,
    target: Target,
    visits: Sequence[Measurement],
    layers: Sequence[PlanLayers],
    costs: Mapping[Op, OpCost],
    protocol: Protocol,
) -> LatencyTable:
    """The table of a chain space from networks [n, genes] of `plan`, visited by `protocol` and profiled in rounds.

    An op in none of the networks has a row with an error. Raises `HwnasError` for a space that is no chain of ops.
    """
    if not space.is_chain:
        raise HwnasError(f"networks of {space.name} are no chains of ops, so layers cannot be told apart; measure ops")
    reference_us, done = quiet_reference_us(visits), by_key(visits)
    started_s = min(v.started_unix_s for v in visits)
    places: dict[Op, list[Measurement]] = {op: [] for op in costs}
    for arch, model in zip(archs, plan.models, strict=True):
        ops = space.ops(arch)
        shares = np.mean([op_shares(profiled.of[model.key], len(ops)) for profiled in layers], axis=0)
        network_us = summarise(done[model.key]).ratio * reference_us
        for op, us in zip(ops, np.maximum(shares * network_us, _LEAST_US).tolist(), strict=True):
            mine = places[op]  # each place counts as a round
            mine.append(Measurement(op.key, len(mine), started_s, ((us,),), (reference_us, reference_us)))
    rows = tuple(row_from_visits(op, cost, places[op], reference_us, "networks") for op, cost in costs.items())
    provenance = Provenance(
        target=target,
        space=space.name,
        reference_us=reference_us,
        reference_sha256=plan.reference_sha256,
        protocol=protocol.to_json()
        | {"profiled_networks": float(len(archs)), "layer_rounds": float(len(layers)), "layer_runs": float(LAYER_RUNS)},
        measured_at=datetime.fromtimestamp(started_s, UTC).isoformat(timespec="seconds"),
        seconds=elapsed_s(visits),
        versions=versions_here(),
    )
    return LatencyTable(rows, provenance, plan.reference())
