"""From trained networks and tables of several devices to every device's front and one network for all of them."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass
from functools import cached_property
from pathlib import Path
from typing import Any

import numpy as np

from hwnas.accuracy import TabularBenchmark
from hwnas.accuracy.pairs import Pairs, PredictorFit, cross_validated
from hwnas.accuracy.predictors import AdditivePredictor
from hwnas.search import Budget, DeviceFront, Fleet
from hwnas.spaces import Genotype, SearchSpace
from hwnas.tables.calibrated import load_model, require_ops
from latency_tables import HwnasError, load_table
from latency_tables.arrays import Floats
from latency_tables.storage.csv_export import csv_text
from latency_tables.storage.files import write_atomically, write_json
from latency_tables.storage.signed import read_signed

LEAST_NETWORKS = 10


@dataclass(frozen=True)
class FittedAccuracy:
    """An additive model of accuracy fitted on all `pairs`, and how such models ranked pairs they had not seen."""

    predictor: AdditivePredictor
    pairs: Pairs
    fit: PredictorFit


@dataclass(frozen=True)
class BudgetUse:
    """What a network takes of one budget."""

    name: str
    limit: float
    cost: float
    left_pct: float  # of the limit


@dataclass(frozen=True)
class Chosen:
    """The one network for all devices: predicted accuracy, what no network within the budgets exceeds, and its costs.

    `ms` and `upper_ms` are by device. `changed` is how many genes differ from the start, None without one. `limited_by`
    is the budget of which the least is left.
    """

    arch: str
    accuracy: float
    bound: float
    proven: bool
    ms: Mapping[str, float]
    upper_ms: Mapping[str, float]
    budgets: tuple[BudgetUse, ...]
    changed: int | None
    limited_by: str


def read_pairs(path: Path, space: SearchSpace) -> Pairs:
    """Networks and accuracies: a CSV file with the columns arch and accuracy, or a run folder.

    Of a run those are the scores that its predictor learned from: mean probabilities of the true class.

    Raises `HwnasError` in one line for what cannot be read, for fewer than `LEAST_NETWORKS` networks, and where all
    accuracies are equal.
    """
    if path.is_dir():
        pairs = _pairs_of_run(path, space)
    else:
        trained = TabularBenchmark.from_file(path, space, arch="arch", validation="accuracy")
        pairs = Pairs(trained.population, trained.estimate(trained.population).mean)
    if len(pairs.accuracy) < LEAST_NETWORKS:
        raise HwnasError(f"{path} has {len(pairs.accuracy)} networks; a model of accuracy needs {LEAST_NETWORKS}")
    if np.ptp(pairs.accuracy) == 0:
        raise HwnasError(f"every accuracy in {path} is {pairs.accuracy[0]:g}: there is nothing to learn")
    return pairs


def _pairs_of_run(path: Path, space: SearchSpace) -> Pairs:
    record = path / "stages" / "predict.json"
    try:
        result = read_signed(record)["result"]
        texts, accuracy = result["archs"], np.array(result["true_class_probability"], dtype=np.float64)
    except OSError:
        raise HwnasError(f"{path} is no run with accuracies; run `hwnas train-supernet --out {path}` first") from None
    except (ValueError, TypeError, KeyError):
        raise HwnasError(f"{record} is damaged; run `hwnas train-supernet --out {path}` again") from None
    return Pairs(np.array([space.from_text(text) for text in texts]), accuracy)


def fit_accuracy(space: SearchSpace, pairs: Pairs) -> FittedAccuracy:
    """Fit five times to see how well that ranks the fifth held out, then on all."""
    fit = cross_validated(AdditivePredictor(space), pairs)
    return FittedAccuracy(AdditivePredictor(space).fit(pairs.population, pairs.accuracy), pairs, fit)


def load_fleet(space: SearchSpace, folders: Mapping[str, Path]) -> Fleet:
    """Tables by the name of their device, calibrated where their networks lie beside them.

    Raises `TableError` for a table that lacks an op of the space.
    """
    devices = {}
    for name, folder in folders.items():
        table = load_table(folder)
        require_ops(table, folder, space.name, space.all_ops)
        devices[name], _ = load_model(folder, table, space)
    return Fleet(space, devices)


def choose(
    fleet: Fleet,
    accuracy: FittedAccuracy,
    budgets: Sequence[Budget],
    start: Genotype | None = None,
    time_limit_s: float | None = None,
) -> Chosen:
    """The most accurate network within all budgets; `start` [genes] is what it is compared with."""
    predictor = accuracy.predictor
    answer = fleet.one_network(predictor.factors, budgets, time_limit_s)
    arch = answer.arch[None]
    ms, upper_ms = (dict(zip(fleet.devices, row[0].tolist(), strict=True)) for row in fleet.ms(arch))
    costs = [float(budget.cost(arch)[0]) for budget in budgets]
    used = tuple(BudgetUse(b.name, b.limit, c, 100 * (1 - c / b.limit)) for b, c in zip(budgets, costs, strict=True))
    bound = predictor.require_fitted().inverse(np.array([max(answer.bound, answer.value)]))
    return Chosen(
        fleet.space.to_text(answer.arch),
        float(predictor.estimate(arch).mean[0]),
        float(bound[0]),
        answer.proven(),
        ms,
        upper_ms,
        used,
        None if start is None else int((answer.arch != start).sum()),
        min(used, key=lambda use: use.left_pct).name,
    )


@dataclass(frozen=True)
class FleetAnswer:
    """Every device's front, by name, and the network chosen for all of them; None where there was no budget."""

    fleet: Fleet
    accuracy: FittedAccuracy
    fronts: Mapping[str, DeviceFront]
    chosen: Chosen | None

    @cached_property
    def front_accuracy(self) -> dict[str, Floats]:
        """Predicted accuracies of every front's networks, [n] each."""
        return {name: self.accuracy.predictor.estimate(front.population).mean for name, front in self.fronts.items()}

    def record(self) -> dict[str, Any]:
        """What was found, as one JSON object."""
        tau = self.accuracy.fit.tau
        return {
            "space": self.fleet.space.name,
            "networks": len(self.accuracy.pairs.accuracy),
            "heldout_tau": None if np.isnan(tau) else tau,  # JSON has no NaN
            "devices": {name: self._device(i, name) for i, name in enumerate(self.fronts)},
            "chosen": None if self.chosen is None else asdict(self.chosen),
        }

    def _device(self, i: int, name: str) -> dict[str, Any]:
        front, accuracy = self.fronts[name], self.front_accuracy[name]
        ends = {
            end: {
                "arch": self.fleet.space.to_text(front.population[at]),
                "upper_ms": float(front.upper_ms[at, i]),
                "accuracy": float(accuracy[at]),
            }
            for end, at in (("fastest", 0), ("best", -1))
        }
        calibrated = self.fleet.devices[name].calibration is not None
        kind = {"calibrated": calibrated, "front": len(front), "whole": front.whole, "proven": front.proven}
        return {**kind, **ends}

    def fronts_csv(self) -> str:
        """A row for each network of each front: its accuracy, and its ms on every device."""
        ms_columns = (f"{kind}_{device}" for device in self.fleet.devices for kind in ("ms", "upper_ms"))
        rows: list[list[Any]] = [["front", "arch", "accuracy", *ms_columns]]
        for name, front in self.fronts.items():
            ms = np.stack([front.ms, front.upper_ms], axis=2).reshape(len(front), -1)
            archs = map(self.fleet.space.to_text, front.population)
            for arch, accuracy, row in zip(archs, self.front_accuracy[name].tolist(), ms.tolist(), strict=True):
                rows.append([name, arch, accuracy, *row])
        return csv_text(rows)


def write_fleet(answer: FleetAnswer, out: Path) -> None:
    """`fleet.json`, `fronts.csv` and `fleet.png` into the folder `out`."""
    from hwnas.report.fleet import Panel, fleet_plot

    write_json(out / "fleet.json", answer.record())
    write_atomically(out / "fronts.csv", answer.fronts_csv().encode())
    chosen = answer.chosen
    limits = {} if chosen is None else {spent.name: spent.limit for spent in chosen.budgets}
    panels = []
    for i, (name, front) in enumerate(answer.fronts.items()):
        star = None if chosen is None else (chosen.upper_ms[name], chosen.accuracy)
        budget_ms = limits.get(f"ms on {name}")
        panels.append(Panel(name, front.upper_ms[:, i], answer.front_accuracy[name], front.whole, star, budget_ms))
    fleet_plot(panels).savefig(out / "fleet.png", dpi=150)
