"""Where a board is, how to get in by ssh, and in one line why that fails. Host keys are always checked."""

from __future__ import annotations

import socket
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any
from urllib.parse import unquote, urlsplit

from latency_tables import ProfilerError

if TYPE_CHECKING:
    import asyncssh


@dataclass(frozen=True)
class Address:
    """A board; kits and results go into `folder` there, relative to the user's home."""

    host: str
    user: str | None = None
    port: int | None = None
    folder: str = "hwnas"

    @property
    def name(self) -> str:
        """For people."""
        return f"{self.user}@{self.host}" if self.user else self.host


def parse_address(text: str) -> Address:
    """`ssh://[user@]host[:port][/folder]`; raises `ProfilerError` in one line for anything else."""
    try:
        url = urlsplit(text)
        port = url.port
    except ValueError:
        url, port = urlsplit(""), 0
    more = url.query or url.fragment or url.password is not None or url.username == ""
    if url.scheme != "ssh" or not url.hostname or port == 0 or more or not text.isprintable() or " " in text:
        raise ProfilerError(
            f"cannot read the device {text!r}: write ssh://user@host, with :port and /folder after it where needed, "
            "and no password"
        )
    folder = unquote(url.path) if url.path.strip("/") else Address.folder
    return Address(url.hostname, url.username and unquote(url.username), port, folder)


@dataclass(frozen=True)
class Login:
    """The key to show and the host keys to trust; None: as `ssh` does (agent, ~/.ssh, ~/.ssh/known_hosts)."""

    identity: Path | None = None
    known_hosts: Path | None = None


async def connect(address: Address, login: Login, patience_s: float) -> asyncssh.SSHClientConnection:
    """Log in; raises `ProfilerError` where trying again is no use, else what asyncssh and the system raise."""
    import asyncssh

    given: dict[str, Any] = {"port": address.port, "username": address.user}
    if login.identity is not None:
        given["client_keys"] = [_readable(login.identity, "--identity")]
    if login.known_hosts is not None:
        given["known_hosts"] = _readable(login.known_hosts, "--known-hosts")
    try:
        return await asyncssh.connect(
            address.host,
            connect_timeout=patience_s,
            login_timeout=patience_s,
            keepalive_interval=10,  # a cable that is pulled says nothing
            **{name: value for name, value in given.items() if value is not None},
        )
    except (asyncssh.PermissionDenied, asyncssh.HostKeyNotVerifiable, ValueError) as e:
        raise ProfilerError(explain(e, address, login)) from None


def _readable(path: Path, option: str) -> str:
    try:
        with open(path, "rb"):
            return str(path)
    except OSError as e:
        raise ProfilerError(f"{option}: cannot read {path}: {e.strerror}") from None


def reason(error: BaseException) -> str:
    """What an error of asyncssh or the system says, in one line."""
    if isinstance(error, TimeoutError):
        return "no answer"
    text = getattr(error, "reason", None) or getattr(error, "strerror", None) or str(error)
    return " ".join(str(text).split()) or type(error).__name__


def explain(error: BaseException, address: Address, login: Login) -> str:
    """One line on why a board cannot be reached, and what to do."""
    import asyncssh

    port = address.port or 22
    if isinstance(error, asyncssh.HostKeyNotVerifiable):
        return (
            f"the host key of {address.host} is not the one in {login.known_hosts or '~/.ssh/known_hosts'}, or not "
            f"there at all: check it and add it by connecting once with `ssh -p {port} {address.name}`, or give "
            "--known-hosts FILE"
        )
    if isinstance(error, asyncssh.PermissionDenied):
        return (
            f"{address.name} refuses the login ({reason(error)}): put your public key into ~/.ssh/authorized_keys "
            "there, or show another key with --identity FILE"
        )
    if isinstance(error, socket.gaierror):
        return f"the host {address.host} is unknown ({reason(error)}): check its name in --device"
    if isinstance(error, ConnectionRefusedError):
        return f"{address.host} refuses a connection to port {port}: is its ssh server running, and on this port?"
    if isinstance(error, TimeoutError):
        return f"{address.host} does not answer on port {port}: is it switched on, and in this network?"
    if isinstance(error, ValueError):  # asyncssh's own, for keys and files that it cannot read
        return f"cannot use the key or the known hosts for {address.name}: {reason(error)}"
    return f"cannot connect to {address.name}: {reason(error)}"
