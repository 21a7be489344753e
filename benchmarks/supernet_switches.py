"""What each switch of a supernet does, alone, at equal passes: `python -m benchmarks.supernet_switches --json`.

Supernets of NAS-Bench-Macro as in `supernet_rank` (a quarter of the channels, images of 24 pixels), shorter trained,
several seeds. Each switch is held against the one-shot supernet with balanced paths of the same seed, which trains as
many batches through as many networks:

- uniform, fair, sandwich, importance: other path samplers;
- taught: sandwich, and the largest network of a step teaches the others;
- narrow: half the channels again;
- by_depth, by_gradients: half of the passes, then two parts of the space share the other half (few-shot);
- shrunk: half of the passes, then the four values of genes with the least angle are dropped (ABS).

tau: Kendall's between the probability of the true class and the benchmark's accuracies, of networks that all have
scored: a random sample. `shrunk` is held against the same networks of the one-shot: those that are left. At last
`flatness_tau_gain`: what flatness adds to the one-shot's scores and MACs, as a third rank at half weight.
"""

from __future__ import annotations

import argparse
import json
import os
from collections.abc import Mapping
from concurrent.futures import ProcessPoolExecutor
from dataclasses import asdict, dataclass, replace
from pathlib import Path
from tempfile import gettempdir

import numpy as np
import torch
from scipy.stats import kendalltau, rankdata

from benchmarks._macro_supernet import MacroRecipe, MacroTraining, macro_data
from benchmarks._speak import DATA_FOLDER, add_output_options, publish, say
from benchmarks._supernet_scores import KEPT, kept_scores
from hwnas.accuracy.angle import weight_angles
from hwnas.accuracy.flatness import flatness
from hwnas.search.shrinking import shrink
from hwnas.spaces import Population, SearchSpace
from hwnas.training import (
    Supernet,
    parts_of,
    recalibrate,
    score_by_parts,
    score_each,
    splits_by_depth,
    splits_by_gradients,
    train_parts,
)
from hwnas.training.recipe import PATHS
from latency_tables.arrays import Floats
from latency_tables.storage.files import write_atomically

ONE_SHOT = "one_shot"
SWITCHES = ("uniform", "fair", "sandwich", "importance", "taught", "narrow", "by_depth", "by_gradients", "shrunk")
_NETWORKS, _IMAGES = 600, 500
_FLATNESS_NETWORKS, _FLATNESS_BATCHES, _DROPPED = 60, 4, 4
_IN_PARTS = ("by_depth", "by_gradients", "shrunk")


@dataclass(frozen=True)
class Trial:
    """One supernet: the switch, and what of it is in the recipe."""

    switch: str
    recipe: MacroRecipe

    @classmethod
    def of(cls, switch: str, passes: int, seed: int) -> Trial:
        """A sampler's name is its own switch; the others draw balanced paths, a teacher sandwiches."""
        sampler = "sandwich" if switch == "taught" else switch if switch in PATHS else "balanced"
        recipe = MacroRecipe(sampler, passes, seed, own_teacher=switch == "taught", scored_images=_IMAGES)
        return cls(switch, replace(recipe, width_share=recipe.width_share / 2) if switch == "narrow" else recipe)

    @property
    def name(self) -> str:
        """Of its folder."""
        return f"{self.switch}-{self.recipe.passes}.seed{self.recipe.seed}"


@dataclass(frozen=True)
class Scored:
    """Probabilities of the networks that were scored, NaN where not, and the flatness of the first few."""

    probability: list[float]
    flatness: list[float]


def sample(space: SearchSpace) -> Population:
    """The networks that every supernet scores."""
    return space.sample(np.random.default_rng(13), _NETWORKS)


def run_trial(trial: Trial, data_folder: Path, work: Path) -> Scored:
    """Train and score on one core; what is done is kept in `work`."""
    torch.set_num_threads(1)
    folder = work / trial.name
    folder.mkdir(parents=True, exist_ok=True)
    kept = folder / "scored.json"
    if kept.exists() and (read := json.loads(kept.read_bytes()))["trial"] == asdict(trial):
        return Scored(**read["scored"])
    bench = MacroTraining.of(trial.recipe, macro_data(data_folder, trial.recipe.size))
    archs = sample(bench.space)
    in_parts = trial.switch in _IN_PARTS
    one = bench.train(folder / "one.safetensors", 0.5 if in_parts else 1.0).supernet
    if in_parts:
        scores = score_by_parts(_trained_parts(trial, bench, one, folder / "parts"), archs, *bench.images)
    else:
        scores = score_each(one, archs, *bench.images)
    probability = np.full(len(archs), np.nan)
    for index, score in scores:
        probability[index] = score.true_class_probability
    flat = _flatness(bench, one, archs[:_FLATNESS_NETWORKS]) if trial.switch == ONE_SHOT else []
    scored = Scored(probability.tolist(), flat)
    write_atomically(kept, json.dumps({"trial": asdict(trial), "scored": asdict(scored)}).encode())
    return scored


