"""The main job, end to end, against random networks that are as fast: `python -m benchmarks.main_job --seeds 5 --json`.

For every seed: profile, learn, search under the median budget, ship and verify. Then ten random networks whose
measured latency is equal or lower are trained the same way (supernet weights, recipe, seed), and the winner's test
accuracy is compared with their mean and with the one that validation would choose among them.
"""

from __future__ import annotations

import argparse
import tempfile
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

import numpy as np

from benchmarks._speak import add_output_options, publish, say
from hwnas.cli.display import ConsoleDisplay
from hwnas.run import Run, Settings
from hwnas.spaces import Genotype, Population, unique_genotypes

RANDOM_NETWORKS = 10


@dataclass(frozen=True)
class SeedOutcome:
    """What one seed brought; accuracies in percent."""

    seed: int
    seconds: float
    arch: str
    attempts: int
    budget_ms: float
    predicted_ms: float
    measured_ms: float
    verified: bool
    test_accuracy_pct: float
    validation_accuracy_pct: float
    parity_max_abs: float
    heldout_mape_pct: float
    heldout_within5_pct: float
    predictor_tau: float
    random_test_pct: tuple[float, ...]
    random_validation_pct: tuple[float, ...]
    random_true_class_probability: tuple[float, ...]
    random_ms: tuple[float, ...]

    @property
    def pred_error_pct(self) -> float:
        """|predicted - measured| in percent of measured."""
        return 100 * abs(self.predicted_ms / self.measured_ms - 1)

    @property
    def beats_mean(self) -> bool:
        """Above the mean of the random networks."""
        return self.test_accuracy_pct > float(np.mean(self.random_test_pct))

    @property
    def reaches_validation_choice(self) -> bool:
        """At least the random network with the highest validation accuracy (the first of equals)."""
        return self.test_accuracy_pct >= self.random_test_pct[int(np.argmax(self.random_validation_pct))]

    @property
    def reaches_probability_choice(self) -> bool:
        """At least the random network that our own rule, true_class_probability on validation, would choose."""
        return self.test_accuracy_pct >= self.random_test_pct[int(np.argmax(self.random_true_class_probability))]


def as_fast(run: Run, winner: Genotype, seed: int) -> tuple[Population, list[float]]:
    """Random networks whose latency, measured in the same rounds as the winner's, is equal or lower."""
    rng = np.random.default_rng([seed, 77])
    space, latency = run.inputs.space, run.profiling.latency()
    pool = unique_genotypes(space.sample(rng, 2000), exclude=[winner])
    limit_ms = float(latency.predict(winner[None]).ms[0])
    pool = pool[latency.predict(pool).ms <= limit_ms][: 3 * RANDOM_NETWORKS]
    together, bench = np.concatenate([winner[None], pool]), run.profiling.bench
    winner_ms, *others = bench.networks_ms(run.profiling.table, together, "random")
    keep = np.flatnonzero(np.array(others) <= winner_ms)[:RANDOM_NETWORKS]
    return pool[keep], [others[i] for i in keep]


def one_seed(settings: Settings, folder: Path) -> SeedOutcome:
    """The whole job with one seed, and its random competitors."""
    with ConsoleDisplay() as display, Run(settings, folder, display) as run:
        result = run.result()
        winner = run.inputs.space.from_text(result["arch"])
        rivals, rival_ms = as_fast(run, winner, settings.seed)
        test = [100 * run.branches.first.deployment.test_accuracy(arch) for arch in rivals]
        trained = [run.training.train(arch) for arch in rivals]
        return SeedOutcome(
            seed=settings.seed,
            seconds=sum(result["seconds"].values()),  # as each stage took it, also when resumed
            arch=result["arch"],
            attempts=result["attempts"],
            budget_ms=result["budget_ms"],
            predicted_ms=result["predicted_ms"],
            measured_ms=result["measured_ms"],
            verified=result["verified"],
            test_accuracy_pct=100 * result["test_accuracy"],
            validation_accuracy_pct=100 * run.training.train(winner).curve.validation_accuracy[-1],
            parity_max_abs=result["parity_max_abs"],
            heldout_mape_pct=result["heldout_mape_pct"],
            heldout_within5_pct=result["heldout_within5_pct"],
            predictor_tau=result["predictor_tau"],
            random_test_pct=tuple(test),
            random_validation_pct=tuple(100 * t.curve.validation_accuracy[-1] for t in trained),
            random_true_class_probability=tuple(t.true_class_probability for t in trained),
            random_ms=tuple(rival_ms),
        )


