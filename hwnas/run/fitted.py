"""Stage `fit`: the supernet's scores as a table of the whole space, that every budget and device is searched by."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np

from hwnas.accuracy.pairs import Pairs
from hwnas.accuracy.supernet_fit import SupernetFit
from hwnas.run.stage import Result, Stage
from hwnas.search import Evaluated, Problem, best_by_segments
from hwnas.spaces.sampling import random_networks
from latency_tables.progress import Progress

if TYPE_CHECKING:
    from hwnas.run.accuracy_model import AccuracyModel

FIT_FILE = "supernet_fit.json"


def fitted(model: AccuracyModel) -> SupernetFit:
    """Ask the supernet about `queries` networks beside the pairs, fit all, and keep the fit in the run folder.

    Neither a budget nor a latency table decides which networks: so a later budget needs no other answers.
    """
    s, space, path = model.settings, model.space, model.folder.path / FIT_FILE
    pairs, fresh = model.pairs, list[SupernetFit]()

    def work(progress: Progress) -> Result:
        asked = random_networks(space, [s.seed, 8], s.queries, exclude=pairs.population)
        accuracy = np.concatenate([pairs.accuracy, model.evaluate(asked, "supernet accuracies", progress)])
        fit = SupernetFit(space, s.seed).fit(np.concatenate([pairs.population, asked]), accuracy)
        fit.save(path)
        fresh.append(fit)
        return {"chosen": fit.chosen, "taus": {name: str(round(tau, 3)) for name, tau in fit.taus.items()}}

    inputs = {"supernet": model.supernet_digest, "pairs": s.pairs, "queries": s.queries, "seed": s.seed}
    result = model.folder.do(Stage("fit", "fit of the supernet", inputs, (path,)), work)
    taus = ", ".join(f"{name} {tau}" for name, tau in result["taus"].items())
    model.folder.display.say(f"Kendall's tau on the supernet's scores held out: {taus}; {result['chosen']} is used")
    return fresh[0] if fresh else SupernetFit.load(path, space)


def among_fitted(problem: Problem, seed: int) -> tuple[Evaluated, Pairs]:
    """What a beam over segments looked at by the fit, and no new pairs."""
    seen = best_by_segments(problem, seed=seed)
    return seen, Pairs(seen.population[:0], seen.accuracy[:0])
