"""The `ofa` package's own latency table and evolution (Cai et al. 2020), on the same networks as our `ofa-mbv3`.

Its files are run as they are. Its package cannot be imported without torchvision, which they do not use, and its tables
would be downloaded; so the two files are loaded alone, and a table with our numbers is put in.
"""

from __future__ import annotations

import importlib.util
import random
import sys
from collections.abc import Callable, Sequence
from pathlib import Path
from types import ModuleType
from typing import Any

import numpy as np
from numpy.typing import NDArray

from benchmarks._speak import say
from hwnas.spaces import Genotype, MBConvSpace, Population, mbconv_space
from latency_tables.additive.factors import Factors

Floats = NDArray[np.float64]
Spec = dict[str, Any]

_SIDE = 224
_BLOCKS_A_STAGE, _ALWAYS_THERE = 4, 2


def _load(name: str) -> ModuleType:
    found = importlib.util.find_spec("ofa")
    if found is None or not found.submodule_search_locations:
        say("search_engine: the rival is not installed: pip install 'hwnas[rivals]'")
        sys.exit(2)
    path = Path(found.submodule_search_locations[0]) / "tutorial" / f"{name}.py"
    downloads = ModuleType("ofa.utils")
    downloads.download_url = None  # type: ignore[attr-defined]  # what the file imports and would only need online
    before = sys.modules.get("ofa.utils")
    sys.modules["ofa.utils"] = downloads
    try:
        spec = importlib.util.spec_from_file_location(f"ofa_{name}", path)
        assert spec is not None
        assert spec.loader is not None
        module = importlib.util.module_from_spec(spec)
        spec.loader.exec_module(module)
    finally:
        sys.modules.pop("ofa.utils")
        if before is not None:
            sys.modules["ofa.utils"] = before
    return module


class OfaTwin:
    """The same random table and additive accuracy for both: ours as `Factors`, theirs as a table of strings."""

    def __init__(self, seed: int):
        self.space: MBConvSpace = mbconv_space("ofa-mbv3", num_classes=1000)
        self._evolution, latency = _load("evolution_finder"), _load("latency_table").LatencyEstimator
        estimator, rng = latency.__new__(latency), np.random.default_rng(seed)  # __init__ would download a table
        self.their_ms: Callable[[Spec], float] = estimator.predict_network_latency_given_spec
        estimator.lut = _Recording(rng)
        self.ms = self._our_table()
        estimator.lut = dict(estimator.lut)
        there = [np.array([float(bool(ops)) for ops in slot.options]) for slot in self.space.slots]
        gains = [rng.normal(0.1, 0.1, len(adds)) * adds for adds in there]
        self.accuracy = self.space.layout.factors(gains)

    def _our_table(self) -> Factors:
        """What their estimator adds for every choice of every slot, from networks that differ in it alone."""
        shortest = np.zeros(len(self.space.cardinalities), dtype=np.int64)
        whole = self._ms_of(shortest)
        per_slot = []
        for slot in self.space.slots:
            added = np.zeros(len(slot.options))
            for option, ops in enumerate(slot.options):
                if slot.genes and ops:
                    gene = slot.genes[-1]
                    block = int(np.flatnonzero(slot.option_of == option)[0]) % self.space.cardinalities[gene]
                    added[option] = self._added_ms(slot.genes, block)
            per_slot.append(added)
        return self.space.layout.factors(per_slot).plus_constant(whole)

    def _added_ms(self, genes: tuple[int, ...], block: int) -> float:
        """What a block adds to the shortest network that has its place."""
        without = np.zeros(len(self.space.cardinalities), dtype=np.int64)
        arch = without.copy()
        if len(genes) == 2:  # there from a depth on
            depth, gene = genes
            arch[depth] = gene - depth - _ALWAYS_THERE
            without[depth] = arch[depth] - 1
        arch[genes[-1]] = block
        return self._ms_of(arch) - self._ms_of(without)

    def _ms_of(self, arch: Genotype) -> float:
        return float(self.their_ms(self.specs(arch[None])[0]))

    def specs(self, population: Population) -> list[Spec]:
        """Genotypes [n, genes] as their dictionaries of kernels, expansions, depths."""
        blocks = self.space.preset.stages[0].blocks
        stages = population.reshape(len(population), -1, 1 + _BLOCKS_A_STAGE)
        kernels, expands = (np.array([getattr(b, name) for b in blocks]) for name in ("kernel", "expand"))
        depths = _ALWAYS_THERE + stages[:, :, 0]
        mine = stages[:, :, 1:].reshape(len(population), -1)
        rows = zip(kernels[mine].tolist(), expands[mine].tolist(), depths.tolist(), strict=True)
        return [{"wid": None, "ks": ks, "e": e, "d": d, "r": [_SIDE]} for ks, e, d in rows]

    def population(self, specs: Sequence[Spec]) -> Population:
        """The inverse of `specs`, canonical."""
        blocks = self.space.preset.stages[0].blocks
        index = {(b.kernel, b.expand): i for i, b in enumerate(blocks)}
        rows = []
        for spec in specs:
            genes = [index[pair] for pair in zip(spec["ks"], spec["e"], strict=True)]
            by_stage = [genes[i : i + _BLOCKS_A_STAGE] for i in range(0, len(genes), _BLOCKS_A_STAGE)]
            rows.append([g for d, own in zip(spec["d"], by_stage, strict=True) for g in (d - _ALWAYS_THERE, *own)])
        return self.space.canonical(np.array(rows, dtype=np.int64))

    def evolve(
        self,
        budget_ms: float,
        seed: int,
        generations: int = 500,
        accuracy: Callable[[Population], Floats] | None = None,
    ) -> tuple[float, float]:
        """Their evolution at its own settings (population 100): the best accuracy and its milliseconds.

        `accuracy` [n] of genotypes [n, genes] is the additive one unless another is given.
        """
        random.seed(seed)
        np.random.seed(seed)  # the rival draws from the global generators
        twin, predict = self, accuracy or self.accuracy

        class Accuracy:
            def predict_accuracy(self, specs: list[Spec]) -> Floats:
                return predict(twin.population(specs))

        class Efficiency:
            def predict_efficiency(self, spec: Spec) -> float:
                return float(twin.their_ms(spec))

        finder = self._evolution.EvolutionFinder(
            "flops", 300, Efficiency(), Accuracy(), population_size=100, max_time_budget=generations
        )
        finder.set_efficiency_constraint(budget_ms)
        finder.arch_manager.resolutions = [_SIDE]
        _, (best, _, ms) = finder.run_evolution_search()
        return float(best), float(ms)


class _Recording(dict[str, dict[str, float]]):
    """A table that has a number for everything it is asked, always the same."""

    def __init__(self, rng: np.random.Generator):
        super().__init__()
        self._rng = rng

    def __missing__(self, key: str) -> dict[str, float]:
        self[key] = {"mean": float(self._rng.uniform(0.1, 1.0))}
        return self[key]
