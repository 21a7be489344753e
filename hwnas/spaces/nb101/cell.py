"""NAS-Bench-101 cells (Ying et al. 2019): graphs of up to seven vertices, an op on each between input and output.

A genotype is the 21 possible edges from lower to higher vertices, row by row, then the ops of vertices 1 to 5. What is
on no path from input to output is not built: `canonical` clears it. A graph without any path becomes the one edge from
input to output.
"""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
from numpy.typing import NDArray

from hwnas.spaces.genotypes import ArchError
from latency_tables.arrays import Genotype, Population

OPS = ("conv1x1", "conv3x3", "maxpool3x3")
VERTICES = 7
INPUT, OUTPUT = 0, VERTICES - 1
PAIRS = tuple((i, j) for i in range(VERTICES) for j in range(i + 1, VERTICES))
CARDINALITIES = (2,) * len(PAIRS) + (len(OPS),) * (VERTICES - 2)

_ROWS, _COLUMNS = (np.array(side) for side in zip(*PAIRS, strict=True))


def adjacency(population: Population) -> NDArray[np.bool_]:
    """Edges [n, 7, 7] from row to column, of genotypes [n, 26]."""
    matrix = np.zeros((len(population), VERTICES, VERTICES), dtype=bool)
    matrix[:, _ROWS, _COLUMNS] = population[:, : len(PAIRS)] == 1
    return matrix


def vertex_ops(population: Population) -> Population:
    """Indices into `OPS` of vertices 1 to 5, [n, 5], of genotypes [n, 26]."""
    return population[:, len(PAIRS) :]


def on_a_path(edges: NDArray[np.bool_]) -> NDArray[np.bool_]:
    """Which vertices are on a path from input to output, [n, 7], of edges [n, 7, 7]."""
    fed, wanted = np.zeros(edges.shape[:2], dtype=bool), np.zeros(edges.shape[:2], dtype=bool)
    fed[:, INPUT] = wanted[:, OUTPUT] = True
    for vertex in range(VERTICES):
        fed[:, vertex] |= (fed & edges[:, :, vertex]).any(axis=1)
    for vertex in reversed(range(VERTICES)):
        wanted[:, vertex] |= (wanted & edges[:, vertex]).any(axis=1)
    both: NDArray[np.bool_] = fed & wanted
    return both


def canonical(population: Population) -> Population:
    """Genotypes [n, 26] without edges and ops of vertices on no path, and never without a path."""
    clean, edges = population.copy(), adjacency(population)
    kept = on_a_path(edges)
    clean[:, : len(PAIRS)] *= kept[:, _ROWS] & kept[:, _COLUMNS]
    clean[:, len(PAIRS) :] *= kept[:, 1:OUTPUT]
    clean[~kept[:, OUTPUT], PAIRS.index((INPUT, OUTPUT))] = 1
    return clean


def from_matrix(matrix: Sequence[Sequence[int]], ops: Sequence[str]) -> Genotype:
    """The canonical genotype [26] of an upper triangular matrix of k <= 7 vertices and the k - 2 ops between its ends.

    Raises `ArchError` for what is no such graph.
    """
    square, k = np.asarray(matrix), len(matrix)
    if square.shape != (k, k) or not 2 <= k <= VERTICES or np.tril(square).any() or not np.isin(square, (0, 1)).all():
        raise ArchError(
            f"a cell of NAS-Bench-101 is an upper triangular matrix of 0 and 1, at most 7 x 7, got {k} rows"
        )
    if len(ops) != k - 2 or not set(ops) <= set(OPS):
        raise ArchError(f"a cell of {k} vertices has {k - 2} ops of {', '.join(OPS)}, got {' '.join(ops)!r:.80}")
    place = [*range(k - 1), OUTPUT]
    genes = np.zeros(len(CARDINALITIES), dtype=np.int64)
    for i, j in zip(*np.nonzero(square), strict=True):
        genes[PAIRS.index((place[i], place[j]))] = 1
    genes[len(PAIRS) : len(PAIRS) + k - 2] = [OPS.index(op) for op in ops]
    clean: Genotype = canonical(genes[None])[0]
    return clean


def channels(edges: NDArray[np.bool_], outputs: int) -> list[int]:
    """How many channels each of the seven vertices of one canonical cell [7, 7] has; the output has `outputs`.

    Vertices that feed the output share its channels out, the first get one more where they do not divide; the others
    have as many as the widest they feed (appendix S2 of the paper and its code). Absent vertices have 0.
    """
    widths = [0] * VERTICES
    widths[OUTPUT] = outputs
    last = [v for v in range(1, OUTPUT) if edges[v, OUTPUT]]
    for rank, vertex in enumerate(last):
        widths[vertex] = outputs // len(last) + (rank < outputs % len(last))
    for vertex in reversed(range(1, OUTPUT)):
        if not edges[vertex, OUTPUT]:
            widths[vertex] = max((widths[v] for v in range(vertex + 1, OUTPUT) if edges[vertex, v]), default=0)
    return widths


def path_statistics(population: Population) -> NDArray[np.float64]:
    """Width, depth and shortcuts in a few numbers, [n, 1 + 3 * 4]: as `nb201.paths.path_statistics`.

    The log of the number of paths; then for each op, and for convolutions together, how many are on the path with the
    fewest, with the most, and on the average path.
    """
    edges = adjacency(population)
    weights = np.zeros((len(population), VERTICES, len(OPS) + 1))
    weights[:, 1:OUTPUT, : len(OPS)] = np.eye(len(OPS))[vertex_ops(population)]
    weights[:, :, -1] = weights[:, :, :2].sum(axis=2)
    weights *= on_a_path(edges)[:, :, None]
    paths = np.zeros((len(population), VERTICES))
    fewest, most, total = (np.zeros_like(weights) for _ in range(3))
    paths[:, INPUT] = 1
    for vertex in range(1, VERTICES):
        own, there = weights[:, vertex], edges[:, :vertex, vertex, None]
        paths[:, vertex] = (paths[:, :vertex] * there[:, :, 0]).sum(axis=1)
        total[:, vertex] = (total[:, :vertex] * there).sum(axis=1) + own * paths[:, vertex, None]
        fewest[:, vertex] = own + np.where(there, fewest[:, :vertex], np.inf).min(axis=1)
        most[:, vertex] = own + np.where(there, most[:, :vertex], -np.inf).max(axis=1)
    mean = total[:, OUTPUT] / paths[:, OUTPUT, None]
    columns = [np.log(paths[:, OUTPUT, None]), fewest[:, OUTPUT], most[:, OUTPUT], mean]
    return np.concatenate(columns, axis=1)
