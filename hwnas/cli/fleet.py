"""`hwnas fleet`: the fronts of several devices, and one network within the budgets of all of them."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import asdict
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from hwnas.cli.answer import Answer
from hwnas.cli.display import ConsoleDisplay, one_stage
from latency_tables import HwnasError
from profilers.boards.ssh_login import Login, parse_address
from profilers.where import HERE

if TYPE_CHECKING:
    from deploy.verify import Verification
    from hwnas.tables.fleet import Chosen

_VERIFY = (
    "NAME=here or NAME=ssh://user@host[:port]: measure the network that is chosen on that device, built from its "
    "table's settings; may repeat"
)
_RESOURCES = {"MB": "--budget-mb", "M MACs": "--budget-macs", "M parameters": "--budget-params"}


def fleet(
    space: Annotated[str, typer.Option(help="the networks: a space that ships, or file.py:ClassName")],
    accuracy: Annotated[
        Path,
        typer.Option(
            help="CSV file with the columns arch and accuracy, or a run folder, whose supernet's scores count"
        ),
    ],
    table: Annotated[list[str], typer.Option(help="NAME=FOLDER: a device and its latency table; may repeat")],
    budget_ms: Annotated[list[str] | None, typer.Option(help="NAME=MS: a device's budget; may repeat")] = None,
    budget_mb: Annotated[float | None, typer.Option(help="megabytes of weights, at most")] = None,
    budget_macs: Annotated[float | None, typer.Option(help="million multiply-accumulates, at most")] = None,
    budget_params: Annotated[float | None, typer.Option(help="million parameters, at most")] = None,
    start: Annotated[str | None, typer.Option(help="a network to stay near, with --changes")] = None,
    changes: Annotated[int | None, typer.Option(min=1, help="how many genes of --start may change")] = None,
    rungs: Annotated[int, typer.Option(min=2, help="networks of a front that cannot be listed whole")] = 24,
    seconds: Annotated[float, typer.Option(min=0.1, help="at most this long for one exact search")] = 60.0,
    classes: Annotated[int, typer.Option(min=1, help="classes that the networks tell apart")] = 10,
    verify: Annotated[list[str] | None, typer.Option(help=_VERIFY)] = None,
    identity: Annotated[Path | None, typer.Option(help="private key for --verify [default: as ssh does]")] = None,
    known_hosts: Annotated[Path | None, typer.Option(help="host keys to trust [default: ~/.ssh/known_hosts]")] = None,
    out: Annotated[Path, typer.Option(help="folder for fronts.csv, fleet.json and fleet.png")] = Path("fleet"),
) -> Answer:
    """Find every device's front of accuracy against ms, and the best network within the budgets of all of them."""
    from hwnas.search import hamming_budget
    from hwnas.spaces import load_space
    from hwnas.tables.fleet import FleetAnswer, choose, fit_accuracy, load_fleet, read_pairs, write_fleet

    if (start is None) != (changes is None):
        raise HwnasError("--start and --changes go together: a network, and how many of its genes may change")
    folders = {name: Path(folder) for name, folder in _by_name("--table", table, None).items()}
    only = next(iter(folders)) if len(folders) == 1 else None
    limits_ms = {name: _limit("--budget-ms", ms) for name, ms in _by_name("--budget-ms", budget_ms or (), only).items()}
    resources = dict(zip(_RESOURCES, (budget_mb, budget_macs, budget_params), strict=True))
    of_space = load_space(space, classes)
    near = None if start is None else of_space.from_text(start)
    fitted = fit_accuracy(of_space, read_pairs(accuracy, of_space))
    devices = load_fleet(of_space, folders)
    budgets = [devices.budget_ms(name, ms) for name, ms in limits_ms.items()]
    budgets += [
        devices.budget(resource, _limit(_RESOURCES[resource], str(limit)))
        for resource, limit in resources.items()
        if limit is not None
    ]
    if near is not None and changes is not None:
        budgets.append(hamming_budget(of_space, near, changes))
    places = _by_name("--verify", verify or (), None)
    if unknown := places.keys() - folders.keys():
        raise HwnasError(f"--verify {min(unknown)}: no --table has that name; there are {', '.join(folders)}")
    if places and not budgets:
        raise HwnasError("--verify measures the network that is chosen within budgets; give some")
    for place in places.values():
        if place != HERE:
            parse_address(place)
    # An impossible budget is answered first, the sweep takes longer.
    chosen = choose(devices, fitted, budgets, near, seconds) if budgets else None
    with one_stage("fronts") as progress:
        fronts = devices.sweep(fitted.predictor.factors, rungs, seconds, progress)
    answer = FleetAnswer(devices, fitted, fronts, chosen)
    write_fleet(answer, out)
    lines = [*_say_fronts(answer.record()), *_say_chosen(chosen), f"all of it: {out}"]
    if not places or chosen is None:
        return Answer(answer.record(), "\n".join(lines))
    from hwnas.run.fleet import FleetDevice, verify_fleet

    asked = {name: FleetDevice(folders[name], place, limits_ms.get(name)) for name, place in places.items()}
    with ConsoleDisplay() as display:
        said = verify_fleet(of_space, chosen.arch, asked, Login(identity, known_hosts), out / "verify", display)
    record = {**answer.record(), "verified": {name: _verified(one) for name, one in said.items()}}
    for name, one in said.items():
        budget = "" if math.isinf(one.budget_ms) else f", budget {one.budget_ms:g} ms"
        lines.append(f"{one.verdict} on {name}: {one.measured_ms:.4g} ms{budget}")
    return Answer(record, "\n".join(lines), 0 if all(one.verified for one in said.values()) else 1)


