"""A device that one carries files to: each plan becomes a kit to take there, and its results are brought back."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

from latency_tables import HwnasError, Measurement, Target
from latency_tables.progress import Progress, silent
from latency_tables.storage.files import write_atomically
from profilers._base import Int8Form, RuntimeSetting
from profilers.boards.kit import Part, pack_kit, read_kit
from profilers.boards.results import read_record, whole_visits
from profilers.plan import Plan, read_plan
from profilers.protocol import Protocol
from profilers.where import Device


class NotMeasuredYet(HwnasError):
    """What a person has to do on the device before the work can go on."""


@dataclass(frozen=True)
class Carried(Device):
    """The device of a table that was made elsewhere; `then` says how results come back, after a kit was run there."""

    of: Target
    then: str

    def target(self) -> Target:
        """That of the table."""
        return self.of

    @property
    def int8_form(self) -> Int8Form:
        """The one in which kits are made."""
        return "between-ops"

    def measure(
        self, plan: Plan, journal: Path, protocol: Protocol, progress: Progress = silent, fresh: bool = False
    ) -> list[Measurement]:
        """What `take_results` brought; else a kit beside `journal` and `NotMeasuredYet`, which says what to do."""
        if (visits := whole_visits(journal, plan, self.of, protocol)) is not None:
            return visits
        setting = RuntimeSetting.of(self.of)
        kit, part = journal.with_suffix(".pyz"), Part(plan, protocol, fresh)
        pack_kit({part.name: part}, setting, kit)
        raise NotMeasuredYet(
            f"not verified yet: copy {kit} to the {self.of.device}, run `python3 {kit.name} --out results` there, "
            f"bring the folder results back, and give it to {self.then}"
        )


def take_results(results: Path, folder: Path, require: Callable[[Target], None]) -> Path:
    """Put what a kit measured where the kit in `folder`, or below it, waits for it; the journal that is there then.

    `require` raises for a target that is not the one waited for. Raises `HwnasError` in one line when no kit there is
    the one of `results`, or they lack a visit.
    """
    record = read_record(results)
    require(record.target)
    for path in sorted(folder.rglob("*.pyz")):
        ((name, part), *_) = read_kit(path).parts.items()
        if record.protocols != {name: part.protocol} or read_plan(results / name).models != part.plan.models:
            continue
        brought = results / f"{name}.jsonl"
        if whole_visits(brought, part.plan, record.target, part.protocol) is None:
            raise HwnasError(f"{results} is not complete: run the kit there again with the same --out, it goes on")
        journal = path.with_suffix(".jsonl")
        write_atomically(journal, brought.read_bytes())
        path.unlink()
        return journal
    raise HwnasError(f"no kit in {folder} waits for what is in {results}; run the kit that `hwnas run` names")
