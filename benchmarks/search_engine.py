"""How fast and how good the search itself is: `python -m benchmarks.search_engine`.

On once-for-all's MobileNetV3 space, with the same random table for both sides: networks estimated a second against the
`ofa` package's own table, and the best accuracy under ten budgets, exact against its evolution (additive accuracy), and
by a neural predictor against its evolution, pymoo and optuna. Comparisons are in pairs inside one run, on one core.
Then a brute-force check over a sub-space, how time grows, and what is lost when workers and their driver are killed.

Needs the rival: `pip install 'hwnas[rivals]'`.
"""

from __future__ import annotations

import argparse
import time
from collections.abc import Callable, Iterator, Mapping
from functools import partial
from typing import Any

import numpy as np
import psutil
import torch
from numpy.typing import NDArray

from benchmarks._global_genes import global_genes
from benchmarks._growth import growth, plot_growth
from benchmarks._mlp_search import mlp
from benchmarks._ofa_package import OfaTwin
from benchmarks._predict_share import predict_share
from benchmarks._ray_kill import killed_workers
from benchmarks._speak import add_output_options, listed, publish, say
from benchmarks._timing import seconds, timed
from hwnas.search import Budget, InfeasibleBudget, best_network, exact_front
from hwnas.spaces import Subspace
from latency_tables.additive.gather import LookUps
from latency_tables.additive.joint import every_value

Figures = dict[str, float]

PARTS = ("estimation", "predict", "exact", "mlp", "infeasible", "global-genes", "brute-force", "growth", "ray")
_COPIED = 256 * 2**20  # bytes: many times what any cache holds


