"""Accuracies that are kept: a network whose accuracy is in the journal is not evaluated again."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from math import isfinite
from typing import Any

import numpy as np

from hwnas.accuracy._base import AccuracyEstimate, AccuracyEstimator
from hwnas.spaces import Population, SearchSpace
from hwnas.workers import Workers
from latency_tables import Journal
from latency_tables.progress import Progress, silent

Answer = tuple[float, float]  # mean and deviation


class Journaled(AccuracyEstimator):
    """Asks `estimator` about each network once; its answers are in `journal`, one fsynced record per network.

    With `workers` each network is a job, and is on the disk before the next result is awaited: `estimator` must pickle
    where they are elsewhere. Without, `estimator` is asked for `each` of the missing networks of a population at once.
    Every answer is that of the journal, so that a search which goes on from it sees the numbers it saw before.
    `progress` hears of every network of a call, and of the best accuracy so far. Records are `{"arch", "accuracy",
    "std"}`; one without a deviation is read as exact, and other fields are left alone.
    """

    def __init__(
        self,
        space: SearchSpace,
        estimator: AccuracyEstimator,
        journal: Journal,
        workers: Workers | None = None,
        progress: Progress = silent,
    ):
        self.space, self.estimator, self.journal = space, estimator, journal
        self._workers, self._progress = workers, progress
        self._work = _Estimating(space, estimator)
        self._answers = {record["arch"]: _read(record) for record in journal}

    def estimate(self, population: Population) -> AccuracyEstimate:
        """The answers to genotypes [n, genes]; raises what the estimator does, `JobFailed` with workers."""
        texts = self._texts(population)
        wanted = list(dict.fromkeys(texts))
        missing = [text for text in wanted if text not in self._answers]
        self._report(wanted)
        for text, answer in self._asked(missing):
            record = {"arch": text} | {
                name: value if isfinite(value) else str(value)  # JSON has no NaN
                for name, value in zip(("accuracy", "std"), answer, strict=True)
            }
            self.journal.append(record)
            self._answers[text] = answer
            self._report(wanted)
        mean, std = np.array([self._answers[text] for text in texts]).reshape(-1, 2).T
        return AccuracyEstimate(mean, std)

    def known(self, population: Population) -> Population:
        """Those of genotypes [n, genes] whose accuracy is in the journal."""
        found: Population = population[[text in self._answers for text in self._texts(population)]]
        return found

    def _texts(self, population: Population) -> list[str]:
        return [self.space.to_text(arch) for arch in population]

    def _asked(self, texts: Sequence[str]) -> Iterator[tuple[str, Answer]]:
        if self._workers is not None:
            for index, answer in self._workers.run(self._work, texts):
                yield texts[index], answer
        elif texts:
            population = np.array([self.space.from_text(text) for text in texts])
            for index, mean, std in self.estimator.each(population):
                yield texts[index], (mean, std)

    def _report(self, wanted: Sequence[str]) -> None:
        done = [self._answers[text][0] for text in wanted if text in self._answers]
        self._progress(len(done), len(wanted), f"best so far {max(done):.4f}" if done else "")


@dataclass(frozen=True)
class _Estimating:
    """The job: an architecture as text to its accuracy and deviation."""

    space: SearchSpace
    estimator: AccuracyEstimator

    def __call__(self, text: str) -> Answer:
        estimate = self.estimator.estimate(self.space.from_text(text)[None])
        return float(estimate.mean[0]), float(estimate.std[0])


def _read(record: Mapping[str, Any]) -> Answer:
    return float(record["accuracy"]), float(record.get("std", 0.0))
