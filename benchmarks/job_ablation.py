"""What parts of the main job's learning are worth: `python -m benchmarks.job_ablation --out FOLDER --json`.

Starts from the run folders that `python -m benchmarks.main_job --out FOLDER` leaves, or makes them: profile and
supernet are those of the run. First the predictor: Kendall's tau between five-fold predictions and what the supernet
says of the networks held out, both its accuracy and its probability of the true class, whichever was learned. Beside
it `tau_half`: what the supernet says on one half of the validation images against the other half. Then the finalists,
nine trainings each:

- `before`: learns accuracies (Gaussian process), finalists are three genes apart;
- `probability`: learns probabilities (Gaussian process and trees), finalists are three genes apart;
- `clusters`: the same, finalists by clusters, all at once;
- `job`: the same in two waves, as the job does.

Of each the winner's probability of the true class on validation, by which it is chosen, and on test; its test accuracy.
"""

from __future__ import annotations

import argparse
import tempfile
from collections.abc import Callable
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray
from scipy.stats import kendalltau

from benchmarks._apart import apart
from benchmarks._speak import add_output_options, publish, say
from deploy.answers import accuracy, true_class_probability
from hwnas.accuracy import GaussianProcessPredictor, Predictor
from hwnas.accuracy.pairs import Pairs, cross_validated
from hwnas.accuracy.supernet_fit import gp_and_trees
from hwnas.cli.display import ConsoleDisplay
from hwnas.data import LabelledImages
from hwnas.run import Run, Settings
from hwnas.run.search import FAST_ENOUGH, PROMISING, SHORTLIST
from hwnas.search import Budget, Problem, fastest, make_strategy, search
from hwnas.search.closer_look import clustered
from hwnas.spaces import Genotype, Population
from latency_tables.arrays import Floats

Answers = NDArray[np.float32]
Judge = Callable[[Answers, NDArray[np.int64]], float]  # of logits [n, classes] and labels [n]


