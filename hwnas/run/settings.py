"""What a run was asked to do; stored in the run folder, so that `--resume` needs nothing else."""

from __future__ import annotations

import math
from collections.abc import Mapping
from dataclasses import asdict, dataclass, replace
from pathlib import Path
from typing import Any

from hwnas.tables import MOST_CALIBRATION_NETWORKS
from latency_tables import HwnasError
from latency_tables.storage.serialise import from_plain

DIGITS = "digits"

RANGES: Mapping[str, tuple[int, int]] = {
    "limit": (1, 2**31 - 1),
    "threads": (1, 1024),
    "seed": (0, 2**32 - 1),  # what scikit-learn takes
    "calibration_networks": (10, 100_000),
    "heldout_networks": (1, 100_000),
    "supernet_epochs": (1, 100_000),
    "pairs": (10, 1_000_000),
    "evaluations": (100, 10**9),
    "queries": (1, 1_000_000),
    "finalists": (1, 10_000),
    "train_epochs": (1, 100_000),
}
"""The least and the most of every whole number."""

_SPACE = ("space", "allow", "fix")
_DATA = ("data", "test_data", "limit", "mirror")
_PROFILING = ("runtime", "threads", "precision", "table", "calibration_networks", "heldout_networks")
_ACCURACY = ("supernet_epochs", "pairs")
_SEARCH = ("budget_ms", "strategy", "evaluations", "queries", "search_minutes", "finalists")
_TRAINING = ("train_epochs", "workers")
_WHOLE_JOB = (*_SPACE, *_DATA, *_PROFILING, *_ACCURACY, *_SEARCH, *_TRAINING, "seed")
_ONE_NETWORK = (*_WHOLE_JOB, "arch")

STAGE_OPTIONS: Mapping[str, tuple[str, ...]] = {
    "run": _WHOLE_JOB,
    "profile": (*_SPACE, *_DATA, *_PROFILING, "seed"),
    "train-supernet": (*_SPACE, *_DATA, *_ACCURACY, "seed"),
    "search": (*_SPACE, *_DATA, *_PROFILING, *_ACCURACY, *_SEARCH, "seed"),
    "train": _ONE_NETWORK,
    "export": _ONE_NETWORK,
    "verify": _ONE_NETWORK,
    "report": _WHOLE_JOB,
}
"""The settings that each verb of a run uses; `arch` names the network where a verb is about one."""


@dataclass(frozen=True)
class Settings:
    """Everything that decides a run's result, and who works on it.

    A changed effort or budget redoes only the stages that it concerns; other `workers` change nothing.
    `allow` and `fix` are texts such as "block*=mb3k3,mb3k5" that leave a part of the space to search in.
    """

    space: str = "mbconv-32"
    allow: tuple[str, ...] = ()
    fix: tuple[str, ...] = ()
    data: str = DIGITS
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
        for name, (least, most) in RANGES.items():
            value = getattr(self, name)
            if value is not None and not least <= value <= most:
                bound = f"at least {least}" if value < least else f"at most {most}"
                raise HwnasError(f"{_option(name)} must be {bound}, got {value}")
        for name in ("budget_ms", "search_minutes"):
            value = getattr(self, name)
            if value is not None and not (value > 0 and math.isfinite(value)):
                bound = "finite" if value == math.inf else "more than 0"
                raise HwnasError(f"{_option(name)} must be {bound}, got {value:g}")
        _require_strategy(self.strategy)

    @property
    def identity(self) -> dict[str, Any]:
        """What makes a run this run: another value means another run folder."""
        names = (*_SPACE, *_DATA, "runtime", "threads", "precision")
        return {name: getattr(self, name) for name in names}

    @property
    def decisive(self) -> dict[str, Any]:
        """All that the result depends on."""
        return {name: value for name, value in asdict(self).items() if name != "workers"}

    def absolute(self) -> Settings:
        """With every path made absolute, `~` expanded, so that they mean the same in every folder."""

        def of(path: str | None) -> str | None:
            return None if path is None else _absolute(path)

        return replace(
            self,
            space=_absolute_file(self.space),
            runtime=_absolute_file(self.runtime),
            data=self.data if self.data == DIGITS else _absolute(self.data),
            test_data=of(self.test_data),
            table=of(self.table),
        )

    def to_plain(self) -> dict[str, Any]:
        """A JSON object for the run folder."""
        return {name: list(value) if isinstance(value, tuple) else value for name, value in asdict(self).items()}

    @classmethod
    def from_plain(cls, value: object) -> Settings:
        """Inverse of `to_plain`, every type checked; raises ValueError in one line naming the field."""
        try:
            return from_plain(cls, value)
        except HwnasError as e:
            raise ValueError(str(e)) from None


def _option(name: str) -> str:
    return "--" + name.replace("_", "-")


def _require_strategy(name: str) -> None:
    from hwnas.search.strategies.by_name import STRATEGIES

    if name not in STRATEGIES:
        raise HwnasError(f"unknown --strategy {name!r}; there are {', '.join(STRATEGIES)}")


def _absolute(path: str) -> str:
    return str(Path(path).expanduser().absolute())


def _absolute_file(name: str) -> str:
    """`file.py:Class` with the file's path made absolute; any other name as it is."""
    file, colon, kind = name.rpartition(":")
    return f"{_absolute(file)}:{kind}" if colon else name
