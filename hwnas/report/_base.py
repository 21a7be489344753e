"""What a report is made of: plain numbers and arrays, so that this room needs nothing from the others."""

from collections.abc import Mapping
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

Array = npt.NDArray[np.float64]
Curve = Mapping[str, Array]


@dataclass(frozen=True)
class Attempt:
    """One architecture that was measured on the device, and whether it kept the budget."""

    arch: str
    predicted_ms: float
    predicted_upper_ms: float
    measured_ms: float
    verified: bool


@dataclass(frozen=True)
class Usage:
    """How to use the network that ships: its file, what goes in and comes out, Python that does it."""

    file: str
    takes: str
    gives: str
    snippet: str


@dataclass(frozen=True, eq=False, kw_only=True)
class ReportData:
    """Everything the report shows.

    Latencies are milliseconds, accuracies are fractions (0..1), names that end in `_pct` are percent. Any
    array may be empty and any number NaN: the report then says "no data" or "–" in that place.
    `attempts` are in the order in which they were measured.
    """

    title: str
    space: str
    arch: str
    device: str
    runtime: str
    verified: bool  # the verdict: PASS or FAIL
    budget_ms: float
    budget_source: str  # in words: 'given', or how random networks suggest it
    predicted_ms: float
    predicted_lower_ms: float
    predicted_upper_ms: float
    measured_ms: float
    measured_ci95_ms: tuple[float, float]
    test_accuracy: float
    winner_accuracy: float  # predicted, on the scale of `front_accuracy`: the supernet's true-class probability

    random_ms: Array  # [R]
    random_accuracy: Array  # [R], predicted
    front_ms: Array  # [F]
    front_upper_ms: Array  # [F]
    front_accuracy: Array  # [F], predicted
    front_std: Array  # [F], of the predictor

    calibration_predicted_ms: Array  # [K]
    calibration_measured_ms: Array  # [K]
    heldout_predicted_ms: Array  # [H]
    heldout_measured_ms: Array  # [H]
    interval_pct: float  # half the width of the 90 % interval
    heldout_mape_pct: float
    heldout_within5_pct: float

    op_labels: tuple[str, ...]  # [n_ops], in network order
    op_ms: Array  # [n_ops]

    supernet_curve: Curve  # 'epoch', 'loss', 'validation_accuracy': [E] each
    winner_curve: Curve  # the same, and perhaps 'train_accuracy'
    predictor_true: Array  # [V], the supernet's scores of networks, each predicted when held out
    predictor_predicted: Array  # [V]
    predictor_tau: float  # Kendall's tau of the two

    attempts: tuple[Attempt, ...]
    usage: Usage
    costs: tuple[tuple[str, str], ...]
    provenance: tuple[tuple[str, str], ...]
    seconds: Mapping[str, float]  # per stage, in the order they ran

    def __post_init__(self) -> None:
        """Refuse arrays that belong together and differ in length: they would be drawn against each other."""
        for names in _TOGETHER:
            lengths = [len(getattr(self, name)) for name in names]
            if len(set(lengths)) > 1:
                raise ValueError(f"lengths differ: {', '.join(names)} have {lengths}")
        for name in ("supernet_curve", "winner_curve"):
            curve: Curve = getattr(self, name)
            if len({len(values) for values in curve.values()}) > 1:
                raise ValueError(f"lengths differ in {name}: {[(k, len(v)) for k, v in curve.items()]}")


_TOGETHER = (
    ("random_ms", "random_accuracy"),
    ("front_ms", "front_upper_ms", "front_accuracy", "front_std"),
    ("calibration_predicted_ms", "calibration_measured_ms"),
    ("heldout_predicted_ms", "heldout_measured_ms"),
    ("op_labels", "op_ms"),
    ("predictor_true", "predictor_predicted"),
)
