"""Sums of tables over a few genes each, for many networks at a time: at the speed of memory, in one thread."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from itertools import zip_longest
from math import prod
from operator import itemgetter
from typing import Any

import numpy as np
from numpy.typing import NDArray

from latency_tables.additive.joint import shape_of
from latency_tables.arrays import Floats

Integers = NDArray[np.integer]
Genes = tuple[int, ...]
Tables = Mapping[Genes, Floats]

_CHUNK = 32768  # networks at a time: what is worked in stays in the cache
_PACKED = 20_000  # values of a table that is gathered from: they stay there too
_DIMENSIONS = 32  # of an array, at most: genes of one value need no more values
_BYTE = 256  # values


class LookUps:
    """Called with genotypes [n, genes] it gives a column [n] for each of several `tables`: the sum of all of its own.

    Where to look is found once for all columns, and two columns are looked up at once. A table has an axis for each of
    its genes.
    """

    def __init__(self, cardinalities: Sequence[int], tables: Sequence[Tables]):
        self.cardinalities, self.columns = tuple(cardinalities), len(tables)
        self._gathers = []
        for genes, parts in _packed(self.cardinalities, {genes for of_one in tables for genes in of_one}):
            mine = [{p: of_one[p] for p in parts if p in of_one} for of_one in tables]
            values = [of_joint(self.cardinalities, m, genes) for m in mine]
            joint = _joined([(gene, self.cardinalities[gene]) for gene in genes])
            self._gathers.append(_Gather(joint, tuple(_in_pairs(values))))

    def __len__(self) -> int:
        """How many values are looked up for one network and column."""
        return len(self._gathers)

    def __call__(self, population: Integers) -> tuple[Floats, ...]:
        """The sums, [n] each; fastest where genotypes lie gene after gene in bytes (Fortran order)."""
        first, *others = self._gathers
        totals = [np.empty(len(population), dtype=values.dtype) for values in first.values]
        found = [np.empty(_CHUNK, dtype=values.dtype) for values in first.values]
        index = np.empty(_CHUNK, dtype=np.intp)
        narrow = np.min_scalar_type(max(self.cardinalities))
        for start in range(0, len(population), _CHUNK):
            rows = population[start : start + _CHUNK]
            if not population.flags.f_contiguous:
                rows = np.asfortranarray(rows.astype(narrow))
            sums, here = [total[start : start + _CHUNK] for total in totals], slice(len(rows))
            first.look_up(rows.T, index[here], sums)
            for gather in others:
                gather.look_up(rows.T, index[here], [more[here] for more in found])
                for total, more in zip(sums, found, strict=True):
                    total += more[here]
        return tuple(part for total in totals for part in _parts(total))


def of_joint(cardinalities: Sequence[int], tables: Tables, genes: Genes) -> Floats:
    """What `tables` of some ascending `genes` or fewer add up to at every joint value, the last gene's first, [states].

    Tables of other genes are left out.
    """
    total, wanted = np.zeros(shape_of(cardinalities, genes)), frozenset(genes)
    for mine, table in tables.items():
        if wanted.issuperset(mine):
            ascending = table.transpose(np.argsort(mine)) if len(mine) > 1 else table
            total += ascending.reshape([cardinalities[g] if g in mine else 1 for g in genes])
    return total.ravel()


def _packed(cardinalities: Sequence[int], together: Iterable[Genes]) -> list[tuple[Genes, list[Genes]]]:
    """Ascending genes to gather at, and the tables that covers: as few gathers as stay in the cache, for each costs."""
    packed: list[tuple[Genes, list[Genes]]] = []
    for genes in sorted({(0,), *together}, key=lambda g: (min(g, default=0), g)):
        union = tuple(sorted({*packed[-1][0], *genes})) if packed else tuple(sorted(genes))
        small = len(union) <= _DIMENSIONS and prod(shape_of(cardinalities, union)) <= _PACKED
        if packed and (small or not packed[-1][0]):
            packed[-1] = union, [*packed[-1][1], genes]
        else:
            packed.append((tuple(sorted(genes)), [genes]))
    return packed


def _in_pairs(columns: Sequence[Floats]) -> Iterator[NDArray[np.inexact]]:
    """Two columns as the parts of complex numbers, which are looked up in the time of one; the last as it is if odd."""
    for first, second in zip_longest(columns[::2], columns[1::2]):
        yield first if second is None else first + 1j * second


def _parts(total: NDArray[Any]) -> tuple[Floats, ...]:
    """The columns of one such pair."""
    return (total.real, total.imag) if np.iscomplexobj(total) else (total,)


@dataclass(frozen=True)
class _Gather:
    """Look-ups at one joint value: its index [n] of genotypes [genes, n], and values [states] in pairs of columns."""

    joint: Callable[[Integers], Integers]
    values: tuple[NDArray[np.inexact], ...]

    def look_up(self, by_gene: Integers, index: NDArray[np.intp], found: Sequence[NDArray[np.inexact]]) -> None:
        """Of genotypes [genes, n] into every `found` [n]; `index` [n] is worked in."""
        index[:] = self.joint(by_gene)
        for values, here in zip(self.values, found, strict=True):
            np.take(values, index, out=here, mode="clip")  # without a mode it would copy


def _joined(genes: Sequence[tuple[int, int]]) -> Callable[[Integers], Integers]:
    """Which joint value some genes, each with its number of values, have: [n] of [genes, n].

    In the narrowest integers, for those are counted many at a time: bytes as long as they will do.
    """
    if len(genes) == 1:
        return itemgetter(genes[0][0])
    states = np.cumprod([values for _, values in genes])
    cut = max(1, int((states[:-1] <= _BYTE).sum()))
    narrow = np.min_scalar_type(int(states[-1]) - 1)
    first, second, times = _joined(genes[:cut]), _joined(genes[cut:]), narrow.type(states[-1] // states[cut - 1])

    def joint(by_gene: Integers) -> Integers:
        number: Integers = first(by_gene).astype(narrow, copy=False) * times
        number += second(by_gene).astype(narrow, copy=False)
        return number

    return joint
