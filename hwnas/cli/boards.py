"""`hwnas kit`, `hwnas table measure`, `import` and `resources`: what is measured where there is no torch."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from hwnas.cli.answer import Answer
from hwnas.cli.display import ConsoleDisplay, one_stage, say_loading
from hwnas.run.settings import HELP
from latency_tables import HwnasError, LatencyTable, load_table, save_table
from latency_tables.plugins import is_own
from latency_tables.storage.networks import save_networks

if TYPE_CHECKING:
    from profilers import Protocol
    from profilers.boards.results import BoardResults


def kit(
    space: Annotated[str, typer.Option(help="search space, as for `hwnas run`")] = "mbconv-32",
    out: Annotated[Path, typer.Option(help="file to write")] = Path("kit.pyz"),
    classes: Annotated[int, typer.Option(help="classes that the networks tell apart")] = 10,
    runtime: Annotated[str, typer.Option(help="inference runtime of the board")] = "onnxruntime",
    threads: Annotated[int, typer.Option(help="threads of the runtime")] = 1,
    precision: Annotated[str, typer.Option(help="precision to measure in")] = "fp32",
    networks: Annotated[int, typer.Option(help="whole networks that the table is calibrated on")] = 80,
    seed: Annotated[int, typer.Option(help="which networks")] = 0,
    rounds: Annotated[int | None, typer.Option(help=HELP["rounds"], min=1)] = None,
) -> Answer:
    """Write one file that measures a space on a board with python3 (3.11+), numpy and a runtime: nothing to install."""
    say_loading()
    from hwnas.spaces import load_space
    from hwnas.tables.kit import make_kit
    from profilers import RuntimeSetting

    made = load_space(space, classes)
    if is_own(space):
        from hwnas.spaces.contract import require_contract

        require_contract(made, space)
    with one_stage("op models") as progress:
        setting = RuntimeSetting(runtime, threads, precision=precision)
        make_kit(made, out, setting, networks, seed, rounds, progress)
    ops, size = len(made.all_ops), out.stat().st_size
    return Answer(
        {"kit": str(out), "ops": ops, "networks": networks, "bytes": size},
        f"{out}: {ops} ops, {networks} networks, {size / 1e6:.1f} MB\n"
        f"  on the board: python3 {out.name} --out results; then here: hwnas table import results --out TABLE",
    )


def import_(
    results: Annotated[Path, typer.Argument(help="the folder that a kit left")],
    out: Annotated[Path, typer.Option(help="folder of the table to write")],
) -> Answer:
    """Make a table of what a kit measured on a board; whole networks go into networks.csv beside it."""
    from profilers.boards.results import import_results

    return _imported(import_results(results), out)


def measure(
    plan: Annotated[Path, typer.Argument(help="a kit, or a folder of op models: runs/NAME/ops")],
    out: Annotated[Path, typer.Option(help="folder of the table to write")],
    runtime: Annotated[str | None, typer.Option(help="inference runtime [default: the kit's, or onnxruntime]")] = None,
    threads: Annotated[int | None, typer.Option(help="threads of the runtime [default: the kit's, or 1]")] = None,
    precision: Annotated[str | None, typer.Option(help="precision of the models [default: the kit's, or fp32]")] = None,
    device: Annotated[
        str | None, typer.Option(help="measure there: ssh://user@host[:port][/folder] [default: this machine]")
    ] = None,
    identity: Annotated[Path | None, typer.Option(help="private key for --device [default: as ssh does]")] = None,
    known_hosts: Annotated[Path | None, typer.Option(help="host keys to trust [default: ~/.ssh/known_hosts]")] = None,
    rounds: Annotated[int | None, typer.Option(help=f"{HELP['rounds']}; a kit has its own", min=1)] = None,
) -> Answer:
    """Measure a kit or a folder of op models into a table, here or by ssh on --device; no torch on either side.

    Resumes where it was stopped. With --device a kit is copied there and runs in the background, so that a lost
    connection does no harm: the same command attaches again. Its results are fetched into OUT/results.
    """
    from profilers import Protocol
    from profilers.boards.kit import measure_kit, read_kit
    from profilers.boards.results import import_results

    is_kit, results = plan.is_file(), out / "results"
    if is_kit and precision not in (None, made_in := read_kit(plan).setting.precision):
        raise HwnasError(f"the models of {plan} are in {made_in}; make a kit in {precision}")
    if is_kit and rounds is not None:
        raise HwnasError(f"{plan} says itself how often it measures; give --rounds to `hwnas kit`")
    protocol = Protocol().limited(rounds)
    if device is None and not is_kit:
        return _saved(_measured_here(plan, out, protocol, runtime, threads, precision), out)
    if device is None:
        opened = read_kit(plan)
        with one_stage("latency table") as progress:
            measure_kit(opened, results, lambda part: progress, runtime, threads)
    else:
        from profilers.boards.ssh import measure_over_ssh
        from profilers.boards.ssh_login import Login, parse_address

        address = parse_address(device)
        file = plan if is_kit else _packed(plan, out / "kit.pyz", protocol, precision)
        with ConsoleDisplay() as display, display.stage(f"latency table of {address.name}") as progress:
            measure_over_ssh(
                file,
                address,
                results,
                login=Login(identity, known_hosts),
                runtime=runtime,
                threads=threads,
                progress=progress,
                say=display.say,
            )
    return _imported(import_results(results), out)


def resources(
    table: Annotated[Path, typer.Argument(help="folder of the table, which is written anew")],
    ops: Annotated[Path, typer.Option(help="the op models it was measured on: runs/NAME/ops")],
    runtime: Annotated[str | None, typer.Option(help="your own: file.py:Class [default: as the table says]")] = None,
    seconds: Annotated[float, typer.Option(help="how long each op runs where energy is counted")] = 1.0,
) -> Answer:
    """Add peak memory and energy to a table of this device, each op in a fresh process; where the device tells them.

    Goes on where it was stopped. Energy needs a counter that may be read (RAPL, often by root only; NVIDIA GPUs).
    """
    from profilers import read_plan
    from profilers.resources import measure_resources, with_resources
    from profilers.runtimes import profiler_for

    if not seconds > 0:
        raise HwnasError(f"--seconds must be more than 0, got {seconds:g}")
    known, plan = load_table(table), read_plan(ops)
    t = known.provenance.target
    profiler = profiler_for(t, runtime)
    t.require(profiler.target(), f"the latency table {table}")
    with one_stage("memory and energy") as progress:
        found = measure_resources(plan, profiler, table / "resources.jsonl", seconds, progress)
    made = with_resources(known, found)
    save_table(made, table)
    told = {
        "ops": len(made.rows),
        "with_memory": sum(row.peak_memory_mb is not None for row in made.rows),
        "with_energy": sum(row.energy_mj is not None for row in made.rows),
        "failed": sum(mine.error is not None for mine in found.values()),
    }
    text = f"{table}: {told['with_memory']} of {told['ops']} ops with memory, {told['with_energy']} with energy"
    if told["failed"]:
        text += f"\n  {told['failed']} refused, first: {next(mine.error for mine in found.values() if mine.error)}"
    return Answer({"table": str(table), **told}, text)


def _measured_here(
    plan: Path, out: Path, protocol: Protocol, runtime: str | None, threads: int | None, precision: str | None
) -> LatencyTable:
    from profilers import measure_plan, read_plan, table_from_plan
    from profilers.runtimes import make_profiler

    planned = read_plan(plan)
    profiler = make_profiler(runtime or "onnxruntime", 1 if threads is None else threads, 1, precision or "fp32")
    with one_stage("latency table") as progress:
        visits = measure_plan(planned, profiler, out / "journal.jsonl", protocol, progress)
    return table_from_plan(planned, profiler.target(), visits, protocol)


def _packed(plan: Path, kit_file: Path, protocol: Protocol, precision: str | None) -> Path:
    """A kit of a folder of op models; the same folder gives the same kit, so that a second call resumes."""
    from profilers import RuntimeSetting, read_plan
    from profilers.boards.kit import OPS, Part, pack_kit

    setting = RuntimeSetting("onnxruntime", precision=precision or "fp32")
    pack_kit({OPS: Part(read_plan(plan), protocol)}, setting, kit_file)
    return kit_file


def _imported(found: BoardResults, out: Path) -> Answer:
    saved = _saved(found.table, out)
    if found.networks:  # a folder of op models has none, and says nothing of those that may be there
        save_networks(out, found.networks)
    if found.damaged:
        lost = f"warning: damaged records left out: {found.damaged}"
        ConsoleDisplay().say(f"{lost}; copy the folder again, or run the kit again with the same --out")
    record = {**saved.record, "networks": len(found.networks), "damaged": found.damaged}
    return Answer(record, f"{saved.text}, {len(found.networks)} whole networks")


def _saved(table: LatencyTable, out: Path) -> Answer:
    save_table(table, out)
    failed = sum(row.error is not None for row in table.rows)
    record = {"table": str(out), "ops": len(table.rows), "failed": failed}
    return Answer(record, f"{out}: {len(table.rows)} ops, {failed} without a time")
