"""Best validation accuracy so far against queries, one panel a data set, one line a strategy."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path

import matplotlib
import numpy as np

from benchmarks._sampling_runs import Outcome

matplotlib.use("Agg")


def plot(outcomes: Mapping[str, Sequence[Outcome]], queries: int, path: Path) -> None:
    """Percent points below the best network of the space, mean over seeds with its standard error."""
    from matplotlib import pyplot

    panels = list(dict.fromkeys(name.split()[0] for name in outcomes))
    figure, axes = pyplot.subplots(
        1, len(panels), figsize=(4.6 * len(panels), 3.6), squeeze=False, layout="constrained"
    )
    for panel, axis in zip(panels, axes[0], strict=True):
        for name, found in outcomes.items():
            if name.split()[0] != panel:
                continue
            best = np.array([np.maximum.accumulate(_padded(o.validation, queries)) for o in found])
            gap = np.array([o.optimum for o in found])[:, None] - best
            mean, error = gap.mean(axis=0), gap.std(axis=0) / len(gap) ** 0.5
            x = np.arange(1, queries + 1)
            (line,) = axis.plot(x, mean, label=" ".join(name.split()[1:]), linewidth=1.6)
            axis.fill_between(x, mean - error, mean + error, color=line.get_color(), alpha=0.15, linewidth=0)
        axis.set(title=panel, xlabel="networks asked", yscale="log", ylim=(0.01, 10), xlim=(1, queries))
        axis.grid(alpha=0.25)
    axes[0][0].set_ylabel("validation accuracy below the best, points")
    axes[0][-1].legend(fontsize=7, frameon=False)
    path.parent.mkdir(parents=True, exist_ok=True)
    figure.savefig(path, dpi=130)
    pyplot.close(figure)


def _padded(values: Sequence[float], length: int) -> np.ndarray:
    """A run that saw every network there is ends early."""
    return np.concatenate([values, np.full(length - len(values), max(values))])
