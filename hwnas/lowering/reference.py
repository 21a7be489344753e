"""The reference network where there may be no torch."""

from __future__ import annotations

from latency_tables.storage.files import REFERENCE_FILE
from latency_tables.storage.find import shipped_tables
from profilers import Int8Form


def reference_model(precision: str = "fp32", form: Int8Form = "between-ops") -> bytes:
    """The reference network in ONNX: from a table that ships, so that no torch is needed, or made.

    Raises ImportError where it is neither shipped in this precision nor, without torch, can be made.
    """
    if precision != "int8" or form == "between-ops":  # as the tables that ship have it
        for shipped in sorted(shipped_tables().rglob(f"{precision}-1t/*/{REFERENCE_FILE}")):
            return shipped.read_bytes()
    from hwnas.lowering.op_models import reference_network

    return reference_network(precision, form)
