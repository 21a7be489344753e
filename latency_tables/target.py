"""What a latency is true for: device, runtime, precision, batch, threads."""

from __future__ import annotations

from dataclasses import asdict, dataclass

from latency_tables.errors import TableError


@dataclass(frozen=True)
class Target:
    """The device setting a latency was measured on. Two targets with the same fields share a table."""

    device: str
    runtime: str
    runtime_version: str
    precision: str
    batch: int
    threads: int
    power_mode: str = "unknown"

    def mismatches(self, wanted: Target) -> list[str]:
        """Each field that makes this target's latencies wrong for `wanted`, spelled out.

        The power mode is provenance only: it is often unreadable.
        """
        mine, theirs = asdict(self), asdict(wanted)
        return [
            f"{name} is {mine[name]!r}, wanted {theirs[name]!r}"
            for name in mine
            if name != "power_mode" and mine[name] != theirs[name]
        ]

    def require(self, wanted: Target, what: str) -> None:
        """Raise `TableError` with every mismatch spelled out unless this target serves `wanted`."""
        if wrong := self.mismatches(wanted):
            raise TableError(f"{what} was made for another target: {'; '.join(wrong)}; profile again for this one")
