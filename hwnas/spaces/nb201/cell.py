"""NAS-Bench-201 cells (Dong & Yang 2020): their text, and which of their ops a runtime executes.

A cell has four nodes; every earlier node feeds every later one through one of five ops, so six edges. Eager runtimes
execute every op. Those that compile the graph drop what the output does not depend on ("used" is the rest); those that
also fold zeros keep only live ops, on a path from input to output whose edges are not `none`.
"""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from hwnas.spaces.genotypes import ArchError
from latency_tables.arrays import Genotype, Population

OPS = ("none", "skip_connect", "nor_conv_1x1", "nor_conv_3x3", "avg_pool_3x3")
# In the order of the text: (from node, to node); node 0 is the input, node 3 the output.
EDGES = ((0, 1), (0, 2), (1, 2), (0, 3), (1, 3), (2, 3))
NODES = 4


def from_text(text: str) -> Genotype:
    """The genotype [6] of `|op~0|+|op~0|op~1|+|op~0|op~1|op~2|`: one index into `OPS` for each of `EDGES`.

    Raises `ArchError` that names the node or the op that does not parse.
    """
    problem = f"cannot parse {text!r:.160}:"
    nodes = text.strip().split("+")
    if len(nodes) != NODES - 1:
        raise ArchError(f"{problem} a NAS-Bench-201 cell has {NODES - 1} nodes joined by '+', got {len(nodes)}")
    genes = []
    for node, part in enumerate(nodes, start=1):
        words = part.split("|")
        if len(words) != node + 2 or words[0] or words[-1]:
            raise ArchError(f"{problem} node {node} must be {node} op(s), each between '|', got {part!r:.60}")
        for source, word in enumerate(words[1:-1]):
            op, tilde, origin = word.partition("~")
            if op not in OPS:
                raise ArchError(f"{problem} node {node} has the op {op!r:.30}, not one of {', '.join(OPS)}")
            if not tilde or origin != str(source):
                raise ArchError(f"{problem} op {source + 1} of node {node} must end in '~{source}', got {word!r:.40}")
            genes.append(OPS.index(op))
    return np.array(genes, dtype=np.int64)


def to_text(arch: Genotype) -> str:
    """The text of a genotype [6]; the inverse of `from_text`."""
    nodes: list[str] = [""] * (NODES - 1)
    for (source, node), gene in zip(EDGES, arch, strict=True):
        nodes[node - 1] += f"{OPS[gene]}~{source}|"
    return "+".join(f"|{node}" for node in nodes)


def op_counts(archs: Population, edges: NDArray[np.bool_] | None = None) -> NDArray[np.float64]:
    """How often each op on each edge occurs, [n, 30], edge-major, of genotypes [n, 6]; on some `edges` [n, 6] alone."""
    ops = np.eye(len(OPS))[archs]
    counted = ops if edges is None else ops * edges[:, :, None]
    return counted.reshape(len(archs), -1)


def used_edges(archs: Population) -> NDArray[np.bool_]:
    """Which edges the output depends on, [n, 6], of genotypes [n, 6]: what is left once dead code is gone.

    Runtimes that drop dead code rarely know that what `none` passes on is zero, so ops fed by it alone do run.
    """
    there = archs != OPS.index("none")
    wanted = np.zeros((len(archs), NODES), dtype=bool)
    wanted[:, -1] = True
    for edge, (source, node) in reversed(list(enumerate(EDGES))):
        wanted[:, source] |= wanted[:, node] & there[:, edge]
    used: NDArray[np.bool_] = there & wanted[:, [node for _, node in EDGES]]
    return used


def live_edges(archs: Population) -> NDArray[np.bool_]:
    """Which edges are on a path from input to output, [n, 6], of genotypes [n, 6]."""
    there = archs != OPS.index("none")
    fed = np.zeros((len(archs), NODES), dtype=bool)
    fed[:, 0] = True
    for edge, (source, node) in enumerate(EDGES):
        fed[:, node] |= fed[:, source] & there[:, edge]
    live: NDArray[np.bool_] = used_edges(archs) & fed[:, [source for source, _ in EDGES]]
    return live


def live_op_counts(archs: Population) -> NDArray[np.float64]:
    """As `op_counts`, [n, 30], but only of edges on a live path."""
    return op_counts(archs, live_edges(archs))


def live_op_statistics(archs: Population) -> NDArray[np.float64]:
    """How many skips, 1x1, 3x3 and pools are live, of the six there could be, and the log of their MACs, [n, 5].

    MACs are in 1x1 convolutions and their log as a fraction of six 3x3's.
    """
    live = live_op_counts(archs).reshape(len(archs), len(EDGES), len(OPS)).sum(axis=1)[:, 1:]
    macs = live @ (0, 1, 9, 0)  # as OPS without `none`
    most = np.log1p(9 * len(EDGES))
    return np.concatenate([live / len(EDGES), np.log1p(macs)[:, None] / most], axis=1)
