"""How to measure an ONNX model on a device. Runs on the device: no torch, one inference runtime."""

from profilers._base import InputSpec, Int8Form, Profiler, RuntimeSetting, Session, random_inputs
from profilers.engines.engine import Engine
from profilers.plan import Plan, PlannedModel, read_plan, write_plan
from profilers.profile import measure_plan, table_from_plan
from profilers.protocol import Protocol

__all__ = [
    "Engine",
    "InputSpec",
    "Int8Form",
    "Plan",
    "PlannedModel",
    "Profiler",
    "Protocol",
    "RuntimeSetting",
    "Session",
    "measure_plan",
    "random_inputs",
    "read_plan",
    "table_from_plan",
    "write_plan",
]
