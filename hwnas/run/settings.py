"""What a run was asked to do; stored in the run folder, so that `--resume` needs nothing else."""

from __future__ import annotations

import math
from collections.abc import Mapping
from dataclasses import asdict, dataclass, field, fields, replace
from pathlib import Path
from typing import Any

from hwnas.tables import MOST_CALIBRATION_NETWORKS
from latency_tables import HwnasError
from latency_tables.storage.serialise import from_plain

DIGITS = "digits"
ANY_PRECISION = "any"

_SPACE = ("space", "allow", "fix")
_DATA = ("data", "test_data", "limit", "mirror", "skip_broken")
_DEVICE = ("device", "identity", "known_hosts")
_PROFILING = (
    *_DEVICE,
    "runtime",
    "threads",
    "precision",
    "table",
    "rounds",
    "calibration_networks",
    "heldout_networks",
)
_LEARNING = ("recipe", "teacher", "train_device", "tensorboard")
_ACCURACY = (*_LEARNING, "supernet_epochs", "pairs")
_SEARCH = ("budget_ms", "strategy", "evaluations", "queries", "search_minutes", "finalists")
_TRAINING = ("train_epochs", "max_drop", "workers")
_WHOLE_JOB = (*_SPACE, *_DATA, *_PROFILING, *_ACCURACY, *_SEARCH, *_TRAINING, "seed")
_ONE_NETWORK = (*_WHOLE_JOB, "arch")

STAGE_OPTIONS: Mapping[str, tuple[str, ...]] = {
    "run": _WHOLE_JOB,
    "profile": (*_SPACE, *_DATA, *_PROFILING, "seed"),
    "train-supernet": (*_SPACE, *_DATA, *_ACCURACY, "seed"),
    "search": (*_SPACE, *_DATA, *_PROFILING, *_ACCURACY, *_SEARCH, "seed"),
    "pareto": (*_SPACE, *_DATA, *_PROFILING, *_ACCURACY, *_SEARCH, "seed", "verify"),
    "train": _ONE_NETWORK,
    "export": _ONE_NETWORK,
    "verify": _ONE_NETWORK,
    "report": _WHOLE_JOB,
}
"""The settings that each verb of a run uses."""
ONE_COMMAND = ("arch", "verify")
"""Settings that the next command does not start from: it is about the winner again, or the whole front."""


def _setting(default: Any, meaning: str, least: int | None = None, most: int | None = None) -> Any:
    """A field of `Settings`: what it means, in a line, and the least and the most of a whole number."""
    return field(default=default, metadata={"help": meaning, "range": (least, most)})


