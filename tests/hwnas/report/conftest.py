from typing import Any

import numpy as np
import pytest

from hwnas.report import Attempt, ReportData, Usage


def example(**changes: Any) -> ReportData:
    """A small run that passed; `changes` replace fields."""
    rng = np.random.default_rng(0)
    random_ms = rng.uniform(1, 9, 50)
    front_ms = np.array([5.0, 2.0, 3.0, 4.0])  # not in order: the plot has to sort
    measured_ms = rng.uniform(2, 8, 20)
    epoch = np.arange(1.0, 21.0)
    values: dict[str, Any] = {
        "title": "digits under 4.5 ms",
        "space": "tiny",
        "arch": "k3e3 skip k5e6",
        "device": "a laptop",
        "runtime": "onnxruntime 1.20",
        "verified": True,
        "budget_ms": 4.5,
        "budget_source": "given",
        "predicted_ms": 4.125,
        "predicted_lower_ms": 3.987,
        "predicted_upper_ms": 4.263,
        "measured_ms": 4.217,
        "measured_ci95_ms": (4.201, 4.233),
        "test_accuracy": 0.9137,
        "winner_accuracy": 0.76,
        "random_ms": random_ms,
        "random_accuracy": 0.6 + 0.01 * random_ms,
        "front_ms": front_ms,
        "front_upper_ms": 1.04 * front_ms,
        "front_accuracy": 0.7 + 0.02 * front_ms,
        "front_std": np.full(4, 0.01),
        "calibration_predicted_ms": 1.02 * measured_ms[:8],
        "calibration_measured_ms": measured_ms[:8],
        "heldout_predicted_ms": 0.97 * measured_ms[8:],
        "heldout_measured_ms": measured_ms[8:],
        "interval_pct": 3.3,
        "heldout_mape_pct": 1.7,
        "heldout_within5_pct": 98.2,
        "op_labels": ("stem", "block 1", "block 2", "head"),
        "op_ms": np.array([1.0, 2.0, 0.5, 0.5]),
        "supernet_curve": {"epoch": epoch, "loss": 2 / epoch, "validation_accuracy": 0.7 - 0.5 / epoch},
        "winner_curve": {
            "epoch": epoch,
            "loss": 1 / epoch,
            "validation_accuracy": 0.9 - 0.5 / epoch,
            "train_accuracy": 0.95 - 0.5 / epoch,
        },
        "predictor_true": np.array([0.6, 0.65, 0.7]),
        "predictor_predicted": np.array([0.61, 0.64, 0.71]),
        "predictor_tau": 0.87,
        "attempts": (
            Attempt("k7e6 k7e6", 4.4, 4.499, 4.611, False),
            Attempt("k3e3 skip k5e6", 4.125, 4.263, 4.217, True),
        ),
        "usage": Usage("candidates/ab12/model.onnx", "raw images", "logits", 'print("photo.jpg" if 1 < 2 else "")\n'),
        "costs": (("parameters", "123,456"),),
        "provenance": (("seed", "7"),),
        "seconds": {"train supernet": 1000.0, "search": 8.0, "verify": 200.0},
    }
    return ReportData(**values | changes)


NAN = float("nan")
NOTHING = np.empty(0)
NOTHING_MEASURED: dict[str, Any] = {
    "measured_ms": NAN,
    "measured_ci95_ms": (NAN, NAN),
    "predicted_ms": NAN,
    "predicted_lower_ms": NAN,
    "predicted_upper_ms": NAN,
    "winner_accuracy": NAN,
    "test_accuracy": NAN,
    "budget_ms": NAN,
    "interval_pct": NAN,
    "heldout_mape_pct": NAN,
    "heldout_within5_pct": NAN,
    "predictor_tau": NAN,
}
NO_ARRAYS: dict[str, Any] = {
    **dict.fromkeys(("random_ms", "random_accuracy"), NOTHING),
    **dict.fromkeys(("front_ms", "front_upper_ms", "front_accuracy", "front_std"), NOTHING),
    **dict.fromkeys(("calibration_predicted_ms", "calibration_measured_ms"), NOTHING),
    **dict.fromkeys(("heldout_predicted_ms", "heldout_measured_ms"), NOTHING),
    **dict.fromkeys(("predictor_true", "predictor_predicted", "op_ms"), NOTHING),
    **{"op_labels": (), "supernet_curve": {}, "winner_curve": {}, "seconds": {}},
    **{"attempts": (), "costs": (), "provenance": ()},
}
ALL_NAN: dict[str, Any] = {
    **{name: np.full(3, NAN) for name, value in NO_ARRAYS.items() if isinstance(value, np.ndarray)},
    **{"op_labels": ("a", "b", "c"), "seconds": {"a": NAN}},
}


@pytest.fixture(scope="session")
def make() -> Any:
    return example


@pytest.fixture
def nothing() -> ReportData:
    return example(**NOTHING_MEASURED | NO_ARRAYS)


@pytest.fixture(
    params=[
        "nothing",
        "numbers only",
        "arrays only",
        "all NaN",
        "NaN arrays",
        "one point",
        "all equal",
        "zeros",
        "many ops",
    ]
)
def awkward(request: pytest.FixtureRequest) -> ReportData:
    """Runs that went wrong, or hardly happened."""
    one = {n: v[:1] for n, v in vars(example()).items() if isinstance(v, np.ndarray)}
    equal = {n: np.full_like(v, 0.5) for n, v in vars(example()).items() if isinstance(v, np.ndarray)}
    zeros = {n: np.zeros_like(v) for n, v in vars(example()).items() if isinstance(v, np.ndarray)}
    point = {"epoch": np.ones(1), "loss": np.ones(1), "validation_accuracy": np.ones(1)}
    changes: dict[str, dict[str, Any]] = {
        "nothing": NOTHING_MEASURED | NO_ARRAYS,
        "numbers only": NO_ARRAYS,
        "arrays only": NOTHING_MEASURED,
        "all NaN": NOTHING_MEASURED | ALL_NAN,
        "NaN arrays": ALL_NAN,
        "one point": one | {"op_labels": ("op",), "supernet_curve": point, "winner_curve": point},
        "all equal": equal,
        "zeros": zeros | {"measured_ms": 0.0, "predicted_ms": 0.0, "seconds": {"a": 0.0}},
        "many ops": {"op_labels": tuple(f"op {i}" for i in range(90)), "op_ms": np.ones(90)},
    }
    return example(**changes[request.param])
