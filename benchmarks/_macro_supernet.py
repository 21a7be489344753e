"""A supernet of NAS-Bench-Macro on CIFAR-10, trained on a CPU; then its scores of all 6,561 networks, kept as CSV.

A quarter of the benchmark's channels, images of 24 pixels. Both halves go on where they were stopped.
"""

from __future__ import annotations

import csv
import gzip
import io
import json
import time
from dataclasses import asdict, dataclass
from functools import cached_property
from pathlib import Path

import numpy as np
import torch

from benchmarks._speak import say
from benchmarks._supernet_scores import SCORES
from hwnas.accuracy.angle import weight_angles
from hwnas.data import Dataset, load_dataset
from hwnas.spaces import NasBenchMacro, every_network
from hwnas.training import Batch, Batches, Curve, Recipe, Supernet, score_each, train_supernet
from hwnas.training.paths import path_sampler
from latency_tables import Journal
from latency_tables.progress import Progress, silent
from latency_tables.storage.files import write_atomically
from profilers.device.machine import cpu_name

_CALIBRATION_IMAGES, _SAID_EVERY = 256, 100


@dataclass(frozen=True)
class MacroRecipe:
    """What decides the scores. `passes` of a batch through a network, forth and back: a step has one per path.

    With `own_teacher` the largest network of a step teaches the others.
    """

    sampler: str
    passes: int
    seed: int = 0
    own_teacher: bool = False
    batch: int = 64
    size: int = 24
    width_share: float = 0.25
    learning_rate: float = 5e-3
    scored_images: int = 1000

    @property
    def name(self) -> str:
        """Of the file."""
        taught = "-taught" if self.own_teacher else ""
        return f"{self.sampler}{taught}-{self.passes}.seed{self.seed}"


@dataclass(frozen=True)
class MacroTraining:
    """The space and the images of a recipe, and how long it trains."""

    recipe: MacroRecipe
    space: NasBenchMacro
    batches: Batches

    @classmethod
    def of(cls, recipe: MacroRecipe, data: Dataset) -> MacroTraining:
        """On data of `macro_data`."""
        space = NasBenchMacro(data.num_classes, recipe.size, recipe.width_share)
        return cls(recipe, space, Batches(data, recipe.batch))

    def train(self, path: Path, share: float = 1.0, progress: Progress = silent) -> Trained:
        """A supernet of the whole space with a share of the passes; resumes from `path`."""
        per_step = len(path_sampler(self.recipe.sampler, self.space).paths(np.random.default_rng(0), 0.0))
        training = self.training(share / per_step)
        supernet, curve = train_supernet(self.space, self.batches, training, self.recipe.seed, path, progress)
        return Trained(supernet, curve, training.epochs, per_step)

    def training(self, share: float) -> Recipe:
        """How to train with a share of the passes, as many steps."""
        epochs = max(1, round(share * self.recipe.passes / self.batches.steps_per_epoch()))
        recipe = self.recipe
        return Recipe(epochs, learning_rate=recipe.learning_rate, own_teacher=recipe.own_teacher, paths=recipe.sampler)

    @cached_property
    def images(self) -> tuple[list[Batch], list[Batch]]:
        """To calibrate batch norm with, and to score networks on."""
        data, plain = self.batches.data, self.batches.plain
        return list(plain(data.train, limit=_CALIBRATION_IMAGES)), list(
            plain(data.validation, limit=self.recipe.scored_images)
        )


@dataclass(frozen=True)
class Trained:
    """A supernet, its curve, and what its passes came to."""

    supernet: Supernet
    curve: Curve
    epochs: int
    paths_per_step: int


def macro_data(folder: Path, size: int) -> Dataset:
    """CIFAR-10: 40,000 images to train with, 10,000 to score networks on."""
    train, test = (str(folder / "cifar10" / f"{split}.parquet") for split in ("train", "test"))
    return load_dataset(train, test_source=test, size=size)


def keep_scores(recipe: MacroRecipe, data: Dataset, work: Path, kept: Path) -> Path:
    """Train in `work`, score every network, write `kept/NAME.csv.gz` and `NAME.json` beside it."""
    torch.set_num_threads(1)
    work.mkdir(parents=True, exist_ok=True)
    bench = MacroTraining.of(recipe, data)
    started, busy = time.monotonic(), time.process_time()

    def progress(done: int, total: int, what: str) -> None:
        if done % _SAID_EVERY == 0:
            say(f"{recipe.name}: {what}, step {done} of {total}, {time.monotonic() - started:.0f} s")

    done = bench.train(work / f"{recipe.name}.safetensors", progress=progress)
    trained = {"seconds": time.monotonic() - started, "cpu_seconds": time.process_time() - busy}
    rows = _scores(bench, done.supernet, work / f"{recipe.name}.jsonl")
    archs = np.array([bench.space.from_text(text) for text, *_ in rows])
    angles = weight_angles(Supernet(bench.space, recipe.seed), done.supernet, archs)
    kept.mkdir(parents=True, exist_ok=True)
    path = kept / f"{recipe.name}.csv.gz"
    write_atomically(path, _packed([(*row, angle) for row, angle in zip(rows, angles, strict=True)]))
    steps = {"epochs": done.epochs, "paths_per_step": done.paths_per_step}
    facts = asdict(recipe) | steps | {"trained": trained, "device": cpu_name()}
    text = json.dumps(facts | {"curve": asdict(done.curve)}, indent=1)
    write_atomically(path.with_name(f"{recipe.name}.json"), text.encode() + b"\n")
    return path


def _scores(bench: MacroTraining, supernet: Supernet, path: Path) -> list[tuple[str, float, float]]:
    """Text, true-class probability and accuracy of every network, in order of texts."""
    space, recipe, every = bench.space, bench.recipe, every_network(bench.space)
    assert every is not None
    with Journal(path, asdict(recipe)) as journal:
        known = {record["arch"] for record in journal}
        left = every[[space.to_text(arch) not in known for arch in every]]
        for done, (i, score) in enumerate(score_each(supernet, left, *bench.images)):
            journal.append({"arch": space.to_text(left[i])} | asdict(score))
            if done % _SAID_EVERY == 0:
                say(f"{recipe.name}: {len(known) + done} of {len(every)} networks scored")
        return sorted((record["arch"], *(record[name] for name in SCORES[:2])) for record in journal)


def _packed(rows: list[tuple[str, float, float, float]]) -> bytes:
    text = io.StringIO()
    writer = csv.writer(text, lineterminator="\n")
    writer.writerow(["arch", *SCORES])
    writer.writerows((arch, *(f"{value:.6f}" for value in values)) for arch, *values in rows)
    return gzip.compress(text.getvalue().encode(), mtime=0)
