"""What can be known before anything is measured or trained: refused here, in one line, within seconds."""

from __future__ import annotations

import os
from collections.abc import Iterable
from importlib.util import find_spec
from pathlib import Path

import numpy as np

from hwnas.data import check_source
from hwnas.run.device import carried_to
from hwnas.run.inputs import make_space
from hwnas.run.settings import ANY_PRECISION, STAGE_OPTIONS, Settings
from hwnas.search import STRATEGIES, StrategyEntry
from hwnas.search.evolving.active import Active
from hwnas.search.evolving.effort import Effort
from hwnas.spaces import SearchSpace
from hwnas.tables.calibrated import require_ops
from hwnas.training.recipe import load_recipes
from latency_tables import HwnasError, LatencyTable, Op, TableError, Target, load_table
from latency_tables.errors import installed
from latency_tables.plugins import is_own
from latency_tables.storage.networks import read_networks
from profilers.boards.ssh_login import parse_address
from profilers.runtimes import make_profiler

LEAST_NETWORKS = 15
_PACKAGES = ("torch", "onnx", "safetensors", "pymoo", "PIL", "matplotlib", "jinja2")


def check_run(settings: Settings, path: Path, verb: str) -> None:
    """Raise `HwnasError` for the first thing that would stop a verb of `STAGE_OPTIONS` on its way.

    Quick things come first. Nothing is measured, trained or written, and no image is read; an own space is checked
    against its contract, which builds one network.
    """
    uses = STAGE_OPTIONS[verb]
    _require_writable(path)
    check_source(settings.data, settings.test_data)
    for package in _PACKAGES:
        if find_spec(package) is None:
            raise HwnasError(f"this needs {package}: pip install 'hwnas[search]'")
    target = _target(settings) if "runtime" in uses else None
    if "recipe" in uses:
        _check_learning(settings)
    if "workers" in uses:
        from hwnas.workers import make_workers

        make_workers(settings.workers)
    space = _checked_space(settings, verb)
    if "table" in uses and settings.table is not None:
        _check_table(settings, space, Path(settings.table), target)


def _check_learning(settings: Settings) -> None:
    """Recipe, teacher, and the device that torch trains on."""
    load_recipes(settings.recipe)
    if settings.teacher is not None:
        from hwnas.training.distillation import load_teacher  # late: torch takes a second

        load_teacher(settings.teacher)
    if settings.train_device not in ("auto", "cpu"):
        from hwnas.training.hardware import training_device

        training_device(settings.train_device)
    if settings.tensorboard:
        installed("tensorboard", "tensorboard")


def _target(settings: Settings) -> Target | None:
    """What latencies must be true for; None where only a board knows."""
    if settings.device is not None:
        _check_device(settings.device, settings.runtime)
        return None
    elsewhere = carried_to(settings)
    if elsewhere is None:
        precision = "fp32" if settings.precision == ANY_PRECISION else settings.precision
        profiler = make_profiler(settings.runtime, settings.threads, 1, precision)
        target = profiler.target()
        if precision != "fp32":
            from hwnas.lowering.probe import require_precision  # late: onnx and its quantiser take a second

            require_precision(profiler)
        return target
    where = Path(settings.table or "")
    if (networks := len(read_networks(where))) < LEAST_NETWORKS:
        raise TableError(
            f"the latency table {where} is of another device ({elsewhere.device}) and has {networks} whole networks "
            f"beside it, but needs {LEAST_NETWORKS}; make its kit with more --networks, or use --device"
        )
    return elsewhere


def _check_device(device: str, runtime: str) -> None:
    """What can be known of a board without asking it; `Run.ask_device` asks."""
    parse_address(device)
    installed("asyncssh", "ssh")
    if is_own(runtime):
        raise HwnasError(
            f"--device takes a runtime by its name, see `hwnas runtimes`; {runtime} is only on this machine"
        )


def fitting_table(where: Path, target: Target | None, space: str, ops: Iterable[Op]) -> LatencyTable:
    """The table in `where`; raises `TableError` when it is for another target, or lacks the time of an op.

    Without a target, because the device was not asked yet, only the ops count.
    """
    table = load_table(where)
    if target is not None:
        table.provenance.target.require(target, f"the latency table {where}")
    require_ops(table, where, space, ops)
    return table


def _require_writable(path: Path) -> None:
    there = next(p for p in (path.absolute(), *path.absolute().parents) if os.path.exists(p))
    if not there.is_dir() and there != path.absolute():
        raise HwnasError(f"cannot write to {path}: {there} is not a folder; choose another --out")
    if there.is_dir() and not os.access(there, os.W_OK | os.X_OK, effective_ids=os.access in os.supports_effective_ids):
        raise HwnasError(f"cannot write to {path}: Permission denied; choose another --out")


def _checked_space(settings: Settings, verb: str) -> SearchSpace:
    space = make_space(settings)
    if is_own(settings.space):
        from hwnas.spaces.contract import require_contract  # late: torch takes a second

        require_contract(space, settings.space)
    if verb != "profile" and not space.is_chain:
        raise HwnasError(f"{space.name} is no chain of ops, so it has no supernet; only `hwnas profile` can be used")
    if "strategy" in STAGE_OPTIONS[verb]:
        _check_strategy(STRATEGIES[settings.strategy], space)
    if space.size < LEAST_NETWORKS:
        raise HwnasError(
            f"{space.name} has {space.size} networks and needs {LEAST_NETWORKS} or more: some calibrate the latency "
            "table, others show its error; give it more choices"
        )
    return space


def _check_strategy(strategy: StrategyEntry, space: SearchSpace) -> None:
    """Whether the space has what the strategy needs."""
    if strategy.evolves:
        Active.first(space, Effort().active, np.random.default_rng(0))


def _check_table(settings: Settings, space: SearchSpace, where: Path, target: Target | None) -> None:
    """The ops that follow from the number of classes are left for later: no image has been read yet."""
    others = set(make_space(settings, space.num_classes + 1).all_ops)
    fitting_table(where, target, space.name, [op for op in space.all_ops if op in others])
