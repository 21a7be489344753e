import pytest

from latency_tables import LatencyTable, Measurement, Op, OpCost, Provenance, TableRow, Target
from latency_tables.additive import Slot

CONV = Op.of("conv", (3, 32, 32), out=16, stride=2)
BLOCK = Op.of("mbconv", (16, 16, 16), expand=3, kernel=5)
HEAD = Op.of("head", (24,))


def make_target(**changes):
    fields = {
        "device": "cpu x2",
        "runtime": "onnxruntime",
        "runtime_version": "1.2.3",
        "precision": "fp32",
        "batch": 1,
        "threads": 2,
        "power_mode": "performance",
    }
    return Target(**(fields | changes))


def make_table(rows=None, **provenance):
    """A table of three rows: a full one, one that the runtime refused, and one with a single group."""
    if rows is None:
        rows = (
            TableRow(CONV, OpCost(0.25, 1000, 64), 120.5, 119.0, 122.0, 118.25, 130.0, 6, 3, "ci"),
            TableRow(BLOCK, OpCost(1.5, 2**40, 128), stop_reason="error", error='no kernel for "µ-op"'),
            TableRow(HEAD, OpCost(0.0, 0, 0), 3.0, 3.0, 3.0, 2.5, 3.5, 1, 1, "max_rounds"),
        )
    fields = {
        "target": make_target(),
        "space": "tiny",
        "reference_us": 350.125,
        "reference_sha256": "ab" * 32,
        "protocol": {"groups": 2, "target_ci_pct": 1.0},
        "measured_at": "2026-01-02T03:04:05+00:00",
        "seconds": 12.5,
        "versions": {"python": "3.11", "system": "Linux µ"},
    }
    return LatencyTable(tuple(rows), Provenance(**(fields | provenance)), b"\x00reference\n\xff" * 20)


def make_visit(samples=(), reference=(), *, key="op", round_=0, started=0.0, error=None):
    return Measurement(
        key,
        round_,
        started,
        tuple(tuple(map(float, g)) for g in samples),
        tuple(map(float, reference)),
        error=error,
    )


class GridSpace:
    """A space whose genotype is the choice of each slot."""

    def __init__(self, slots):
        self.cardinalities = tuple(map(len, slots))
        self.slots = tuple(Slot((i,), tuple(map(tuple, choices))) for i, choices in enumerate(slots))

    def slot_options(self, population):
        raise AssertionError("slots say which genes they follow")


@pytest.fixture(scope="session")
def target():
    return make_target


@pytest.fixture(scope="session")
def table():
    return make_table


@pytest.fixture(scope="session")
def visit():
    return make_visit


@pytest.fixture(scope="session")
def grid_space():
    return GridSpace
