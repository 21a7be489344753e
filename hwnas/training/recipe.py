"""How to train: epochs, optimiser, schedule, precision; as a dataclass, and as a TOML file of one's own. No torch."""

from __future__ import annotations

import math
import tomllib
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass, fields, replace
from importlib import resources
from pathlib import Path

from hwnas.training.augmentation import SHIFTED_AND_MIRRORED, Augmentation
from latency_tables import HwnasError
from latency_tables.storage.serialise import from_plain

PATHS = ("sandwich", "uniform", "fair", "balanced", "importance")
PRECISIONS = ("fp32", "bf16", "fp16")
_SHIPPED = resources.files("hwnas.training") / "recipes"


@dataclass(frozen=True)
class Recipe:
    """How to train a supernet or a network; a field that is 0 or false is switched off.

    `batch` images per step, over all processes, taken in `accumulate` parts one after another where memory is short.
    `optimizer` is adamw or sgd (with Nesterov `momentum`); weight decay leaves out biases and batch norm unless
    `decay_all`. `schedule` is cosine, linear or constant, after a linear rise over the share `warmup` of all steps.
    `precision` is fp32, bf16 or fp16 (autocast). `ema` is the decay per step of averaged weights, which then are the
    result. `clip_norm` bounds the norm of the gradient. `distillation` is the weight of a teacher's answers against
    the labels', where there is a teacher; `own_teacher` makes the largest network of each step of a supernet one
    (Yu & Huang 2019, "Universally Slimmable Networks", in-place distillation). `paths` says which networks a step of a
    supernet trains, see `hwnas.training.paths`. Raises `HwnasError` for what cannot be.
    """

    epochs: int
    batch: int = 64
    optimizer: str = "adamw"
    learning_rate: float = 3e-3
    momentum: float = 0.9
    weight_decay: float = 0.02
    decay_all: bool = True
    label_smoothing: float = 0.1
    schedule: str = "cosine"
    warmup: float = 0.1
    precision: str = "fp32"
    compile: bool = False
    accumulate: int = 1
    ema: float = 0.0
    clip_norm: float = 0.0
    distillation: float = 0.5
    own_teacher: bool = False
    paths: str = "sandwich"
    augmentation: Augmentation = SHIFTED_AND_MIRRORED

    def __post_init__(self) -> None:
        for name, allowed in (
            ("optimizer", ("adamw", "sgd")),
            ("schedule", tuple(_SCHEDULES)),
            ("precision", PRECISIONS),
            ("paths", PATHS),
        ):
            if getattr(self, name) not in allowed:
                raise HwnasError(f"a recipe's {name} is {getattr(self, name)!r}; there are {', '.join(allowed)}")
        for name, low, high in _BOUNDS:
            if not low <= getattr(self, name) <= high:
                raise HwnasError(f"a recipe's {name} is {getattr(self, name):g}; it must be {low:g} to {high:g}")

    def learning_rate_at(self, progress: float) -> float:
        """The learning rate when the share `progress` of all steps is done."""
        if progress < self.warmup:
            return self.learning_rate * (progress + 1e-3) / self.warmup
        return self.learning_rate * _SCHEDULES[self.schedule]((progress - self.warmup) / max(1e-9, 1 - self.warmup))


_SCHEDULES: Mapping[str, Callable[[float], float]] = {
    "cosine": lambda done: 0.5 * (1 + math.cos(math.pi * done)),
    "linear": lambda done: 1 - done,
    "constant": lambda done: 1.0,
}
_BOUNDS = (
    ("epochs", 1, 100_000),
    ("batch", 1, 1_000_000),
    ("learning_rate", 0, 100),
    ("momentum", 0, 0.9999),
    ("weight_decay", 0, 10),
    ("label_smoothing", 0, 0.9),
    ("warmup", 0, 0.9),
    ("accumulate", 1, 10_000),
    ("ema", 0, 0.999999),
    ("clip_norm", 0, 1e6),
    ("distillation", 0, 1),
)


@dataclass(frozen=True)
class Recipes:
    """How a run trains: its supernet, and each network that may ship."""

    supernet: Recipe
    network: Recipe

    def with_epochs(self, supernet: int | None, network: int | None) -> Recipes:
        """With other numbers of epochs; None leaves the recipe's."""
        return Recipes(
            replace(self.supernet, epochs=supernet or self.supernet.epochs),
            replace(self.network, epochs=network or self.network.epochs),
        )


def shipped_recipes() -> list[str]:
    """The names of the recipes that come with hwnas."""
    return sorted(file.name.removesuffix(".toml") for file in _SHIPPED.iterdir() if file.name.endswith(".toml"))


def load_recipes(name: str) -> Recipes:
    """The recipes of a shipped name or of a TOML file with the tables [supernet] and [network].

    Raises `HwnasError` in one line for a file that cannot be read, an unknown key, or a value out of range.
    """
    if name in shipped_recipes():
        content = (_SHIPPED / f"{name}.toml").read_bytes()
    elif name.endswith(".toml"):
        try:
            content = Path(name).expanduser().read_bytes()
        except OSError as e:
            raise HwnasError(f"cannot read the recipe {name}: {e.strerror}") from None
    else:
        raise HwnasError(f"no recipe {name!r}; there are {', '.join(shipped_recipes())}, or give a .toml file")
    try:
        tables = tomllib.loads(content.decode())
        _require_known(tables, ("supernet", "network"), "it")
        for table in tables:
            _require_known(tables[table], [field.name for field in fields(Recipe)], f"[{table}]")
        return from_plain(Recipes, tables)
    except (ValueError, HwnasError) as e:
        raise HwnasError(f"the recipe {name}: {e}") from None


def _require_known(table: object, known: Iterable[str], where: str) -> None:
    if not isinstance(table, dict):
        raise ValueError(f"{where} must be a table of settings")
    if unknown := [key for key in table if key not in known]:
        raise ValueError(f"{where} has an unknown key {unknown[0]!r}; there are {', '.join(known)}")
