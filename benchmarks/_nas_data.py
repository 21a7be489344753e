"""Networks that somebody has trained: all of NAS-Bench-201 and NAS-Bench-Macro, 500 of NAS-Bench-101; real latencies.

The files are not part of this project: they lie in a folder beside the repository.
"""

from __future__ import annotations

import csv
import gzip
import sys
from pathlib import Path

import numpy as np

from benchmarks._speak import DATA_FOLDER, say
from hwnas.accuracy import TabularBenchmark
from hwnas.search import Budget
from hwnas.spaces import ArchTable, ArchTableError, NasBench101, NasBench201, NasBenchMacro
from hwnas.spaces.nb101 import cell as nb101

DATASETS = {"nb201": ("c10", "c100", "in16"), "nasbench-macro": ("c10",), "nb101": ("c10",)}
COMPLETE = ("nb201", "nasbench-macro")  # every network of the space is there, so a strategy may ask for any
TEST = "test"


def load(space: str, dataset: str, folder: Path = DATA_FOLDER) -> TabularBenchmark:
    """A benchmark whose estimate is validation accuracy and which can look up `TEST`.

    NAS-Bench-201: one seed's validation after 200 epochs, the mean test. NAS-Bench-Macro (the mean of three seeds) and
    NAS-Bench-101 have one figure for both. Ends the program with code 2 and one plain line when the file is absent or
    not right.
    """
    try:
        if space == "nasbench-macro":
            return _renamed(folder / "nas_bench_macro.csv.gz", NasBenchMacro(), "arch", "mean_acc", "mean_acc")
        if space == "nb101":
            return _nb101(folder / "nasbench101_zc500.csv.gz")
        columns = f"{dataset}_val_200_naslib", f"{dataset}_test_200"
        return _renamed(folder / "nb201_accuracy.csv.gz", NasBench201(), "arch_str", *columns)
    except ArchTableError as e:
        say(f"{e}; name the folder of the benchmarks with --data-folder")
        sys.exit(2)


def _renamed(path: Path, space: NasBench201 | NasBenchMacro, arch: str, validation: str, test: str) -> TabularBenchmark:
    read = TabularBenchmark.from_file(path, space, arch=arch, validation=validation, others=[test])
    columns = {"validation": read.table.columns[validation], TEST: read.table.columns[test]}
    return TabularBenchmark(ArchTable(space, read.population, columns, str(path)), "validation")


def _nb101(path: Path) -> TabularBenchmark:
    """Graphs are matrices and codes of ops there; some are the same once pruned: the first is kept."""
    space, ops = NasBench101(), {"2": "maxpool3x3", "3": "conv1x1", "4": "conv3x3"}
    try:
        with gzip.open(path, "rt", newline="") as file:
            rows = list(csv.DictReader(file))
    except OSError as e:
        raise ArchTableError(f"{path}: {e.strerror or e}") from None
    matrices = [np.array(list(map(int, row["adjacency_flat"]))).reshape(7, 7).tolist() for row in rows]
    codes = [[ops[code] for code in row["ops"].split()[1:-1]] for row in rows]
    archs = np.stack([nb101.from_matrix(m, o) for m, o in zip(matrices, codes, strict=True)])
    first = np.sort(np.unique(archs, axis=0, return_index=True)[1])
    accuracy = np.array([float(row["val_accuracy"]) / 100 for row in rows])[first]
    return TabularBenchmark(
        ArchTable(space, archs[first], {"validation": accuracy, TEST: accuracy}, str(path)), "validation"
    )


def device_budget(benchmark: TabularBenchmark, device: str, percentile: float, folder: Path = DATA_FOLDER) -> Budget:
    """Milliseconds that `percentile` % of all NAS-Bench-201 cells keep on a device of HELP, as it was measured."""
    path = folder / "help_nb201_latency.csv.gz"
    try:
        table = ArchTable.from_file(path, benchmark.table.space, "arch_str", [device])
    except ArchTableError as e:
        say(f"{e}; name the folder of HELP's latencies with --data-folder")
        sys.exit(2)
    limit = float(np.percentile(table.columns[device], percentile))
    return Budget("ms", limit, lambda population: table.look_up(population, device))
