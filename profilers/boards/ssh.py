"""Measure on a board over ssh: copy a kit, run it in the background there, watch, fetch what it measured.

The board keeps measuring while nobody is connected, and the kit resumes from its journal when it was killed, so a lost
connection or a killed process costs at most the visit in flight.
"""

from __future__ import annotations

import asyncio
import contextlib
import hashlib
import shlex
from collections.abc import Callable
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING

from latency_tables import ProfilerError
from latency_tables.errors import installed
from latency_tables.progress import Progress, silent
from latency_tables.storage.files import write_atomically
from profilers.boards.job import Job
from profilers.boards.kit import RECORD, read_kit
from profilers.boards.kit_main import KILLED_CODE, LOG, parse_progress_line
from profilers.boards.ssh_login import Address, Login, connect, explain, reason

if TYPE_CHECKING:
    import asyncssh

_CHUNK = 2**20
_VERSION = "python3 -c 'import sys; print(*sys.version_info[:2])'"
_SHA256 = (
    """python3 -c 'import hashlib as h, sys; print(h.file_digest(open(sys.argv[1], "rb"), "sha256").hexdigest())'"""
)


@dataclass(frozen=True)
class Patience:
    """How long to try: pauses double without progress; so many lost connections or kills in a row are enough."""

    connect_s: float = 15.0
    first_pause_s: float = 1.0
    longest_pause_s: float = 30.0
    connections: int = 20
    kills: int = 3


class _Lost(Exception):
    """The connection is gone, or whoever watched on the board."""


class _Killed(Exception):
    """The measuring process on the board was killed."""


def measure_over_ssh(
    kit: Path,
    address: Address,
    results: Path,
    *,
    login: Login | None = None,
    runtime: str | None = None,
    threads: int | None = None,
    progress: Progress = silent,
    say: Callable[[str], None] = lambda line: None,
    patience: Patience | None = None,
    known: bool = False,
    take: Callable[[], None] | None = None,
) -> None:
    """Measure a kit on a board and bring its results into `results`; resumes where it was stopped.

    `progress` gets the copying, then what the kit reports; `say` gets lost connections, and where on the board the
    files stay. With `take` they do not stay: it is called once `results` is whole, and they are deleted. `known`: the
    board was reached before, so what cannot be reached is tried again, too. A new folder `results` is a new
    measurement; with an existing one, that measurement is resumed.

    Raises `ProfilerError` in one line when the board cannot be reached, refuses the login or shows an unknown host key,
    when it lacks python3, numpy, the runtime or space, and when the kit fails there; `HwnasError` when `results` is of
    another kit or board.
    """
    installed("asyncssh", "ssh")  # said before any work
    read_kit(kit)
    options = [("--runtime", runtime), ("--threads", threads)]
    words = [str(word) for name, value in options if value is not None for word in (name, value)]
    work = _Work(kit, address, results, login or Login(), words, progress, say, take, reached=known)
    asyncio.run(_persist(work, patience or Patience()))
    if take is None:
        say(f"kit and results stay on {address.name} in {work.folder}; delete them when you no longer need them")


async def _persist(work: _Work, patience: Patience) -> None:
    """Try until all is fetched, with longer and longer pauses while there is no progress."""
    lost, killed, pause_s = 0, 0, patience.first_pause_s
    while True:
        before = work.steps
        try:
            return await work.once(patience.connect_s)
        except (_Lost, _Killed) as e:
            if work.steps > before:
                lost, killed, pause_s = 0, 0, patience.first_pause_s
            lost, killed = lost + isinstance(e, _Lost), killed + isinstance(e, _Killed)
            if killed >= patience.kills:
                raise ProfilerError(
                    f"the measuring process on {work.address.name} was killed {killed} times without progress: "
                    "is it out of memory? What was measured is kept"
                ) from None
            if lost >= patience.connections:
                raise ProfilerError(
                    f"{e}, {lost} times in a row; the board keeps measuring, and the same command resumes from there"
                ) from None
            work.say(f"{e}; trying again in {pause_s:g} s")
            await asyncio.sleep(pause_s)
            pause_s = min(2 * pause_s, patience.longest_pause_s)


