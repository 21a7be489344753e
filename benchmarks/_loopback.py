"""A board on this machine: an ssh server on loopback whose commands and files are real, and can be disturbed."""

from __future__ import annotations

import asyncio
import threading
from collections.abc import Callable
from contextlib import suppress
from pathlib import Path
from typing import Any

import asyncssh
import psutil


def make_keys(folder: Path) -> Path:
    """A host's key, a user's key, and the key of nobody, into `folder`."""
    for name in ("host", "user", "nobody"):
        key = asyncssh.generate_private_key("ssh-ed25519")
        key.write_private_key(folder / name)
        key.write_public_key(folder / f"{name}.pub")
        (folder / name).chmod(0o600)
    return folder


def trust(path: Path, public_key: Path, port: int) -> Path:
    """A file of known hosts at `path` that knows a server on loopback by its public key."""
    path.write_text(f"[127.0.0.1]:{port} {public_key.read_text()}")
    return path


class LoopbackBoard:
    """Commands run in `home` with `path`, and a client may do anything that its key allows. A context manager.

    It remembers its `connections`, the `commands` and the bytes `written`; `drop` says after which line of a command's
    output every connection is cut, `hang_up_after_bytes` after how many bytes of copying, once.
    """

    def __init__(self, home: Path, keys: Path, path: str, sftp: bool = True):
        self.home, self.keys, self.path, self.sftp = home, keys, path, sftp
        self.connections: list[asyncssh.SSHServerConnection] = []
        self.commands: list[str] = []
        self.drop: Callable[[str], bool] = lambda line: False
        self.written, self.hang_up_after_bytes, self.port = 0, None, 0
        self._children: list[asyncio.subprocess.Process] = []
        self._loop = asyncio.new_event_loop()
        self._thread = threading.Thread(target=self._loop.run_forever)

    def __enter__(self) -> LoopbackBoard:
        self._thread.start()
        self.port = asyncio.run_coroutine_threadsafe(self._listen(), self._loop).result(30)
        return self

    def __exit__(self, *exc: object) -> None:
        """End the server and all that it started."""
        asyncio.run_coroutine_threadsafe(self._close(), self._loop).result(30)
        self._loop.call_soon_threadsafe(self._loop.stop)
        self._thread.join()
        self._loop.close()
        for process in psutil.process_iter(["cwd"]):
            if str(process.info["cwd"] or "").startswith(str(self.home)):
                with suppress(psutil.NoSuchProcess):
                    process.kill()

    async def _listen(self) -> int:
        board, home, connections = self, self.home, self.connections

        class Accept(asyncssh.SSHServer):
            def connection_made(self, connection: asyncssh.SSHServerConnection) -> None:
                connections.append(connection)

        class Files(asyncssh.SFTPServer):
            def __init__(self, channel: Any):
                super().__init__(channel, chroot=str(home).encode())

            def write(self, file: Any, offset: int, data: bytes) -> Any:
                board.written += len(data)
                if board.hang_up_after_bytes is not None and board.written > board.hang_up_after_bytes:
                    board.hang_up_after_bytes = None
                    board._abort()
                return super().write(file, offset, data)

        self._server = await asyncssh.listen(
            "127.0.0.1",
            0,
            server_factory=Accept,
            server_host_keys=[self.keys / "host"],
            authorized_client_keys=str(self.keys / "user.pub"),
            process_factory=self._run,
            sftp_factory=Files if self.sftp else None,
        )
        port: int = self._server.sockets[0].getsockname()[1]
        return port

    async def _close(self) -> None:
        self._server.close()
        self._abort()
        for child in self._children:
            if child.returncode is None:
                child.kill()
            await child.wait()
        await self._server.wait_closed()

    def _abort(self) -> None:
        for connection in self.connections:
            connection.abort()

    def hang_up(self) -> None:
        """Cut every connection, as a pulled cable or a rebooting router does; from any thread."""
        self._loop.call_soon_threadsafe(self._abort)

    def measuring(self) -> list[psutil.Process]:
        """The processes that measure in the background now."""
        found = []
        for process in psutil.process_iter(["cmdline", "cwd"]):
            line = process.info["cmdline"] or []
            here = str(process.info["cwd"] or "").startswith(str(self.home))
            if here and any(word.endswith("kit.pyz") for word in line) and "--attach" not in line:
                found.append(process)
        return found

    async def _run(self, process: asyncssh.SSHServerProcess[str]) -> None:
        self.commands.append(process.command or "")
        child = await asyncio.create_subprocess_shell(
            process.command or "",
            cwd=self.home,
            env={"PATH": self.path, "HOME": str(self.home)},
            stdin=asyncio.subprocess.DEVNULL,
            stdout=asyncio.subprocess.PIPE,
            stderr=asyncio.subprocess.PIPE,
        )
        self._children.append(child)

        async def copy(source: Any, sink: Any) -> None:
            async for line in source:
                sink.write(line.decode())
                if self.drop(line.decode()):
                    self._abort()

        await asyncio.gather(copy(child.stdout, process.stdout), copy(child.stderr, process.stderr))
        process.exit(await child.wait())