def figures(outcomes: list[SeedOutcome]) -> dict[str, float]:
    """The published figures."""
    return {
        "demo_seconds": float(np.median([o.seconds for o in outcomes])),
        "test_accuracy_pct": float(np.mean([o.test_accuracy_pct for o in outcomes])),
        "test_accuracy_pct_min": min(o.test_accuracy_pct for o in outcomes),
        "wins_over_random": sum(o.beats_mean for o in outcomes),
        "reaches_validation_choice": sum(o.reaches_validation_choice for o in outcomes),
        "reaches_probability_choice": sum(o.reaches_probability_choice for o in outcomes),
        "within_budget": sum(o.measured_ms <= o.budget_ms for o in outcomes),
        "verified": sum(o.verified for o in outcomes),
        "pred_error_pct_max": max(o.pred_error_pct for o in outcomes),
        "predictor_tau": float(np.mean([o.predictor_tau for o in outcomes])),
        "heldout_mape_pct": float(np.mean([o.heldout_mape_pct for o in outcomes])),
        "heldout_within5_pct": float(np.mean([o.heldout_within5_pct for o in outcomes])),
        "parity_max_abs": max(o.parity_max_abs for o in outcomes),
        "seeds": len(outcomes),
    }


def main() -> None:
    """Parse, run every seed, publish."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--seeds", type=int, default=5, help="how many seeds")
    parser.add_argument("--seed", type=int, default=0, help="the first seed")
    parser.add_argument("--data", default="digits", help="as for `hwnas run`")
    parser.add_argument("--test-data", help="as for `hwnas run`")
    parser.add_argument("--limit", type=int, help="as for `hwnas run`")
    parser.add_argument("--space", default="mbconv-32", help="as for `hwnas run`")
    parser.add_argument("--supernet-epochs", type=int, default=Settings.supernet_epochs)
    parser.add_argument("--pairs", type=int, default=Settings.pairs)
    parser.add_argument("--train-epochs", type=int, default=Settings.train_epochs)
    parser.add_argument("--quick", action="store_true", help="one seed, two epochs: the same protocol, in two minutes")
    parser.add_argument("--out", type=Path, help="keep the run folders here and resume from them")
    add_output_options(parser)
    options = parser.parse_args()
    if options.quick:
        options.seeds, options.supernet_epochs, options.pairs, options.train_epochs = 1, 2, 20, 2
    shared: dict[str, Any] = {
        name: getattr(options, name)
        for name in ("space", "data", "test_data", "limit", "supernet_epochs", "pairs", "train_epochs")
    }
    outcomes = []
    with tempfile.TemporaryDirectory() as scratch:
        for seed in range(options.seed, options.seed + options.seeds):
            outcome = one_seed(Settings(**shared, seed=seed), (options.out or Path(scratch)) / f"seed-{seed}")
            outcomes.append(outcome)
            say(
                f"seed {seed}: {outcome.test_accuracy_pct:.2f} % against {np.mean(outcome.random_test_pct):.2f} % on "
                f"average; {outcome.measured_ms:.4g} of {outcome.budget_ms:.4g} ms; {outcome.seconds:.0f} s"
            )
    shared["data"] = Path(shared["data"]).name
    shared["test_data"] = shared["test_data"] and Path(shared["test_data"]).name
    details = {"seeds": [asdict(o) for o in outcomes]}
    publish("main_job", figures(outcomes), shared, options.seed, details, options.save)


if __name__ == "__main__":
    main()
