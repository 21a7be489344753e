"""Ops that a run's runtime refuses: the run goes on with the networks that do without them."""

from __future__ import annotations

from pathlib import Path

from hwnas.run.check import LEAST_NETWORKS
from hwnas.spaces import SearchSpace, Subspace
from hwnas.spaces.subspace import texts_without
from latency_tables import HwnasError, LatencyTable, TableError
from latency_tables.storage.signed import read_signed, write_signed

_FILE = "refused.json"


class OpsRefused(TableError):
    """From now on the run in this folder is of a smaller space: opened again, it goes on from what was measured."""


def texts_left(folder: Path) -> tuple[str, ...]:
    """Which values of genes the run in a folder is left with, as `Subspace.of_texts` takes them; () where all are."""
    path = folder / _FILE
    try:
        return tuple(read_signed(path)["allow"])
    except FileNotFoundError:
        return ()
    except (OSError, ValueError) as e:
        raise HwnasError(f"{path} was edited or damaged ({e}); delete it, and the runtime is asked again") from None


def leave_out(folder: Path, space: SearchSpace, table: LatencyTable) -> TableError:
    """Have the run in a folder do without the ops that failed in a table; the answer, to be raised, names them.

    In every precision, though one alone may refuse them. No `OpsRefused` where genes of `space` cannot say it, or
    hardly any network is left.
    """
    refused, target = [row for row in table.rows if row.error], table.provenance.target
    first, runtime = refused[0], f"{target.runtime} in {target.precision}"
    said = f"{runtime} refuses {len(refused)} ops of {space.name}, first {first.op.key} ({first.error})"
    texts = texts_without(space, {row.op for row in refused})
    if not texts or Subspace.of_texts(space, texts).size < LEAST_NETWORKS:
        return TableError(f"{said}; hardly any network does without them")
    write_signed(folder / _FILE, {"allow": [*texts_left(folder), *texts]})
    options = " ".join(f"--allow '{text}'" for text in texts)
    return OpsRefused(f"{said}; the networks of this run do without them, as with {options}")