def _verified(said: Verification) -> dict[str, Any]:
    """As JSON, which has no infinity: no budget is null."""
    return {**asdict(said), "budget_ms": None if math.isinf(said.budget_ms) else said.budget_ms}


def _by_name(option: str, given: Sequence[str], only: str | None) -> dict[str, str]:
    """NAME=VALUE options; a bare value is of the device `only`."""
    found: dict[str, str] = {}
    for text in given:
        name, equals, value = text.partition("=")
        if not equals and only is not None:
            name, value = only, text
        if not name or not value:
            raise HwnasError(f"{option} {text}: write NAME=VALUE, with the name of a device")
        if name in found:
            raise HwnasError(f"{option} names {name} twice; give every device a name of its own")
        found[name] = value
    return found


def _limit(option: str, text: str) -> float:
    try:
        limit = float(text)
    except ValueError:
        raise HwnasError(f"{option}: {text!r} is not a number") from None
    if not math.isfinite(limit) or limit <= 0:
        raise HwnasError(f"{option} must be more than 0, got {limit:g}")
    return limit


def _say_fronts(answer: dict[str, Any]) -> list[str]:
    tau = answer["heldout_tau"]
    ranked = "unknown" if tau is None else f"{tau:.2f}"
    lines = [f"accuracy from {answer['networks']} networks: Kendall's tau {ranked} on networks held out"]
    for name, device in answer["devices"].items():
        fast, best = device["fastest"], device["best"]
        kind = "every best trade" if device["whole"] else "a ladder of budgets, each with its best network"
        kind += "" if device["proven"] else " as far as --seconds went"
        plain = "" if device["calibrated"] else ", a plain sum of ops that no whole network has calibrated"
        lines += [
            f"{name}: {device['front']} networks on the front, {kind}{plain}",
            f"  fastest  {fast['upper_ms']:.4g} ms  {100 * fast['accuracy']:.2f} %  {fast['arch']}",
            f"  best     {best['upper_ms']:.4g} ms  {100 * best['accuracy']:.2f} %  {best['arch']}",
        ]
    return lines


def _say_chosen(chosen: Chosen | None) -> list[str]:
    if chosen is None:
        return []
    proof = "nothing within the budgets is better" if chosen.proven else f"nothing above {100 * chosen.bound:.2f} %"
    changed = "" if chosen.changed is None else f", {chosen.changed} genes changed"
    lines = [
        f"one network for all: {chosen.arch}",
        f"  predicted accuracy {100 * chosen.accuracy:.2f} %, {proof}{changed}",
    ]
    lines += [f"  {name}: {ms:.4g} ms, at most {chosen.upper_ms[name]:.4g} ms" for name, ms in chosen.ms.items()]
    lines += [f"  {s.cost:.4g} of {s.limit:g} {s.name}, {s.left_pct:.1f} % left" for s in chosen.budgets]
    return [*lines, f"  limited by {chosen.limited_by}"]
