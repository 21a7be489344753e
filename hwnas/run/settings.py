"""What a run was asked to do; stored in the run folder, so that `--resume` needs nothing else."""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import asdict, dataclass, fields
from typing import Any

from hwnas.search import STRATEGIES
from hwnas.tables.workbench import MOST_CALIBRATION_NETWORKS
from latency_tables import HwnasError


@dataclass(frozen=True)
class Settings:
    """Everything that decides a run's result, and who works on it.

    A changed effort or budget redoes only the stages that it concerns; other `workers` change nothing.
    """

    space: str = "mbconv-32"
    data: str = "digits"
    test_data: str | None = None
    limit: int | None = None
    mirror: bool | None = None
    runtime: str = "onnxruntime"
    threads: int = 1
    precision: str = "fp32"
    table: str | None = None
    budget_ms: float | None = None
    arch: str | None = None
    seed: int = 0
    calibration_networks: int = MOST_CALIBRATION_NETWORKS
    heldout_networks: int = 20
    supernet_epochs: int = 10
    pairs: int = 80
    strategy: str = "nsga2"
    evaluations: int = 5000
    queries: int = 40
    search_minutes: float | None = None
    finalists: int = 9
    train_epochs: int = 6
    workers: str = "here"

    def __post_init__(self) -> None:
        """Refuse what cannot be meant, naming the option."""
        least = {
            "threads": 1,
            "calibration_networks": 10,
            "heldout_networks": 1,
            "supernet_epochs": 1,
            "pairs": 10,
            "evaluations": 100,
            "queries": 1,
            "finalists": 1,
            "train_epochs": 1,
            "seed": 0,
        }
        for name, minimum in least.items():
            if getattr(self, name) < minimum:
                option = "--" + name.replace("_", "-")
                raise HwnasError(f"{option} must be at least {minimum}, got {getattr(self, name)}")
        if self.strategy not in STRATEGIES:
            raise HwnasError(f"unknown --strategy {self.strategy!r}; there are {', '.join(STRATEGIES)}")
        for name in ("budget_ms", "search_minutes"):
            value = getattr(self, name)
            if value is not None and not value > 0:
                raise HwnasError(f"--{name.replace('_', '-')} must be more than 0, got {value:g}")

    @property
    def identity(self) -> dict[str, Any]:
        """What makes a run this run: another value means another run folder."""
        names = ("space", "data", "test_data", "limit", "mirror", "runtime", "threads", "precision")
        return {name: getattr(self, name) for name in names}

    @property
    def decisive(self) -> dict[str, Any]:
        """All that the result depends on."""
        return {name: value for name, value in asdict(self).items() if name != "workers"}

    def to_json(self) -> str:
        """Text for the run folder."""
        return json.dumps(asdict(self), indent=2) + "\n"

    @classmethod
    def from_json(cls, text: str | bytes) -> Settings:
        """Inverse of `to_json`; raises ValueError when it is not a settings file."""
        values = json.loads(text)
        if not isinstance(values, Mapping) or not set(values) <= {f.name for f in fields(cls)}:
            raise ValueError("not a settings file")
        return cls(**values)
