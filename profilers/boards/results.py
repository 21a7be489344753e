"""What a kit measured on a board, read on the workstation: a latency table, and milliseconds of whole networks."""

from __future__ import annotations

from pathlib import Path
from typing import NamedTuple

from latency_tables import HwnasError, LatencyTable, Measurement, Target, summarise
from latency_tables.storage.journal import read_journal
from latency_tables.storage.serialise import from_plain, parse_json
from profilers.boards.kit import NETWORKS, OPS, RECORD, BoardRecord
from profilers.plan import Plan, read_plan
from profilers.profile import journal_header, lacking, table_from_plan
from profilers.protocol import Protocol, by_key, known_quiet_us

NetworkTimes = list[tuple[str, float]]
"""(architecture text, milliseconds at the table's quiet reference speed) of each whole network."""


class BoardResults(NamedTuple):
    """The table, the whole networks, and how many damaged records of the journals were left out of both."""

    table: LatencyTable
    networks: NetworkTimes
    damaged: int


def import_results(folder: Path) -> BoardResults:
    """What a kit measured into `folder`.

    What is not measured yet, or was refused by the runtime, has a row with an error and no time; a network without all
    its visits is left out. Nothing in `folder` is changed. Raises `HwnasError` in one line when it is no such folder,
    it is damaged, or not a single op has a time.
    """
    record = read_record(folder)
    if OPS not in record.protocols:
        raise HwnasError(f"{folder} has no measured ops; a table needs a kit of `hwnas kit`")
    ops, protocol = read_plan(folder / OPS), record.protocols[OPS]
    visits, damaged = read_visits(folder / f"{OPS}.jsonl", ops, record.target, protocol)
    table = table_from_plan(ops, record.target, visits, protocol, record.versions)
    quiet_us, path, done = None, folder / f"{NETWORKS}.jsonl", list[tuple[str, list[Measurement]]]()
    if NETWORKS in record.protocols:
        networks, protocol = read_plan(folder / NETWORKS), record.protocols[NETWORKS]
        if path.exists():  # a board that was stopped among its ops has not begun with the networks
            of_networks, more = read_visits(path, networks, record.target, protocol)
            seen, damaged = by_key(of_networks), damaged + more
            quiet_us, left = known_quiet_us(of_networks), lacking(networks, of_networks, protocol)
            done = [(m.key, seen[m.key]) for m in networks.models if m.key not in left and _has_times(seen[m.key])]
    reference_ms = table.provenance.reference_us / 1e3
    networks_ms = [(key, summarise(mine, quiet_us).lower_ratio * reference_ms) for key, mine in done]
    return BoardResults(table, networks_ms, damaged)


def _has_times(visits: list[Measurement]) -> bool:
    return not any(v.error for v in visits) and any(v.ratios for v in visits)


def read_record(folder: Path) -> BoardRecord:
    """What measured into `folder`; raises `HwnasError` in one line when no kit did, or it is damaged."""
    try:
        return from_plain(BoardRecord, parse_json((folder / RECORD).read_bytes()))
    except OSError as e:
        raise HwnasError(f"{folder} is not what a kit left: {e.filename}: {e.strerror}") from None
    except ValueError as e:
        raise HwnasError(f"{folder / RECORD} is damaged ({e}); run the kit again with the same --out") from None


def read_visits(path: Path, plan: Plan, target: Target, protocol: Protocol) -> tuple[list[Measurement], int]:
    """A journal's visits, and how many damaged ones it has; raises `HwnasError` when it is of other work."""
    header, records, damaged = read_journal(path)
    if any(header.get(name) != value for name, value in journal_header(plan, target, protocol).items()):
        raise HwnasError(f"{path} is the journal of other work than {path.parent / RECORD} says; copy the folder again")
    try:
        return [Measurement.from_json(record) for record in records], damaged
    except HwnasError:
        raise HwnasError(f"{path} has a record that is no measurement; copy the folder again") from None


def whole_visits(path: Path, plan: Plan, target: Target, protocol: Protocol) -> list[Measurement] | None:
    """The visits of a journal that was brought here; None when there is none, or it lacks one that was asked for.

    Raises as `read_visits` does.
    """
    if not path.exists():
        return None
    visits, _ = read_visits(path, plan, target, protocol)
    return None if lacking(plan, visits, protocol) else visits
