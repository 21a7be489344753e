"""Which device a run measures on: this machine, a board behind ssh, or the one that an imported table is of."""

from __future__ import annotations

from dataclasses import asdict, replace
from pathlib import Path

from hwnas.run.folder import Display, RunFolder
from hwnas.run.settings import Settings
from hwnas.run.stage import Result, Stage
from latency_tables import Target, load_table
from latency_tables.errors import NotInstalledError
from latency_tables.progress import Progress
from latency_tables.storage.serialise import from_plain
from profilers import RuntimeSetting
from profilers.boards.board import Board, BoardFacts, Reach, ask_board
from profilers.boards.carried import Carried
from profilers.boards.ssh_login import Login, parse_address
from profilers.runtimes import make_profiler, profiler_for
from profilers.where import HERE, Device, ThisMachine


def device_of(settings: Settings, folder: RunFolder) -> Device:
    """The device of a run; a board is asked once what it is, stage `device`.

    Raises `HwnasError` when the board or the runtime cannot be used.
    """
    if settings.device is not None:
        return _board(settings.device, settings, folder)
    elsewhere = carried_to(settings)
    if elsewhere is not None:
        return Carried(elsewhere, f"`hwnas verify --import results --out {folder.path}`")
    return ThisMachine(make_profiler(settings.runtime, settings.threads, 1, settings.precision))


def carried_to(settings: Settings) -> Target | None:
    """The target of a given table that was made on another device, with the settings asked for; None for this one."""
    if settings.table is None or settings.device is not None:
        return None
    target = load_table(Path(settings.table)).provenance.target
    try:
        here = make_profiler(settings.runtime, settings.threads, 1, settings.precision).target().device
    except NotInstalledError:
        here = None
    if target.device == here:
        return None
    s = settings
    return replace(target, runtime=s.runtime, threads=s.threads, precision=s.precision, batch=1)


def _board(device: str, settings: Settings, folder: RunFolder) -> Board:
    identity, known_hosts = (None if f is None else Path(f) for f in (settings.identity, settings.known_hosts))
    setting = RuntimeSetting(settings.runtime, settings.threads, 1, settings.precision)
    reach = Reach(parse_address(device), Login(identity, known_hosts), setting, folder.display.say)

    def work(progress: Progress) -> Result:
        return asdict(ask_board(reach, folder.path / "device", progress))

    inputs = {"device": device, "setting": asdict(setting)}
    facts = folder.do(Stage("device", _asking(reach), inputs), work)
    return Board(reach, from_plain(BoardFacts, facts))


def device_of_table(
    target: Target, place: str, login: Login, folder: Path, display: Display, runtime: str | None = None
) -> Device:
    """The device that a table is of, set as the table says: this machine (`HERE`), or a board at an address.

    `runtime` is one's own, here. A board is asked what it is; `folder` is for the files of that question. Raises
    `HwnasError` where it cannot be used.
    """
    if place == HERE:
        return ThisMachine(profiler_for(target, runtime))
    reach = Reach(parse_address(place), login, RuntimeSetting.of(target), display.say)
    with display.stage(_asking(reach)) as progress:
        return Board(reach, ask_board(reach, folder, progress))


def _asking(reach: Reach) -> str:
    return f"asking {reach.address.name} what it is"
