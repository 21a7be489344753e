"""An additive latency table from ten whole networks of a new device: `python -m benchmarks.few_shot --space nb201`.

Real devices of HELP (Lee et al. 2021). Networks are timed at random, all others are the test; figures are means over
seeds. Known devices are HELP's own pool (nb201), all but raspi4, pixel3, eyeriss and fpga (fbnet), all but titan_rtx
(ofa); `--no-prior` knows none. `best_proxy` is an upper bound: it picks the device by the test networks.

How the method was chosen: everything in latency_tables/few_shot.py and op_prior.py, the effects, their variances, the
degrees of freedom, the way to count dead code ("used": seen on pixel3), was settled by `--development`: the new device
is then one of the others, and its own kind is left out of the known ones (other batch sizes of a GPU; on fbnet every
GPU, Xeon or phone). The test devices' rows were used for these figures only; what had been looked at before is how
well a table fitted on *all* networks of each device can do.
"""

from __future__ import annotations

import argparse
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from scipy.stats import spearmanr

from benchmarks._few_shot_methods import Forecast, Method, Methods
from benchmarks._help_data import SPACES, Floats, Ints, load
from benchmarks._speak import DATA_FOLDER, add_output_options, publish, say

SWEEP = (5, 10, 20, 50, 100)
_CANDIDATES = 500  # a person who may choose does so among these


@dataclass(frozen=True)
class Score:
    """How one method does on one device with k timings, mean over seeds; `spearman_min` is the worst seed."""

    method: str
    device: str
    timings: int
    spearman: float
    spearman_min: float
    within5_pct: float
    within10_pct: float
    coverage_pct: float
    countings: str


def score_one(forecast: Forecast, ms: Floats, rows: Ints) -> tuple[float, ...]:
    """Spearman, shares within 5 and 10 % and inside the 90 % interval, over networks that were not timed."""
    test = np.ones(len(ms), dtype=bool)
    test[rows] = False
    truth, off = ms[test], np.abs(forecast.ms / ms - 1)[test]
    inside = np.nan
    if forecast.lower_ms is not None and forecast.upper_ms is not None:
        inside = 100.0 * ((forecast.lower_ms[test] <= truth) & (truth <= forecast.upper_ms[test])).mean()
    predicted = forecast.ms[test]
    # A forecast that is the same for all networks ranks none.
    rho = float(spearmanr(predicted, truth)[0]) if np.ptp(predicted) > 0 else 0.0
    return rho, 100.0 * (off <= 0.05).mean(), 100.0 * (off <= 0.10).mean(), inside


def timed_networks(methods: Methods, device: str, k: int, seed: int, chosen: str | None) -> Ints:
    """Rows of the k networks that are timed: random ones (the first k of one order a seed), or well chosen ones."""
    order = np.random.default_rng(seed).permutation(len(methods.data.ms[device]))
    return order[:k] if chosen is None else methods.choose(device, order[:_CANDIDATES], k, chosen == "with_prior")


def evaluate(
    methods: Methods, names: Sequence[str], devices: Sequence[str], k: int, seeds: Sequence[int], chosen: bool
) -> list[Score]:
    """Every method on every device."""
    found = []
    for device in devices:
        for name in names:
            method: Method = getattr(methods, name)
            single, counted = [], ""
            for seed in seeds:
                rows = timed_networks(methods, device, k, seed, name if chosen else None)
                forecast = method(device, rows)
                single.append(score_one(forecast, methods.data.ms[device], rows))
                counted += forecast.counting[:1]
            rho, within5, within10, inside = map(float, np.mean(single, axis=0))
            worst = min(s[0] for s in single)
            found.append(Score(name, device, k, rho, worst, within5, within10, inside, counted))
    return found


def figures(scores: Sequence[Score], main: str) -> dict[str, float]:
    """The published figures: those of `main` bare, those of the others with the method's name before them."""
    result: dict[str, float] = {}
    for method in sorted({s.method for s in scores}, key=lambda m: m != main):
        mine = [s for s in scores if s.method == method]
        before = "" if method == main else f"{method}."
        for name in ("spearman", "within5_pct", "within10_pct"):
            result[f"{before}{name}_mean"] = float(np.mean([getattr(s, name) for s in mine]))
            result |= {f"{before}{name}.{s.device}": float(getattr(s, name)) for s in mine}
        if not np.isnan(mine[0].coverage_pct):
            result[f"{before}interval_coverage_pct_mean"] = float(np.mean([s.coverage_pct for s in mine]))
    return result


