"""How the time of estimation and of exact fronts grows with the slots and the choices of a space."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import matplotlib
import numpy as np
from torch import nn

from benchmarks._speak import say
from benchmarks._timing import seconds, timed
from hwnas.search import exact_front
from hwnas.spaces import SearchSpace, Slot
from latency_tables import Op

_SLOTS: Sequence[int] = (20, 50, 100, 200)
_CHOICES: Sequence[int] = (10, 20, 50, 100)
_NETWORKS = 100_000


class Row(SearchSpace):
    """`slots` slots of `choices` choices each: nothing but size."""

    name, input_shape, num_classes = "row", (1, 1, 1), 1

    def __init__(self, slots: int, choices: int):
        self._shape = slots, choices

    @property
    def cardinalities(self) -> tuple[int, ...]:
        """A gene a slot."""
        return (self._shape[1],) * self._shape[0]

    @property
    def slots(self) -> tuple[Slot, ...]:
        """Ops that stand for nothing."""
        choices = tuple((Op.of("choice", (1, 1, 1), value=c),) for c in range(self._shape[1]))
        return tuple(Slot((gene,), choices) for gene in range(self._shape[0]))

    def build_op(self, op: Op) -> nn.Module:
        """Nothing but its place."""
        return nn.Identity()


def _point(slots: int, choices: int) -> dict[str, float]:
    """One size: nanoseconds a network, seconds of an exact front, the front's length."""
    space, rng = Row(slots, choices), np.random.default_rng(0)
    cost = list(0.1 + 0.9 * rng.random((slots, choices)))
    value = list(cost + 0.3 * rng.standard_normal((slots, choices)))  # what costs more is mostly worth more
    ms, accuracy = space.layout.factors(cost), space.layout.factors(value)
    archs = np.asfortranarray(space.sample(rng, _NETWORKS).astype(np.uint8))
    ms(archs[:10])  # tables are packed at the first call
    times = [seconds(lambda: ms(archs)) for _ in range(5)]
    front, front_seconds = timed(lambda: exact_front(space, accuracy, ms))
    found = {"slots": slots, "choices": choices, "estimation_ns": 1e9 * float(np.median(times)) / _NETWORKS}
    found |= {"front_seconds": front_seconds, "front_networks": len(front)}
    say(", ".join(f"{k} {v:.4g}" for k, v in found.items()))
    return found


def growth(quick: bool) -> tuple[dict[str, float], Mapping[str, Any]]:
    """Sizes along both axes from 20 slots of 10 choices, and the exponents of their growth."""
    ends = slice(0, 2) if quick else slice(None)
    by_slots = [_point(slots, _CHOICES[0]) for slots in _SLOTS[ends]]
    by_choices = [_point(_SLOTS[0], choices) for choices in _CHOICES[ends]]
    figures = {
        f"{what}_exponent_{axis}": _exponent(points, axis, key)
        for axis, points in (("slots", by_slots), ("choices", by_choices))
        for what, key in (("estimation", "estimation_ns"), ("front", "front_seconds"))
    }
    return figures, {"slots": by_slots, "choices": by_choices}


def _exponent(points: Sequence[Mapping[str, float]], axis: str, key: str) -> float:
    """Of the power law through all points."""
    size, spent = (np.log(np.array([point[name] for point in points])) for name in (axis, key))
    return float(np.polyfit(size, spent, 1)[0])


def plot_growth(points: Mapping[str, Sequence[Mapping[str, float]]], path: Path) -> None:
    """Both axes, estimation and fronts, on logarithmic scales."""
    matplotlib.use("Agg")
    from matplotlib import pyplot

    figure, axes = pyplot.subplots(1, 2, figsize=(9, 3.6))
    panels = (("estimation_ns", "estimation, ns a network"), ("front_seconds", "exact front, s"))
    for ax, (key, label) in zip(axes, panels, strict=True):
        for axis, found in points.items():
            times = [p[key] for p in found]
            fixed = "10 choices each" if axis == "slots" else "20 slots"
            ax.loglog([p[axis] for p in found], times, "o-", label=f"against {axis} ({fixed})")
        ax.set_xlabel("slots, or choices")
        ax.set_ylabel(label)
        ax.grid(True, which="both", alpha=0.25)
        ax.legend(frameon=False, fontsize=8)
    figure.tight_layout()
    figure.savefig(path, dpi=150)
    pyplot.close(figure)