def _trained_parts(trial: Trial, bench: MacroTraining, parent: Supernet, folder: Path) -> list[Supernet]:
    """Half of the passes, shared by the parts, from the parent's weights on."""
    space, seed = bench.space, trial.recipe.seed
    if trial.switch == "by_depth":
        parts = parts_of(space, splits_by_depth(space))
    elif trial.switch == "by_gradients":
        parts = parts_of(space, splits_by_gradients(parent, bench.batches, seed))
    else:
        before = Supernet(space, seed)
        parts = [shrink(space, lambda archs: weight_angles(before, parent, archs), _DROPPED, seed)]
    training = replace(bench.training(0.5), learning_rate=trial.recipe.learning_rate / 2)
    return train_parts(parent, parts, bench.batches, training, seed, folder)


def _flatness(bench: MacroTraining, supernet: Supernet, population: Population) -> list[float]:
    calibration, validation = bench.images
    found = []
    for arch in population:
        network = supernet.extract(arch)
        recalibrate(network, calibration)
        found.append(flatness(network, validation[:_FLATNESS_BATCHES]))
    return found


def effects(scored: Mapping[tuple[str, int], Scored], truth: Floats, macs: Floats) -> dict[str, float]:
    """tau of each switch, mean of seeds, and its gain on the one-shot of the same seed over the same networks."""
    switches = dict.fromkeys(switch for switch, _ in scored)
    seeds = sorted({seed for _, seed in scored})
    found: dict[str, float] = {}
    for switch in switches:
        taus, gains = [], []
        for seed in seeds:
            said, plain = (np.array(scored[name, seed].probability) for name in (switch, ONE_SHOT))
            taus.append(_tau(said, truth))
            gains.append(taus[-1] - _tau(np.where(np.isnan(said), np.nan, plain), truth))
        found[f"{switch}_tau"] = float(np.mean(taus))
        if switch != ONE_SHOT:
            found[f"{switch}_tau_gain"] = float(np.mean(gains))
            found[f"{switch}_tau_gain_min"], found[f"{switch}_tau_gain_max"] = min(gains), max(gains)
    gains = []
    for seed in seeds:
        one = scored[ONE_SHOT, seed]
        count = len(one.flatness)
        ranks = rankdata(one.probability[:count]) + 0.5 * rankdata(macs[:count])
        gains.append(_tau(ranks + 0.5 * rankdata(one.flatness), truth[:count]) - _tau(ranks, truth[:count]))
    return found | {"flatness_tau_gain": float(np.mean(gains))}


def _tau(said: Floats, truth: Floats) -> float:
    """Over the networks of which something is said."""
    return float(kendalltau(said, truth, nan_policy="omit")[0])


def main() -> None:
    """Every switch and seed; then the means."""
    options = _options()
    truth = kept_scores(options.data_folder, KEPT)
    rows = truth.table.rows(sample(truth.space))
    accuracy, macs = truth.accuracy_pct[rows], truth.cost[rows]
    trials = [
        Trial.of(switch, options.passes, seed)
        for seed in range(options.seed, options.seed + options.seeds)
        for switch in (ONE_SHOT, *options.switches)
    ]
    scored = {}
    with ProcessPoolExecutor(options.workers) as pool:
        jobs = {trial: pool.submit(run_trial, trial, options.data_folder, options.work) for trial in trials}
        for trial, job in jobs.items():
            scored[trial.switch, trial.recipe.seed] = one = job.result()
            say(f"{trial.name:<30} tau {_tau(np.array(one.probability), accuracy):.3f}")
    figures = effects(scored, accuracy, macs) | {"depth_tau": _tau(truth.depth[rows], accuracy)}
    settings = asdict(trials[0].recipe) | {"networks": _NETWORKS, "seeds": options.seeds}
    details = {f"{switch} seed {seed}": asdict(one) for (switch, seed), one in scored.items()}
    publish("supernet_switches", figures, settings, options.seed, details, options.save)


def _options() -> argparse.Namespace:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--switches", nargs="+", default=SWITCHES, choices=SWITCHES, help="which (default: all)")
    parser.add_argument("--passes", type=int, default=2500, help="batches of 64 through a network, forth and back")
    parser.add_argument("--seeds", type=int, default=3, help="how many seeds")
    parser.add_argument("--seed", type=int, default=0, help="the first seed")
    parser.add_argument("--workers", type=int, default=os.cpu_count(), help="supernets at a time, one core each")
    parser.add_argument("--data-folder", type=Path, default=DATA_FOLDER)
    parser.add_argument("--work", type=Path, default=Path(gettempdir()) / "hwnas-switches", help="where it goes on")
    add_output_options(parser)
    return parser.parse_args()


if __name__ == "__main__":
    main()
