"""Whether int8 pays: whole networks in fp32 and in two forms of int8, visited in turns beside one fp32 reference."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np

from benchmarks._speak import say
from hwnas.lowering.op_models import network_to_time, reference_network
from hwnas.lowering.precision import FORMS, in_precision
from hwnas.spaces import load_space
from latency_tables import Measurement, summarise
from profilers import Int8Form, Protocol
from profilers.device.machine import quiet
from profilers.protocol import visit
from profilers.runtimes import make_profiler

# onnxruntime would run products of which only the inputs are integers as floats.
_FORMS: Mapping[str, Sequence[Int8Form]] = {
    "onnxruntime": ("between-ops",),
    "openvino": ("between-ops", "product-inputs"),
}
_ROUNDS, _PROTOCOL = 4, Protocol()


def int8_speed(networks: int, seed: int) -> tuple[dict[str, float], Mapping[str, Any]]:
    """Per runtime: median of int8 / fp32 in either form, and the share of networks that the better form speeds up."""
    figures: dict[str, float] = {}
    details: dict[str, Any] = {}
    models = _models(networks, seed)
    for runtime, forms in _FORMS.items():
        asked = ("fp32", *forms)
        details[runtime] = {text: _ratios(runtime, {f: made[f] for f in asked}) for text, made in models.items()}
        best = []
        for form in forms:
            relative = np.array([ratios[form] / ratios["fp32"] for ratios in details[runtime].values()])
            figures[f"int8_time_share.{runtime}.{form}"] = float(np.median(relative))
            best.append(relative)
        figures[f"int8_faster_pct.{runtime}"] = 100 * float((np.min(best, axis=0) < 1).mean())
        shares = ", ".join(f"{form} {figures[f'int8_time_share.{runtime}.{form}']:.2f}" for form in forms)
        say(f"{runtime}: int8 takes {shares} of fp32; {figures[f'int8_faster_pct.{runtime}']:.0f} % are faster")
    return figures, details


def _models(networks: int, seed: int) -> dict[str, dict[str, bytes]]:
    """Architecture -> what it is measured as -> the model as it ships."""
    space = load_space("mbconv-32")
    found = {}
    for arch in space.sample(np.random.default_rng(seed), networks):
        model = network_to_time(space, arch)
        forms: dict[str, bytes] = {form: in_precision(model, "int8", form=form) for form in FORMS}
        found[space.to_text(arch)] = {"fp32": model} | forms
    return found


def _ratios(runtime: str, models: Mapping[str, bytes]) -> dict[str, float]:
    profilers = {name: make_profiler(runtime, 1, 1, "fp32" if name == "fp32" else "int8") for name in models}
    visits: dict[str, list[Measurement]] = {name: [] for name in models}
    with quiet(1), profilers["fp32"].open(reference_network()) as reference:
        sessions = {name: profilers[name].open(model) for name, model in models.items()}
        for round_ in range(_ROUNDS):
            for name, session in sessions.items():
                visits[name].append(visit(session, reference, _PROTOCOL, name, round_))
        for session in sessions.values():
            session.close()
    return {name: summarise(mine).ratio for name, mine in visits.items()}