@dataclass(frozen=True)
class Settings:
    """Everything that decides a run's result, and who works on it.

    A changed effort or budget redoes only the stages that it concerns; other `workers` and keys change nothing.
    `allow` and `fix` are texts such as "block*=mb3k3,mb3k5" that leave a part of the space to search in.
    """

    space: str = _setting("mbconv-32", "search space, see `hwnas spaces`; or your own: file.py:Class")
    allow: tuple[str, ...] = _setting(
        (), "GENE=VALUE,VALUE: only these values, e.g. 'block*=mb3k3,se6k5'; may repeat; genes: `hwnas spaces NAME`"
    )
    fix: tuple[str, ...] = _setting((), "GENE=VALUE: only this value, e.g. depth1=2; may repeat")
    data: str = _setting(
        DIGITS, "'digits', images in a .parquet file, a pattern or folder of them, or a folder of class folders"
    )
    test_data: str | None = _setting(None, "the test split, when it is a file or folder of its own")
    limit: int | None = _setting(None, "use at most this many images of each file or folder", 1, 2**31 - 1)
    mirror: bool | None = _setting(None, "whether mirrored images keep their label [default: no for digits, else yes]")
    skip_broken: bool | None = _setting(None, "leave out images that cannot be read, and say so [default: no]")
    device: str | None = _setting(
        None, "measure there, with python3, numpy and the runtime: ssh://user@host[:port][/folder] [default: here]"
    )
    identity: str | None = _setting(None, "private key for --device [default: as ssh does]")
    known_hosts: str | None = _setting(None, "host keys to trust with --device [default: ~/.ssh/known_hosts]")
    runtime: str = _setting("onnxruntime", "inference runtime, see `hwnas runtimes`; or your own: file.py:Class")
    threads: int = _setting(1, "threads of the runtime", 1, 1024)
    precision: str = _setting(
        "fp32", "what the device computes in: fp32, fp16, int8; any: each that it can, the best network of all ships"
    )
    table: str | None = _setting(None, "use this latency table, made on this device, instead of profiling")
    rounds: int | None = _setting(
        None,
        "a first look: visit every op and network in so many rounds at most, and wait for no quiet moment "
        "[default: until the interval is narrow]",
        1,
        100,
    )
    budget_ms: float | None = _setting(
        None, "latency budget [default: the median predicted latency of random networks]"
    )
    arch: str | None = _setting(None, "take this architecture instead of the search's winner")
    verify: int | None = _setting(None, "measure so many networks of the front, spread over its latencies", 1, 10_000)
    seed: int = _setting(0, "one seed makes a run repeatable", 0, 2**32 - 1)  # what scikit-learn takes
    calibration_networks: int = _setting(
        MOST_CALIBRATION_NETWORKS,
        "at most so many whole networks calibrate the table; fewer when more would not help",
        10,
        100_000,
    )
    heldout_networks: int = _setting(20, "whole networks that show its error", 1, 100_000)
    recipe: str = _setting("cpu-minutes", "how to train: cpu-minutes, one-gpu, imagenet, or your own file.toml")
    teacher: str | None = _setting(
        None,
        "learn from its answers too: an .onnx file, or a .pt2 file of torch.export.save; same images, same classes",
    )
    train_device: str = _setting("auto", "where torch trains: auto (CUDA where there is one), cpu, cuda, cuda:0")
    tensorboard: bool | None = _setting(
        None, "whether to write TensorBoard events beside the CSV file of each training [default: no]"
    )
    supernet_epochs: int | None = _setting(None, "epochs of supernet training [default: the recipe's]", 1, 100_000)
    pairs: int = _setting(80, "networks, scored by the supernet, that the predictor learns from", 10, 1_000_000)
    strategy: str = _setting(
        "nsga2",
        "nsga2 and bocs search the predictor, and so does nse, after evolving a space such as nse-32; exact, prednas, "
        "weaknas, bananas, gp-ucb, evolution, local, pnas and random ask the supernet itself; so does gcn-fit, once "
        "for all budgets and devices; drnas, balenas, ddpnas and da2s learn a distribution with the supernet, inside "
        "the budget",
    )
    evaluations: int = _setting(5000, "networks that nsga2 or bocs looks at", 100, 10**9)
    queries: int = _setting(40, "networks that any other strategy asks the supernet about", 1, 1_000_000)
    search_minutes: float | None = _setting(
        None, "search for so many minutes at most and continue with the best so far [default: no limit]"
    )
    finalists: int = _setting(9, "networks that are trained; validation picks the winner among them", 1, 10_000)
    train_epochs: int | None = _setting(None, "epochs of training each of them [default: the recipe's]", 1, 100_000)
    max_drop: float = _setting(1.0, "points of validation accuracy that fp16 or int8 may cost at most, 0 to 100")
    workers: str = _setting(
        "here",
        "who trains them: here, local (Ray on this machine), local:4 (so many at a time), auto (the Ray cluster "
        "this machine belongs to), ray://host:10001",
    )

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
        if not 0 <= self.max_drop <= 100:
            raise HwnasError(f"--max-drop must be 0 to 100 points, got {self.max_drop:g}")
        if self.precision == ANY_PRECISION:
            for name in ("table", "arch"):
                if getattr(self, name) is not None:
                    raise HwnasError(f"{_option(name)} goes with one --precision, not with any: fp32, fp16 or int8")
        from hwnas.search.strategies.by_name import STRATEGIES  # late: what only reads settings needs no search

        if self.strategy not in STRATEGIES:
            raise HwnasError(f"unknown --strategy {self.strategy!r}; there are {', '.join(STRATEGIES)}")

    @property
    def defining(self) -> dict[str, Any]:
        """What makes a run this run: another value means another run folder."""
        names = (*_SPACE, *_DATA, "device", "runtime", "threads", "precision")
        return {name: getattr(self, name) for name in names}

    @property
    def decisive(self) -> dict[str, Any]:
        """All that the result depends on."""
        without = ("workers", "verify", "identity", "known_hosts", "train_device", "tensorboard")
        return {name: value for name, value in asdict(self).items() if name not in without}

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
            teacher=of(self.teacher),
            recipe=_absolute(self.recipe) if self.recipe.endswith(".toml") else self.recipe,
            identity=of(self.identity),
            known_hosts=of(self.known_hosts),
        )

    @classmethod
    def from_plain(cls, value: object) -> Settings:
        """Inverse of `asdict`, perhaps through JSON; raises ValueError in one line naming a field of another type."""
        try:
            return from_plain(cls, value)
        except HwnasError as e:
            raise ValueError(str(e)) from None


HELP = {setting.name: setting.metadata["help"] for setting in fields(Settings)}
"""What each setting means, in a line."""

RANGES: Mapping[str, tuple[int, int]] = {
    setting.name: setting.metadata["range"] for setting in fields(Settings) if None not in setting.metadata["range"]
}
"""The least and the most of every whole number."""


def _option(name: str) -> str:
    return "--" + name.replace("_", "-")


def _absolute(path: str) -> str:
    return str(Path(path).expanduser().absolute())


def _absolute_file(name: str) -> str:
    """`file.py:Class` with the file's path made absolute; any other name as it is."""
    file, colon, kind = name.rpartition(":")
    return f"{_absolute(file)}:{kind}" if colon else name