@dataclass
class _Work:
    """One kit on one board, over as many connections as it takes."""

    kit: Path
    address: Address
    results: Path
    login: Login
    words: list[str]
    progress: Progress
    say: Callable[[str], None]
    take: Callable[[], None] | None
    reached: bool
    steps: int = 0
    _furthest: dict[str, int] = field(default_factory=dict)

    def __post_init__(self) -> None:
        with open(self.kit, "rb") as file:
            self._sha256 = hashlib.file_digest(file, "sha256").hexdigest()
        self.folder = f"{self.address.folder.rstrip('/')}/{self._sha256[:12]}"
        self._job = Job.of(self.results, self._sha256, self.address)

    async def once(self, connect_s: float) -> None:
        """One connection: do whatever is still to be done. Raises `_Lost`, `_Killed` or `ProfilerError`."""
        import asyncssh

        try:
            async with await connect(self.address, self.login, connect_s) as connection:
                self.reached = True
                await self._require_python(connection)
                self._job.write(self.results)  # not before: an address may be mistyped
                async with await self._sftp(connection) as sftp:
                    await self._copy(connection, sftp)
                await self._watch(connection)
                async with await self._sftp(connection) as sftp:
                    await self._fetch(sftp)
                    if self.take is not None:
                        self.take()
                        await self._delete(sftp)
        except (asyncssh.SFTPNoConnection, asyncssh.SFTPConnectionLost) as e:
            raise _Lost(f"the connection to {self.address.name} was lost ({reason(e)})") from None
        except asyncssh.SFTPError as e:
            raise ProfilerError(f"cannot work in {self.folder} on {self.address.name}: {reason(e)}") from None
        except (asyncssh.Error, OSError) as e:
            if not self.reached:
                raise ProfilerError(explain(e, self.address, self.login)) from None
            raise _Lost(f"the connection to {self.address.name} was lost ({reason(e)})") from None

    def _tell(self, stage: str, done: int, total: int, what: str) -> None:
        """Pass on progress, and count what is further than any connection before got."""
        if done > self._furthest.get(stage, -1):
            self._furthest[stage] = done
            self.steps += 1
        self.progress(done, total, f"{stage}: {what}")

    async def _sftp(self, connection: asyncssh.SSHClientConnection) -> asyncssh.SFTPClient:
        import asyncssh

        try:
            return await connection.start_sftp_client()
        except asyncssh.ChannelOpenError as e:
            if connection.is_closed():
                raise
            raise ProfilerError(
                f"the ssh server of {self.address.name} has no SFTP ({reason(e)}): install its sftp-server"
            ) from None

    async def _run(self, connection: asyncssh.SSHClientConnection, command: str) -> str:
        """What a command prints, or nothing when it fails."""
        done = await connection.run(command, stdin=asyncio.subprocess.DEVNULL, errors="replace")
        if done.exit_status is None:
            raise _Lost(f"the connection to {self.address.name} was lost")
        return str(done.stdout) if done.exit_status == 0 else ""

    async def _require_python(self, connection: asyncssh.SSHClientConnection) -> None:
        words = (await self._run(connection, _VERSION)).split()[-2:]
        if len(words) != 2 or not all(word.isdecimal() for word in words):
            raise ProfilerError(f"python3 is not installed on {self.address.name}: a kit needs Python 3.11 or newer")
        if (int(words[0]), int(words[1])) < (3, 11):
            raise ProfilerError(f"python3 on {self.address.name} is {'.'.join(words)}: a kit needs 3.11 or newer")

    async def _copy(self, connection: asyncssh.SSHClientConnection, sftp: asyncssh.SFTPClient) -> None:
        """Copy the kit unless it is there; a partial copy is completed. The copy is checked on the board."""
        import asyncssh

        whole, part, size = f"{self.folder}/kit.pyz", f"{self.folder}/kit.pyz.part", self.kit.stat().st_size
        why = "it arrives damaged"
        try:
            await sftp.makedirs(self.folder, exist_ok=True)
            if await sftp.exists(whole) and await sftp.getsize(whole) == size:
                return
            await self._send(sftp, part, size)
            # Servers that buffer do not say that a disk is full: the file is as long as it should be, but hollow.
            if (await self._run(connection, f"{_SHA256} {shlex.quote(part)}")).split() == [self._sha256]:
                return await sftp.posix_rename(part, whole)
        except (asyncssh.SFTPNoConnection, asyncssh.SFTPConnectionLost):
            raise
        except asyncssh.SFTPError as e:
            why = reason(e)
        with contextlib.suppress(asyncssh.SFTPError):
            await sftp.remove(part)
        if (free := await self._free_bytes(sftp)) is not None and free < size:
            raise ProfilerError(
                f"{self.address.name} is out of disk: {self.folder} has {free / 1e6:.1f} MB left and the kit is "
                f"{size / 1e6:.1f} MB; free some, or name another place: ssh://user@host/folder"
            )
        raise ProfilerError(f"cannot copy the kit to {self.folder} on {self.address.name}: {why}")

    async def _send(self, sftp: asyncssh.SFTPClient, part: str, size: int) -> None:
        there = min(await sftp.getsize(part) or 0, size) if await sftp.exists(part) else None
        # Blocks of a chunk are written side by side: the last chunk of half a copy may have holes.
        done = max(0, -(-(there or 0) // _CHUNK) - 1) * _CHUNK
        with open(self.kit, "rb") as source:
            source.seek(done)
            async with sftp.open(part, "wb" if there is None else "r+b") as file:
                while chunk := source.read(_CHUNK):
                    await file.write(chunk, done)
                    done += len(chunk)
                    self._tell("copying", done // 1024, size // 1024, "the kit (kB)")

    async def _free_bytes(self, sftp: asyncssh.SFTPClient) -> int | None:
        """Bytes that can still be written where the kit goes; None where the server does not tell."""
        import asyncssh

        for folder in (self.folder, self.address.folder, "."):
            try:
                disk = await sftp.statvfs(folder)
            except asyncssh.SFTPError:
                continue
            return int(disk.bavail * disk.frsize)
        return None

    async def _watch(self, connection: asyncssh.SSHClientConnection) -> None:
        """Start the kit, or attach to it where it is running; pass on its progress."""
        command = ["python3", "kit.pyz", "--attach", "--out", self._job.name, *self.words]
        line = f"cd {shlex.quote(self.folder)} && {shlex.join(command)}"
        async with connection.create_process(line, stdin=asyncio.subprocess.DEVNULL, errors="replace") as process:
            complaints = asyncio.create_task(process.stderr.read())
            complaints.add_done_callback(lambda task: task.cancelled() or task.exception())  # lost with the connection
            async for text in process.stdout:
                if step := parse_progress_line(text):
                    self._tell(*step)
            words = (await complaints).strip().splitlines()
            await process.wait()
        code = process.exit_status
        if code is None or process.exit_signal is not None:
            raise _Lost(f"the connection to {self.address.name} was lost")
        if code == KILLED_CODE:
            raise _Killed(f"the measuring process on {self.address.name} was killed")
        if code != 0:
            said = words[-1].removeprefix("kit: ") if words else f"exit code {code}"
            raise ProfilerError(f"measuring on {self.address.name} failed: {said}")

    async def _fetch(self, sftp: asyncssh.SFTPClient) -> None:
        parts = read_kit(self.kit).parts
        names = [f"{name}/{file}" for name, part in parts.items() for file in part.plan.index()]
        for name in (*names, *(f"{name}.jsonl" for name in parts), LOG, RECORD):
            async with sftp.open(f"{self.folder}/{self._job.name}/{name}", "rb") as file:
                write_atomically(self.results / name, await file.read())

    async def _delete(self, sftp: asyncssh.SFTPClient) -> None:
        """Free the board's disk of what was fetched, as far as that goes; a kit that others measure stays."""
        import asyncssh

        with contextlib.suppress(asyncssh.Error, OSError):
            await sftp.rmtree(f"{self.folder}/{self._job.name}")
            if not any(name.startswith("results-") for name in await sftp.listdir(self.folder)):
                await sftp.rmtree(self.folder)
