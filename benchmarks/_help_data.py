"""Latencies of real devices (HELP, Lee et al. 2021, MIT licence), with the features that additive tables count.

Three spaces: all NAS-Bench-201 cells, 5,000 FBNet networks, 5,000 once-for-all MobileNetV3 networks. The files are
not part of this project: they lie in a folder beside the repository.
"""

from __future__ import annotations

import csv
import gzip
import sys
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from benchmarks._speak import DATA_FOLDER, say
from hwnas.spaces.nb201 import cell as nb201

Floats = NDArray[np.float64]
Ints = NDArray[np.int64]

SPACES = ("nb201", "fbnet", "ofa")

# HELP's own devices to learn from (nb201), and the six it is tested on.
_HELP_POOL = (
    *("1080ti_1", "1080ti_32", "1080ti_256", "silver_4114", "silver_4210r"),
    *("samsung_a50", "pixel3", "essential_ph_1", "samsung_s7"),
)
_HELP_TEST = ("titan_rtx_256", "gold_6226", "pixel2", "raspi4", "eyeriss", "fpga")
_DEVELOPMENT = {
    "nb201": (
        *("2080ti_256", "titanx_256", "titanxp_32", "1080ti_256", "gold_6240", "silver_4114", "silver_4210r"),
        *("essential_ph_1", "samsung_a50", "samsung_s7", "pixel3"),
    ),
    "fbnet": (
        *("pixel3", "pixel2", "samsung_a50", "gold_6226", "gold_6240", "silver_4210r", "1080ti_64", "titan_rtx_1"),
    ),
    "ofa": tuple(f"{gpu}_{batch}" for gpu in ("2080ti", "titan_xp", "v100") for batch in (1, 32, 64)),
}
_FBNET_TEST = ("raspi4", "eyeriss", "fpga")
_FBNET_KEPT_OUT = ("raspi4", "pixel3", "eyeriss", "fpga")


@dataclass(frozen=True)
class DeviceData:
    """One space: ways to count its n networks' ops, [n, columns] each, and the milliseconds of every device, [n].

    `costs` [c, columns] are the ops' costs on paper, `groups` label columns that have something in common.
    """

    space: str
    countings: Mapping[str, Floats]
    costs: Floats
    groups: tuple[Ints, ...]
    macs: Floats
    ms: Mapping[str, Floats]

    @property
    def test_devices(self) -> tuple[str, ...]:
        """The devices of the published figures."""
        rtx = tuple(d for d in self.ms if d.startswith("titan_rtx"))
        return {"nb201": _HELP_TEST, "fbnet": _FBNET_TEST, "ofa": rtx}[self.space]

    @property
    def development_devices(self) -> tuple[str, ...]:
        """Devices that hyper-parameters may be chosen on: none of the test devices."""
        return _DEVELOPMENT[self.space]

    def pool(self, device: str) -> tuple[str, ...]:
        """Other devices that may be known when `device` is new: never one of the test devices or of its own kind."""
        if self.space == "nb201":
            return tuple(d for d in _HELP_POOL if _model(d) != _model(device))
        if self.space == "fbnet":
            known = (d for d in self.ms if d not in _FBNET_KEPT_OUT)
            if device in self.test_devices:
                return tuple(known)
            return tuple(d for d in known if _sort(d) != _sort(device))
        return tuple(d for d in self.ms if d not in self.test_devices and _model(d) != _model(device))


def _model(device: str) -> str:
    """A GPU without its batch size; other devices as they are."""
    name, _, batch = device.rpartition("_")
    return name if _sort(device) == "gpu" and batch in {"1", "32", "64", "256"} else device


def _sort(device: str) -> str:
    if device.startswith(("gold", "silver")):
        return "xeon"
    if device in _FBNET_KEPT_OUT:
        return device
    return "gpu" if "ti" in device or device.startswith("v100") else "phone"


def load(space: str, folder: Path = DATA_FOLDER) -> DeviceData:
    """Read one space; ends the program with code 2 and one plain line when its file is absent."""
    path = folder / f"help_{space}_latency.csv.gz"
    try:
        with gzip.open(path, "rt", newline="") as file:
            names, *rows = csv.reader(file)
    except OSError as e:
        say(f"few_shot: {path}: {e.strerror or e}; name the folder of HELP's latencies with --data-folder")
        sys.exit(2)
    read = {"nb201": _nb201, "fbnet": _fbnet, "ofa": _ofa}[space]
    return read(names, rows)


def _latencies(names: Sequence[str], rows: Sequence[Sequence[str]], first: int) -> dict[str, Floats]:
    values = np.array([row[first:] for row in rows], dtype=np.float64)
    return dict(zip(names[first:], values.T, strict=True))


def _nb201(names: Sequence[str], rows: Sequence[Sequence[str]]) -> DeviceData:
    archs = np.array([nb201.from_text(row[1]) for row in rows])
    counted = nb201.op_counts(archs)
    # One op on one of the equal edges: MACs in 1x1 convolutions, reads and writes in feature maps.
    macs = dict(zip(nb201.OPS, (0, 0, 1, 9, 0), strict=True))
    moved = dict(zip(nb201.OPS, (0, 1, 3, 3, 3), strict=True))
    costs = np.array([[cost[op] for op in nb201.OPS] * len(nb201.EDGES) for cost in (macs, moved)], dtype=np.float64)
    countings = {
        "all": counted,
        "used": nb201.op_counts(archs, nb201.used_edges(archs)),
        "live": nb201.live_op_counts(archs),
    }
    op = np.tile(np.arange(len(nb201.OPS)), len(nb201.EDGES))
    return DeviceData("nb201", countings, costs, (op,), counted @ costs[0], _latencies(names, rows, 2))


