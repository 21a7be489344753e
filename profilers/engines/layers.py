"""What a runtime runs of a model: its kernels, what they read and write, and the nodes of the model they stand for."""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True)
class EngineTensor:
    """What flows between layers, or a weight: its shape, precision (fp32, fp16, bf16, int8, ...) and memory format."""

    shape: tuple[int, ...]
    precision: str
    format: str = ""


@dataclass(frozen=True)
class EngineLayer:
    """One kernel of an engine and the nodes of the ONNX model whose work it does."""

    name: str
    kind: str
    inputs: tuple[EngineTensor, ...] = ()
    weights: tuple[EngineTensor, ...] = ()
    outputs: tuple[EngineTensor, ...] = ()
    onnx_nodes: tuple[str, ...] = ()
    tactic: str = ""

    @property
    def kernel(self) -> tuple[object, ...]:
        """What tells its kernel from others, wherever in a network it stands: kind, operands; no names."""
        return self.kind, self.inputs, self.weights, self.outputs
