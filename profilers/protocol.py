"""How one visit to a model is timed: short groups of runs between runs of a fixed reference network.

Clocks, neighbours and temperature move a machine by 8-15 % within minutes, but hardly within 20 ms; the fastest
run of a group over the fastest reference run just before and after it is stable. A neighbour on the same core moves it
by 30 % and one model more than another: a visit waits a little for the reference to be as fast as it was, and what was
measured beside a slow reference counts only where there is nothing else.
"""

from __future__ import annotations

import time
from collections.abc import Callable, Mapping, Sequence
from dataclasses import asdict, dataclass, replace

from latency_tables import Measurement, ProfilerError, quiet_reference_us, summarise
from latency_tables.measurement import Group, is_quiet
from profilers._base import Profiler, Session
from profilers.device.conditions import Conditions, read_conditions, was_throttled


@dataclass(frozen=True)
class Protocol:
    """How often and how long. Every field is part of a table's provenance.

    Visits `in_a_row` belong to one round; rounds lie apart in time, so that one bad second spoils only one of them.
    """

    warmup_runs: int = 3
    group_us: float = 6000.0
    minimum_runs: int = 4
    maximum_runs: int = 64
    reference_runs: int = 6
    groups: int = 2
    in_a_row: int = 1
    minimum_rounds: int = 3
    maximum_rounds: int = 6
    target_ci_pct: float = 1.0
    patience: int = 100  # times that the reference is run again to wait for a quiet moment
    disturbed_rounds: int = 6  # more than the maximum, for models that had no quiet moment

    @property
    def rounds(self) -> int:
        """Rounds there can be at all."""
        return self.maximum_rounds + self.disturbed_rounds

    def limited(self, rounds: int | None) -> Protocol:
        """A first look: so many rounds at most, without waiting for quiet moments. None: as it is."""
        if rounds is None:
            return self
        least = min(self.minimum_rounds, rounds)
        return replace(self, minimum_rounds=least, maximum_rounds=rounds, patience=0, disturbed_rounds=0)

    def to_json(self) -> dict[str, float]:
        """Plain values for provenance and journal headers."""
        return asdict(self)


OPS_PROTOCOL = Protocol()
NETWORKS_PROTOCOL = Protocol(minimum_rounds=4, maximum_rounds=5)


def networks_protocol(threads: int) -> Protocol:
    """How whole networks are visited: more often with several threads, which get other cores at each opening."""
    return NETWORKS_PROTOCOL if threads == 1 else replace(NETWORKS_PROTOCOL, in_a_row=3)


def visit(
    session: Session,
    reference: Session,
    protocol: Protocol,
    key: str,
    round_: int,
    conditions: Callable[[], Conditions] = read_conditions,
    quiet_us: float | None = None,
) -> Measurement:
    """Time one opened model: `groups` groups of runs, each between two groups of reference runs.

    `quiet_us` is the reference network's quiet time, as far as it is known.
    """
    before = conditions()
    started = time.time()
    for _ in range(protocol.warmup_runs):
        session.run()
    once_us = max(float(session.time_us(1)[0]), 1.0)
    runs = min(max(int(protocol.group_us / once_us), protocol.minimum_runs), protocol.maximum_runs)
    brackets = [bracket_us(reference, protocol)]
    for _ in range(protocol.patience):
        if quiet_us is None or is_quiet(brackets[0], quiet_us):
            break
        brackets[0] = bracket_us(reference, protocol)
    samples = []
    for _ in range(protocol.groups):
        session.run()  # the reference has just pushed this model out of the caches
        samples.append(tuple(map(float, session.time_us(runs))))
        brackets.append(bracket_us(reference, protocol))
    after = conditions()
    return Measurement(
        key,
        round_,
        started,
        tuple(samples),
        tuple(brackets),
        clock_mhz=after.clock_mhz,
        temperature_c=after.temperature_c,
        throttled=was_throttled(before, after),
    )


def bracket_us(reference: Session, protocol: Protocol) -> float:
    """The fastest of some reference runs, in us, after one that is not timed."""
    reference.run()
    return float(reference.time_us(protocol.reference_runs).min())


def visit_model(
    profiler: Profiler,
    model: bytes,
    reference: Session,
    protocol: Protocol,
    key: str,
    round_: int,
    quiet_us: float | None = None,
) -> Measurement:
    """Open, time and close one model; what the runtime refuses becomes a measurement with an error."""
    started = time.time()
    try:
        with profiler.open(model) as session:
            return visit(session, reference, protocol, key, round_, profiler.conditions, quiet_us)
    except ProfilerError as e:
        return Measurement(key, round_, started, error=str(e))


def stop_reason(visits: Sequence[Measurement], protocol: Protocol, quiet_us: float | None = None) -> str | None:
    """Why a model needs no further visit: "error", "ci", "max_rounds" or "disturbed"; None when it does.

    A visit during which the device held itself back, whose clock jumped, or which had no quiet moment, is made again:
    only the others count for "ci" and "max_rounds".
    """
    if any(v.error for v in visits):
        return "error"
    sound = [v for v in visits if not v.throttled and any(_counts(group, quiet_us) for group in v.sound_groups)]
    rounds = len({v.round for v in sound})
    if rounds >= protocol.minimum_rounds and summarise(sound, quiet_us).ci95_pct <= protocol.target_ci_pct:
        return "ci"
    if len(sound) >= protocol.maximum_rounds * protocol.in_a_row:
        return "max_rounds"
    if len(visits) < protocol.rounds * protocol.in_a_row:
        return None
    return "max_rounds" if rounds >= protocol.minimum_rounds else "disturbed"


def _counts(group: Group, quiet_us: float | None) -> bool:
    return quiet_us is None or group.is_quiet(quiet_us)


def known_quiet_us(visits: Sequence[Measurement]) -> float | None:
    """The reference network's quiet time, None before the first good visit."""
    return quiet_reference_us(visits) if any(v.error is None and v.sound_groups for v in visits) else None


def by_key(visits: Sequence[Measurement]) -> Mapping[str, list[Measurement]]:
    """Visits grouped by what they measured."""
    groups: dict[str, list[Measurement]] = {}
    for v in visits:
        groups.setdefault(v.key, []).append(v)
    return groups