@dataclass(frozen=True)
class Ablation:
    """The run of one seed, and what its supernet answers to validation images, [n, classes] by network."""

    run: Run
    _answers: dict[str, Answers] = field(default_factory=dict)

    def logits(self, network: torch.nn.Module, split: LabelledImages) -> Answers:
        """Answers to a split, [n, classes]."""
        with torch.no_grad():
            batches = self.run.accuracy_model.batches.plain(split)
            return np.concatenate([network(batch.images).numpy() for batch in batches])

    def said(self, archs: Population, judge: Judge, part: slice = slice(None)) -> Floats:
        """What the supernet says of networks, [n], by a part of the validation images."""
        space, validation = self.run.inputs.space, self.run.inputs.data.validation
        found = []
        for arch in archs:
            text = space.to_text(arch)
            if text not in self._answers:
                network = self.run.accuracy_model.accuracy.network(arch)
                self._answers[text] = self.logits(network, validation)
            found.append(judge(self._answers[text][part], validation.labels[part]))
        return np.array(found)

    def taus(self) -> dict[str, float]:
        """How well held-out networks are ranked, and how well what is said of them could be."""
        archs, space, seed = self.run.accuracy_model.pairs.population, self.run.inputs.space, self.run.settings.seed
        by = {"accuracy": accuracy, "probability": true_class_probability}
        said = {name: self.said(archs, judge) for name, judge in by.items()}
        found = {}
        for learned, labels in said.items():
            for what, predictor in (("gp", GaussianProcessPredictor(space, seed)), ("both", gp_and_trees(space, seed))):
                predicted = cross_validated(predictor, Pairs(archs, labels), seed).predicted
                for name, truth in said.items():
                    found[f"tau_{what}_{learned}_with_{name}"] = float(kendalltau(predicted, truth)[0])
        for name, judge in by.items():
            halves = [self.said(archs, judge, slice(start, None, 2)) for start in (0, 1)]
            found[f"tau_half_{name}"] = float(kendalltau(*halves)[0])
        return found

    def finalists(self, predictor: Predictor, judge: Judge, by_clusters: bool) -> list[Genotype]:
        """Nine networks, chosen before any of them is trained."""
        run, space, s = self.run, self.run.inputs.space, self.run.settings
        latency, budget_ms, archs = run.profiling.latency(), run.branches.budget.ms, run.accuracy_model.pairs.population
        labels = self.said(archs, judge)
        budgets = (Budget.latency(latency, budget_ms),)
        problem = Problem(space, predictor.fit(archs, labels), latency, budgets, FAST_ENOUGH * budget_ms)
        warm_start = np.concatenate([fastest(space, latency)[None], archs])
        seen = search(problem, make_strategy("nsga2", problem, seed=s.seed, warm_start=warm_start), s.evaluations)
        hopes, every = seen.accuracy + 0.5 * seen.std, seen.population
        order = np.argsort(-hopes, kind="stable")
        far = order[apart(every[order], SHORTLIST)]
        short = every[clustered(space, every, hopes, SHORTLIST, seed=s.seed) if by_clusters else far]
        both = np.concatenate([archs, short]), np.concatenate([labels, self.said(short, judge)])
        candidates = every if by_clusters else short
        worth = predictor.fit(*both).estimate(candidates).mean
        best = np.argsort(-worth, kind="stable")
        if by_clusters:
            best = best[: max(2 * s.finalists, len(best) // 10)]
            chosen = clustered(space, candidates[best], worth[best], s.finalists, top=PROMISING, seed=s.seed)
        else:
            chosen = apart(candidates[best], s.finalists)
        return list(candidates[best][chosen])

    def worth(self, archs: list[Genotype]) -> dict[str, float]:
        """The winner of these, trained: its probability of the true class on validation and test, its test accuracy."""
        trained = self.run.training.train_all(archs)
        winner = max(trained, key=lambda one: one.true_class_probability)
        test = self.run.inputs.data.test
        answers = self.logits(winner.network, test)
        return {
            "validation_probability_pct": 100 * winner.true_class_probability,
            "test_probability_pct": 100 * true_class_probability(answers, test.labels),
            "test_accuracy_pct": 100 * accuracy(answers, test.labels),
            "trainings": float(len(archs)),
        }


def one_seed(settings: Settings, folder: Path) -> dict[str, float]:
    """All figures of one seed."""
    with ConsoleDisplay() as display, Run(settings, folder, display) as run:
        ablation, space, seed = Ablation(run), run.inputs.space, settings.seed
        found = ablation.taus()
        ways = {
            "before": ablation.finalists(GaussianProcessPredictor(space, seed), accuracy, by_clusters=False),
            "probability": ablation.finalists(gp_and_trees(space, seed), true_class_probability, by_clusters=False),
            "clusters": ablation.finalists(gp_and_trees(space, seed), true_class_probability, by_clusters=True),
            "job": [one.arch for one in run.branches.finalists(run.branches.choose({}))],
        }
        for way, archs in ways.items():
            found |= {f"{way}_{name}": value for name, value in ablation.worth(archs).items()}
    say(f"seed {seed}: " + ", ".join(f"{name} {value:.4g}" for name, value in found.items()))
    return found


def main() -> None:
    """Parse, every seed, the means."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--seeds", type=int, default=5, help="how many seeds")
    parser.add_argument("--seed", type=int, default=0, help="the first seed")
    parser.add_argument("--space", default="mbconv-32", help="as for `hwnas run`")
    parser.add_argument("--data", default="digits", help="as for `hwnas run`")
    parser.add_argument("--test-data", help="as for `hwnas run`")
    parser.add_argument("--limit", type=int, help="as for `hwnas run`")
    parser.add_argument("--supernet-epochs", type=int, default=Settings.supernet_epochs)
    parser.add_argument("--pairs", type=int, default=Settings.pairs)
    parser.add_argument("--train-epochs", type=int, default=Settings.train_epochs)
    parser.add_argument("--finalists", type=int, default=Settings.finalists)
    parser.add_argument("--quick", action="store_true", help="one seed and little training: the same protocol")
    parser.add_argument("--out", type=Path, help="the run folders; kept, and resumed from")
    add_output_options(parser)
    options = parser.parse_args()
    if options.quick:
        options.seeds, options.supernet_epochs, options.pairs, options.train_epochs, options.finalists = 1, 2, 20, 1, 4
    names = ["space", "data", "test_data", "limit", "supernet_epochs", "pairs", "train_epochs", "finalists"]
    shared: dict[str, Any] = {name: getattr(options, name) for name in names}
    found = []
    with tempfile.TemporaryDirectory() as scratch:
        for seed in range(options.seed, options.seed + options.seeds):
            found.append(one_seed(Settings(**shared, seed=seed), (options.out or Path(scratch)) / f"seed-{seed}"))
    figures = {name: float(np.mean([one[name] for one in found])) for name in found[0]}
    for name in ("data", "test_data"):
        shared[name] = shared[name] and Path(shared[name]).name
    publish("job_ablation", figures, shared, options.seed, {"seeds": found}, options.save)


if __name__ == "__main__":
    main()