def _block(cin: int, cout: int, expand: int, kernel: int, stride: int, size: int, groups: int = 1) -> tuple[float, ...]:
    """Costs of one inverted bottleneck at size x size.

    MACs of the 1x1 and of the depthwise convolutions, weights, elements read and written, layers.
    """
    out, wide = -(-size // stride), cin * expand
    pointwise, depthwise = (cin * size**2 + cout * out**2) * wide / groups, wide * kernel**2 * out**2
    weights = (cin + cout) * wide / groups + wide * kernel**2
    return pointwise, depthwise, weights, (cin + 2 * wide) * size**2 + (2 * wide + cout) * out**2, 3


# expansion, kernel, groups of the 1x1 convolutions; the ninth choice skips (Wu et al. 2019, "FBNet", tables 1 and 2).
_FBNET_BLOCKS = ((1, 3, 1), (1, 3, 2), (3, 3, 1), (6, 3, 1), (1, 5, 1), (1, 5, 2), (3, 5, 1), (6, 5, 1))
_FBNET_STAGES = ((16, 1, 1), (24, 4, 2), (32, 4, 2), (64, 4, 2), (112, 4, 1), (184, 4, 2), (352, 1, 1))


def _fbnet(names: Sequence[str], rows: Sequence[Sequence[str]]) -> DeviceData:
    choices = np.array([[int(c) for c in row[1].split()] for row in rows])
    costs: list[tuple[float, ...]] = []
    labels = []
    cin, size, layer = 16, 112, 0
    for width, depth, first_stride in _FBNET_STAGES:
        for position in range(depth):
            stride = first_stride if position == 0 else 1
            for expand, kernel, groups in _FBNET_BLOCKS:
                costs.append(_block(cin, width, expand, kernel, stride, size, groups))
                labels.append((kernel, 10 * expand + groups, layer))
            out = -(-size // stride)
            # Where shapes change, "skip" is a strided 1x1 convolution.
            moves = cin != width or stride > 1
            skip = (cin * width * out**2, 0, cin * width, cin * size**2 + width * out**2, 1)
            costs.append(skip if moves else (0, 0, 0, 0, 0))
            labels.append((0, 0, layer))
            cin, size, layer = width, out, layer + 1
    features = np.eye(len(_FBNET_BLOCKS) + 1)[choices].reshape(len(choices), -1)
    by_cost = np.array(costs, dtype=np.float64).T
    groups_ = tuple(np.array(labels, dtype=np.int64).T)
    return DeviceData(
        "fbnet", {"all": features}, by_cost, groups_, features @ by_cost[:2].sum(axis=0), _latencies(names, rows, 3)
    )


_OFA_STAGES = ((24, 2), (40, 2), (80, 2), (112, 1), (160, 2))
_OFA_DEPTH, _OFA_KERNELS, _OFA_EXPANSIONS = 4, (3, 5, 7), (3, 4, 6)


def _ofa(names: Sequence[str], rows: Sequence[Sequence[str]]) -> DeviceData:
    """Every block choice has two columns: its count, and its count times the image area (224 x 224 is 1)."""
    kernels, expansions, depths = (np.array([[int(v) for v in row[i].split()] for row in rows]) for i in (1, 2, 3))
    area = (np.array([int(row[4]) for row in rows]) / 224.0) ** 2
    columns, labels = [area], [(0, 0, -1)]
    costs: list[tuple[float, ...]] = [(_ofa_fixed_macs(), 0, 0, 3 * 224**2 + 64 * 112**2 + 2080 * 7**2, 0)]
    cin, size = 16, 112
    for stage, (width, first_stride) in enumerate(_OFA_STAGES):
        for position in range(_OFA_DEPTH):
            slot, stride = stage * _OFA_DEPTH + position, first_stride if position == 0 else 1
            for kernel in _OFA_KERNELS:
                for expand in _OFA_EXPANSIONS:
                    chosen = (kernels[:, slot] == kernel) & (expansions[:, slot] == expand)
                    used = (chosen & (depths[:, stage] > position)).astype(np.float64)
                    pointwise, depthwise, weights, moved, layers = _block(cin, width, expand, kernel, stride, size)
                    columns += [used, used * area]
                    costs += [(0, 0, weights, 0, layers), (pointwise, depthwise, 0, moved, 0)]
                    labels += [(kernel, expand, slot), (10 + kernel, 10 + expand, 100 + slot)]
            cin, size = width, -(-size // stride)
    features, by_cost = np.array(columns).T, np.array(costs).T
    groups = tuple(np.array(labels, dtype=np.int64).T)
    return DeviceData(
        "ofa", {"all": features}, by_cost, groups, features @ by_cost[:2].sum(axis=0), _latencies(names, rows, 5)
    )


def _ofa_fixed_macs() -> float:
    """Stem, first block and the last convolution at 224 x 224: what every network pays in proportion to its area."""
    return float((27 * 16 + 9 * 16 + 16 * 16) * 112**2 + 160 * 960 * 7**2)
