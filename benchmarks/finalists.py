"""Which finalists to train, on public supernet scores: `python -m benchmarks.finalists --json`.

The main job without its trainings, on NAS-Bench-201: a predictor learns from the scores of 80 random cells, the most
promising cells inside a budget are scored too, and of what the predictor then says nine finalists are trained (looked
up). `apart`: the best that differ in three genes from all better ones. `clusters`: the best of each of nine clusters.
`waves`: five by clusters, then four more by what those are worth, as `hwnas run` does; `unheard` is the same with the
worth of the five not listened to.

Figures are regrets, means over supernets, draws and budgets (25th, 50th and 75th percentile of MACs): accuracy points
between the best cell inside the budget and the best finalist.
"""

from __future__ import annotations

import argparse
from collections.abc import Callable
from functools import partial
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from benchmarks._apart import apart
from benchmarks._speak import DATA_FOLDER, add_output_options, publish, say
from benchmarks._supernet_scores import PERCENTILES, ScoredSpace, public_scores
from hwnas.accuracy import Predictor
from hwnas.accuracy.predictors import AdditiveGaussianProcess
from hwnas.accuracy.supernet_fit import gp_and_trees
from hwnas.run.search import PROMISING, SHORTLIST, first_wave
from hwnas.search.closer_look import clustered, corrected
from latency_tables.arrays import Floats

_PAIRS, _FINALISTS, _TOP = 80, 9, 0.1

Indices = NDArray[np.int64]


def _judged(public: ScoredSpace, make: Callable[[], Predictor], scores: Floats, cells: Indices) -> Predictor:
    return make().fit(public.population[cells], scores[cells])


def choices(
    public: ScoredSpace, make: Callable[[], Predictor], scores: Floats, pairs: Indices, hopes: Floats, pct: float
) -> dict[str, Indices]:
    """The finalists of every way inside one budget; `hopes` [n] are what the predictor of the pairs expects at most."""
    space, inside = public.space, np.flatnonzero(public.inside(pct) & public.computes)
    best = inside[np.argsort(-hopes[inside], kind="stable")]
    ranked = best[: max(2 * _FINALISTS, round(_TOP * len(inside)))]
    groups = partial(clustered, space, top=1.0)

    def said(shortlist: Indices) -> Floats:
        """What the predictor says of the ranked ones after the supernet has scored the shortlist."""
        both = np.concatenate([pairs, shortlist])
        return _judged(public, make, scores, both).estimate(public.population[ranked]).mean

    cells = public.population[ranked]
    before = said(ranked[apart(cells, SHORTLIST)])
    order = np.argsort(-before, kind="stable")
    found = {"apart": ranked[order[apart(cells[order], _FINALISTS)]]}

    now = said(ranked[groups(cells, hopes[ranked], SHORTLIST)])
    order = np.argsort(-now, kind="stable")
    ranked, cells, now = ranked[order], cells[order], now[order]
    found["clusters"] = ranked[clustered(space, cells, now, _FINALISTS, top=PROMISING)]
    first = clustered(space, cells, now, first_wave(_FINALISTS), top=PROMISING)
    rest = np.setdiff1d(np.arange(len(cells)), first)
    heard = corrected(space, cells, now, first, public.accuracy_pct[ranked[first]])
    for name, worth in (("waves", heard), ("unheard", now)):
        last = rest[clustered(space, cells[rest], worth[rest], _FINALISTS - len(first), top=PROMISING)]
        found[name] = ranked[np.concatenate([first, last])]
    return found


def one_draw(public: ScoredSpace, make: Callable[[], Predictor], name: str, draw: int) -> dict[str, float]:
    """Regret of every way, mean over the budgets, with one supernet and one draw of the first cells."""
    scores = public.scores[name]
    rng = np.random.default_rng([draw, 8])
    pairs = rng.choice(np.flatnonzero(public.computes), _PAIRS, replace=False)
    said = _judged(public, make, scores, pairs).estimate(public.population)
    found = [
        {how: public.regret(pct, cells) for how, cells in ways.items()}
        for pct in PERCENTILES
        for ways in [choices(public, make, scores, pairs, said.mean + 0.5 * said.std, pct)]
    ]
    return {how: float(np.mean([one[how] for one in found])) for how in found[0]}


def main() -> None:
    """Every supernet and draw; then the means."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--draws", type=int, default=2, help="draws of the first cells for each supernet")
    parser.add_argument("--seed", type=int, default=0, help="the first draw")
    parser.add_argument("--predictor", default="gp-and-trees", choices=["gp-and-trees", "additive-gp"])
    parser.add_argument("--data-folder", type=Path, default=DATA_FOLDER, help="where the public scores are")
    parser.add_argument("--quick", action="store_true", help="one supernet, one draw, the Gaussian process alone")
    add_output_options(parser)
    options = parser.parse_args()
    public = public_scores(options.data_folder)
    names, draws = list(public.scores), options.draws
    if options.quick:
        names, draws, options.predictor = names[:1], 1, "additive-gp"

    def make() -> Predictor:
        both = options.predictor == "gp-and-trees"
        return gp_and_trees(public.space) if both else AdditiveGaussianProcess(public.space)

    found: dict[str, list[dict[str, float]]] = {}
    for name in names:
        found[name] = [one_draw(public, make, name, options.seed + draw) for draw in range(draws)]
        mean = {how: np.mean([one[how] for one in found[name]]) for how in found[name][0]}
        say(f"{name}: " + ", ".join(f"{how} {value:.3f}" for how, value in mean.items()))
    every = [one for of_name in found.values() for one in of_name]
    figures: dict[str, float] = {f"{how}_regret": float(np.mean([one[how] for one in every])) for how in every[0]}
    for better, worse in (("clusters", "apart"), ("waves", "clusters"), ("waves", "unheard")):
        gains = np.array([one[worse] - one[better] for one in every])
        figures[f"{better}_over_{worse}"] = float(gains.mean())
        figures[f"{better}_over_{worse}_error"] = float(gains.std() / len(gains) ** 0.5)
    settings = {"predictor": options.predictor, "draws": draws, "pairs": _PAIRS, "finalists": _FINALISTS}
    publish("finalists", figures, settings, options.seed, found, options.save)


if __name__ == "__main__":
    main()
