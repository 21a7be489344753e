"""`hwnas runtimes`: what networks can be measured with."""

from __future__ import annotations

from dataclasses import asdict

from hwnas.cli.answer import Answer, columns


def runtimes() -> Answer:
    """List every inference runtime: its version here, or what to install, and the device that it runs on."""
    from hwnas.doctor.software import runtime_states

    states = runtime_states()
    rows = [(s.name, s.device_kind, s.version or "-", s.problem or "ready") for s in states]
    record = {"runtimes": [{**asdict(s), "ready": s.ready} for s in states]}
    return Answer(record, columns(("runtime", "device", "version", "here"), rows))