def estimation(twin: OfaTwin, rounds: int, count: int) -> tuple[Figures, Mapping[str, Any]]:
    """Networks a second, ours and theirs in turn; and ours as a share of what this machine copies.

    A search asks for milliseconds and accuracy, and these share the finding of where to look: the share is that of both
    together, and beside it that of milliseconds alone.
    """
    archs = twin.space.sample(np.random.default_rng(1), count)
    by_gene = np.asfortranarray(archs.astype(np.uint8))
    one, both = twin.ms.beside(), twin.ms.beside(twin.accuracy)
    specs = twin.specs(archs[: count // 1000])
    their_ms = np.array([twin.their_ms(s) for s in specs])
    assert np.abs(one(archs[: len(specs)])[0] - their_ms).max() < 1e-9, "both sides must estimate the same"
    source = np.ones(_COPIED, dtype=np.uint8)
    target = np.empty_like(source)
    ours, ours_of_both, theirs, ours_in_rows, copies = [], [], [], [], []
    for _ in range(rounds):
        ours.append(count / seconds(lambda: one(by_gene)))
        ours_of_both.append(count / seconds(lambda: both(by_gene)))
        ours_in_rows.append(count / seconds(lambda: one(archs)))
        asked = seconds(lambda: [twin.their_ms(s) for s in specs])
        theirs.append(len(specs) / asked)
        copies.append(2 * _COPIED / seconds(lambda: np.copyto(target, source)))
    figures = {
        "archs_per_second": float(np.median(ours)),
        "archs_per_second_both": float(np.median(ours_of_both)),
        "archs_per_second_int64_rows": float(np.median(ours_in_rows)),
        "ratio_vs_ofa_estimator": float(np.median(np.divide(ours, theirs))),
        "bandwidth_pct": _moved(by_gene, both) * 100 * float(np.median(np.divide(ours_of_both, copies))),
        "bandwidth_pct_ms_alone": _moved(by_gene, one) * 100 * float(np.median(np.divide(ours, copies))),
    }
    return figures, {"ofa_archs_per_second": float(np.median(theirs)), "copy_gb_per_second": np.median(copies) / 1e9}


def _moved(by_gene: NDArray[np.uint8], look_ups: LookUps) -> int:
    """Bytes a network: its genes are read once; for each column values are looked up, in caches, and a sum written."""
    return int(by_gene.shape[1]) + look_ups.columns * 8 * (len(look_ups) + 1)


def exact(twin: OfaTwin, budgets: int, generations: int) -> tuple[Figures, Mapping[str, Any]]:
    """The best additive accuracy under budgets over the whole range: exact, and theirs by evolution.

    An exact front is a proof by construction; a mixed-integer programme gives a second one, timed apart.
    """
    costs = twin.ms(twin.space.sample(np.random.default_rng(2), 2000))
    limits = np.quantile(costs, np.linspace(0.05, 0.95, budgets))
    rows = []
    for seed, limit in enumerate(map(float, limits)):
        front, ours = timed(partial(exact_front, twin.space, twin.accuracy, twin.ms, limit))
        budget = Budget("ms", limit, twin.ms)
        answer, proof = timed(partial(best_network, twin.space, twin.accuracy, [budget]))
        (their_accuracy, their_ms), theirs = timed(partial(twin.evolve, limit, seed, generations))
        accuracy, ms = float(front.value[-1]), float(front.cost[-1])
        rows.append(
            {"budget_ms": limit, "accuracy": accuracy, "ms": ms, "bound": answer.bound}
            | {"seconds": ours, "proof_seconds": proof}
            | {"ofa_accuracy": their_accuracy, "ofa_ms": their_ms, "ofa_seconds": theirs}
        )
        say(f"{limit:.3g} ms: exact {accuracy:.4f} (none above {answer.bound:.4f}), evolution {their_accuracy:.4f}")
    figures = {
        "exact_never_worse": float(sum(r["accuracy"] >= r["ofa_accuracy"] - 1e-9 for r in rows)),
        "exact_better": float(sum(r["accuracy"] > r["ofa_accuracy"] + 1e-9 for r in rows)),
        "exact_proven": float(sum(r["bound"] - r["accuracy"] < 1e-5 for r in rows)),
        "ratio_vs_ofa_evolution": float(np.median([r["ofa_seconds"] / r["seconds"] for r in rows])),
        "ratio_with_second_proof": float(
            np.median([r["ofa_seconds"] / (r["seconds"] + r["proof_seconds"]) for r in rows])
        ),
    }
    return figures, {"budgets": rows}


def infeasible(twin: OfaTwin) -> tuple[Figures, Mapping[str, Any]]:
    """How long the answer takes that nothing is so fast."""

    def refusal(solve: Callable[[], object]) -> str:
        try:
            solve()
        except InfeasibleBudget as e:
            return str(e)
        raise AssertionError("a budget of half a millisecond must be refused")

    two = [Budget("ms", 0.5, twin.ms), Budget("mJ", 100.0, twin.ms.scaled(3.0))]
    one, first = timed(partial(refusal, partial(exact_front, twin.space, twin.accuracy, twin.ms, 0.5)))
    several, second = timed(partial(refusal, partial(best_network, twin.space, twin.accuracy, two)))
    return {"infeasible_seconds": max(first, second)}, {"messages": [one, several]}


def brute_force(twin: OfaTwin, count: int) -> tuple[Figures, Mapping[str, Any]]:
    """A sub-space of at least `count` networks, streamed; the best under three limits must be the exact ones."""
    cardinalities, networks = [1] * len(twin.space.cardinalities), 1
    for gene, values in enumerate(twin.space.cardinalities):
        if networks < count:
            cardinalities[gene], networks = values, networks * values
    part = Subspace(twin.space, {gene: range(values) for gene, values in enumerate(cardinalities)})
    value, cost = twin.accuracy.restricted(part.allowed), twin.ms.restricted(part.allowed)
    front = exact_front(part, value, cost)
    limits = front.cost[0] + np.array([0.25, 0.5, 0.75]) * np.ptp(front.cost)
    best, memory = np.full(len(limits), -np.inf), []
    start = time.perf_counter()
    for block in _blocks(cardinalities):
        ms, accuracy = cost(block), value(block)
        best = np.maximum(best, [accuracy.max(where=ms <= limit, initial=-np.inf) for limit in limits])
        memory.append(psutil.Process().memory_info().rss)
    rate = networks / (time.perf_counter() - start)
    wanted = [front.value[front.best(limit)] for limit in limits]
    agrees = np.allclose(best, wanted, rtol=0, atol=1e-9)
    figures = {
        "streamed": float(networks),
        "streamed_per_second": rate,
        "brute_force_agrees": float(agrees),
        "memory_growth_mb": (memory[-1] - memory[0]) / 1e6,
    }
    return figures, {"limits_ms": limits.tolist(), "best": best.tolist(), "exact": [float(w) for w in wanted]}


def _blocks(cardinalities: list[int], size: int = 1_000_000) -> Iterator[NDArray[np.uint8]]:
    """All genotypes, about `size` at a time in one buffer, gene-major: the last genes change first."""
    inner = len(cardinalities)
    while inner and np.prod(cardinalities[inner - 1 :]) <= size:
        inner -= 1
    inside = range(inner, len(cardinalities))
    block = np.ascontiguousarray(every_value(cardinalities, inside).T, dtype=np.uint8)
    for outside in np.ndindex(*cardinalities[:inner]):
        block[:inner] = np.array(outside, dtype=np.uint8)[:, None]
        yield block.T


def main() -> None:
    """Parse, measure each part, publish."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--parts", default="all", help=f"{', '.join(PARTS)}; several with commas between")
    parser.add_argument("--rounds", type=int, default=9, help="pairs of estimations")
    parser.add_argument("--budgets", type=int, default=10)
    parser.add_argument("--generations", type=int, default=500, help="of the rival's evolution, 100 networks each")
    parser.add_argument("--networks", type=float, default=1e9, help="at least so many for the brute-force check")
    parser.add_argument("--seed", type=int, default=1, help="of the tables; 0 is what the search was tuned on")
    parser.add_argument("--quick", action="store_true", help="3 budgets, 50 generations, 1e7 networks, less growth")
    add_output_options(parser)
    args = parser.parse_args()
    if args.quick:
        args.rounds, args.budgets, args.generations, args.networks = 3, 3, 50, 1e7
    parts = listed(parser, "part", args.parts, PARTS)
    torch.set_num_threads(1)
    twin = OfaTwin(args.seed)
    figures: Figures = {}
    details: dict[str, Any] = {}
    run: dict[str, Callable[[], tuple[Figures, Mapping[str, Any]]]] = {
        "estimation": lambda: estimation(twin, args.rounds, 200_000 if args.quick else 2_000_000),
        "predict": lambda: predict_share(args.rounds, 200_000 if args.quick else 2_000_000),
        "exact": lambda: exact(twin, args.budgets, args.generations),
        "mlp": lambda: mlp(args.seed, args.budgets, 1_000 if args.quick else 50_000),
        "infeasible": lambda: infeasible(twin),
        "global-genes": lambda: global_genes(args.seed),
        "brute-force": lambda: brute_force(twin, int(args.networks)),
        "growth": lambda: growth(args.quick),
        "ray": lambda: killed_workers(20 if args.quick else 200),
    }
    for part in parts:
        found, details[part] = run[part]()
        figures |= found
        say(f"{part}: " + ", ".join(f"{k} {v:.4g}" for k, v in found.items()))
    if args.save is not None and "growth" in details:
        plot_growth(details["growth"], args.save.with_suffix(".png"))
    settings = {k: getattr(args, k) for k in ("rounds", "budgets", "generations", "networks")} | {"parts": parts}
    publish("search_engine", figures, settings, args.seed, details, args.save)


if __name__ == "__main__":
    main()
