"""Numbers that somebody has written down for networks of a space: one row per network, one column per number."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path

import numpy as np
import pyarrow as pa
from numpy.typing import NDArray
from pyarrow import csv, parquet

from hwnas.spaces.genotypes import ArchError, keys_of
from hwnas.spaces.space import SearchSpace
from latency_tables import HwnasError
from latency_tables.arrays import Floats, Population


class ArchTableError(HwnasError):
    """A file of networks that cannot be read, or that does not know a network."""


@dataclass(frozen=True)
class ArchTable:
    """Genotypes [n, genes], canonical and each once, and for every name a column [n] of finite numbers."""

    space: SearchSpace
    population: Population
    columns: Mapping[str, Floats]
    source: str = "the table"

    @classmethod
    def from_file(cls, path: Path, space: SearchSpace, arch: str, columns: Sequence[str]) -> ArchTable:
        """Read a CSV (also .gz) or Parquet file whose column `arch` holds architecture texts of `space`.

        Raises `ArchTableError` in one line for a file that cannot be read, a missing column, a text that is not of
        the space, a network that is there twice, or a value that is not a number.
        """
        values = _read(path, (arch, *columns))
        rows = []
        for i, text in enumerate(values[arch]):
            try:
                rows.append(space.from_text(str(text)))
            except ArchError as e:
                raise ArchTableError(f"{path}, row {i + 1}: {e}") from None
        if not rows:
            raise ArchTableError(f"{path} has no architecture")
        population = np.stack(rows)
        first: dict[bytes, int] = {}
        for i, key in enumerate(keys_of(population)):
            if (earlier := first.setdefault(key, i)) != i:
                raise ArchTableError(f"{path}: rows {earlier + 1} and {i + 1} are the same network, {values[arch][i]}")
        return cls(space, population, {name: _numbers(path, name, values[name]) for name in columns}, str(path))

    def __len__(self) -> int:
        return len(self.population)

    @cached_property
    def _row_of(self) -> dict[bytes, int]:
        return {key: i for i, key in enumerate(keys_of(self.population))}

    def rows(self, population: Population) -> NDArray[np.int64]:
        """Where genotypes [n, genes] stand, [n]; raises `ArchTableError` naming one that does not."""
        clean = self.space.canonical(population)
        found = [self._row_of.get(key, -1) for key in keys_of(clean)]
        if -1 in found:
            text = self.space.to_text(clean[found.index(-1)])
            raise ArchTableError(f"{self.source} has {len(self)} networks of {self.space.name}, but not {text}")
        return np.array(found, dtype=np.int64)

    def look_up(self, population: Population, column: str) -> Floats:
        """One column for genotypes [n, genes], [n]."""
        return self.columns[column][self.rows(population)]


def _read(path: Path, names: Sequence[str]) -> dict[str, list[object]]:
    try:
        table = parquet.read_table(path) if ".parquet" in path.suffixes else _read_csv(path, names[0])
    except FileNotFoundError:
        raise ArchTableError(f"there is no file {path}") from None
    except (OSError, pa.ArrowException) as e:
        reason = str(e).splitlines()[0]
        raise ArchTableError(f"{path} cannot be read as a CSV or Parquet file: {reason:.120}") from None
    if missing := [name for name in names if name not in table.column_names]:
        raise ArchTableError(f"{path} has no column {missing[0]!r}; it has {', '.join(table.column_names):.200}")
    return {name: table.column(name).to_pylist() for name in names}


def _read_csv(path: Path, arch: str) -> pa.Table:
    texts = csv.ConvertOptions(column_types={arch: pa.string()})  # an architecture may be all digits
    return csv.read_csv(path, convert_options=texts)


def _numbers(path: Path, name: str, values: Sequence[object]) -> Floats:
    for i, value in enumerate(values):
        if isinstance(value, bool) or not isinstance(value, int | float) or not np.isfinite(value):
            said = "missing" if value is None else f"{value!r:.40}"
            raise ArchTableError(f"{path}, row {i + 1}: {name} is {said}, not a number")
    return np.array(values, dtype=np.float64)
