"""The networks that are trained, in two waves: what the first ones are worth chooses the last ones."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from hwnas.run.inputs import Stages
from hwnas.run.search import PROMISING, Candidate, Choice
from hwnas.run.stage import Result, Stage
from hwnas.run.training import Training
from hwnas.search.closer_look import clustered, corrected
from latency_tables.arrays import Floats
from latency_tables.progress import Progress
from latency_tables.storage.files import digest_json


@dataclass(frozen=True)
class Finalists(Stages):
    """Trains `--finalists` networks of those that a search found."""

    training: Training

    def trained(self, choice: Choice) -> tuple[Candidate, ...]:
        """The first ones, and those that are chosen by what the first ones are worth; all of them are trained."""
        first, others = choice.finalists, choice.others
        worth = [one.true_class_probability for one in self.training.train_all([one.arch for one in first])]
        more = min(self.settings.finalists - len(first), len(others))
        if more <= 0:
            return first
        last = self._last((*first, *others), np.array(worth), more)
        self.training.train_all([one.arch for one in last])
        return (*first, *last)

    def _last(self, candidates: Sequence[Candidate], worth: Floats, count: int) -> list[Candidate]:
        """Stage `search`, its second part: `count` of the candidates after the first ones, whose worth is known."""
        names = [[one.text, one.precision] for one in candidates]
        predicted, known = np.array([one.accuracy for one in candidates]), len(worth)
        inputs = {
            "candidates": names,
            "predicted": predicted,
            "trained": worth,
            "finalists": count,
            "seed": self.settings.seed,
        }

        def work(progress: Progress) -> Result:
            population = np.array([one.arch for one in candidates])
            hopes = corrected(self.space, population, predicted, np.arange(known), worth)[known:]
            best = clustered(self.space, population[known:], hopes, count, top=PROMISING, seed=self.settings.seed)
            return {"last": known + best}

        part = f"last-{digest_json(names)[:10]}"
        result = self.folder.do(Stage("search", "last finalists", inputs, part=part), work)
        return [candidates[i] for i in result["last"]]