def plot(scores: Sequence[Score], space: str, path: Path) -> None:
    """Spearman and shares within 5 and 10 % against the number of timings, mean over devices, a line a method."""
    from matplotlib.figure import Figure

    figure = Figure(figsize=(12, 4), layout="constrained")
    panels = figure.subplots(1, 3)
    sizes = sorted({s.timings for s in scores})
    names = ("spearman", "within5_pct", "within10_pct")
    titles = ("Spearman", "networks within ±5 %", "networks within ±10 %")
    for axes, name, title in zip(panels, names, titles, strict=True):
        for method in dict.fromkeys(s.method for s in scores):
            ours = method.startswith("with")
            line = [np.mean([getattr(s, name) for s in scores if (s.method, s.timings) == (method, k)]) for k in sizes]
            style = {"linewidth": 2.2, "marker": "o"} if ours else {"linewidth": 1.2, "marker": ".", "linestyle": "--"}
            axes.plot(sizes, line, label=method.replace("_", " "), **style)
        axes.set(title=title, xlabel="timed networks", xscale="log", ylim=(None, 1 if name == "spearman" else 100))
        axes.set_xticks(sizes, [str(k) for k in sizes])
        axes.minorticks_off()
        axes.grid(alpha=0.3)
    panels[0].legend(loc="lower right", fontsize=8)
    devices = list(dict.fromkeys(s.device for s in scores))
    figure.suptitle(f"{space}: an additive table from few whole networks ({', '.join(devices)})", fontsize=11)
    path.parent.mkdir(parents=True, exist_ok=True)
    figure.savefig(path, dpi=110)


def _tell(scores: Sequence[Score]) -> None:
    say(f"{'method':<14} {'device':<15}    k  Spearman  worst  +-5 % +-10 % in 90 %")
    for s in scores:
        say(
            f"{s.method:<14} {s.device:<15} {s.timings:>4} {s.spearman:>9.4f} {s.spearman_min:>6.3f} "
            f"{s.within5_pct:>6.1f} {s.within10_pct:>6.1f} {s.coverage_pct:>7.1f}"
        )


def main() -> None:
    """Parse, fit, publish."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--space", choices=SPACES, default="nb201", help="whose networks")
    parser.add_argument("--timings", type=int, default=10, help="how many networks of the new device are timed")
    parser.add_argument("--seeds", type=int, default=20, help="how many draws of the timed networks")
    parser.add_argument("--seed", type=int, default=0, help="the first seed")
    parser.add_argument("--prior", action=argparse.BooleanOptionalAction, default=True, help="know other devices")
    parser.add_argument("--choose", action="store_true", help="time well chosen networks, not random ones (ours only)")
    parser.add_argument("--development", action="store_true", help="on the development devices, see above")
    parser.add_argument("--sweep", action="store_true", help=f"also with {', '.join(map(str, SWEEP))} timings")
    parser.add_argument("--data-folder", type=Path, default=DATA_FOLDER, help="where help_*_latency.csv.gz are")
    parser.add_argument("--quick", action="store_true", help="three seeds: the same protocol, in seconds")
    parser.add_argument("--plot", type=Path, help="draw the sweep into this PNG (implies --sweep)")
    add_output_options(parser)
    options = parser.parse_args()
    if options.timings < 5 or options.seeds < 1:
        parser.error("--timings must be at least 5 and --seeds at least 1")
    if options.quick:
        options.seeds = min(options.seeds, 3)
    data = load(options.space, options.data_folder)
    methods = Methods(data)
    devices = data.development_devices if options.development else data.test_devices
    ours = ["with_prior"] * options.prior + ["without_prior"]
    others = ["macs", "ridge", "pooled_ridge", *(["mixture", "chosen_proxy", "best_proxy"] * options.prior)]
    names = ours if options.choose else [*ours, *others]
    seeds = range(options.seed, options.seed + options.seeds)
    sizes = sorted({options.timings, *(SWEEP if options.sweep or options.plot else ())})
    scores = [s for k in sizes for s in evaluate(methods, names, devices, k, seeds, options.choose)]
    _tell(scores)
    if options.plot:
        plot(scores, options.space, options.plot)
    settings = {
        name: getattr(options, name)
        for name in ("space", "timings", "seeds", "prior", "choose", "development", "sweep")
    }
    published = figures([s for s in scores if s.timings == options.timings], ours[0])
    for k in sizes if len(sizes) > 1 else ():
        mine = figures([s for s in scores if (s.method, s.timings) == (ours[0], k)], ours[0])
        published |= {f"{k}_timings.{name}": value for name, value in mine.items() if name.endswith("_mean")}
    details = {"scores": [vars(s) for s in scores]}
    publish("few_shot", published, settings, options.seed, details, options.save)


if __name__ == "__main__":
    main()
