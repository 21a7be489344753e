"""What a runtime makes of an ONNX model: an engine, its layers, and the proof that it computes in the precision asked."""

from __future__ import annotations

import hashlib
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from math import prod

from latency_tables import ProfilerError


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


@dataclass(frozen=True)
class Product:
    """A convolution or matrix product of a model: the name of its ONNX node, its kind, the shape of its weights.

    Those of a convolution are [outputs, inputs / groups, height, width].
    """

    node: str
    kind: str
    shape: tuple[int, ...]

    def is_weight(self, tensor: EngineTensor) -> bool:
        """Whether a constant of an engine can be these weights; runtimes pad channels, and reshape those of a Gemm.

        A constant of another shape is none: to pad an image, too, a layer keeps a constant.
        """
        if len(self.shape) == len(tensor.shape) == 4:
            outputs, inputs, *kernel = tensor.shape
            return outputs >= self.shape[0] and inputs >= self.shape[1] and tuple(kernel) == self.shape[2:]
        return len(tensor.shape) < 4 and prod(tensor.shape) == prod(self.shape)


@dataclass(frozen=True)
class Offender:
    """A product that did not run as asked, and why."""

    product: Product
    why: str


@dataclass(frozen=True)
class Proof:
    """Whether every matrix product of a model runs in the precision asked, by the layers of its engine."""

    asked: str
    products: int
    offenders: tuple[Offender, ...]

    @property
    def share_pct(self) -> float:
        """Per cent of the products that run as asked; 100 for a model without any."""
        return 100.0 if self.products == 0 else 100 * (1 - len(self.offenders) / self.products)

    def require(self, runtime: str) -> None:
        """Raise `ProfilerError` that names the first offender, unless all products run as asked."""
        if self.offenders:
            first, more = self.offenders[0], len(self.offenders) - 1
            others = f", and {more} more" if more else ""
            raise ProfilerError(
                f"{runtime} does not run {first.product.node} ({first.product.kind}) in {self.asked}: "
                f"{first.why}{others}; make the model in {self.asked}, or profile it as what it is"
            )


@dataclass(frozen=True)
class Engine:
    """A built model: `content` is what its builder opens, as often and in as many processes as one likes."""

    model_sha256: str
    content: bytes = field(repr=False)
    layers: tuple[EngineLayer, ...] = ()
    proof: Proof | None = None
    built_with: Mapping[str, str] = field(default_factory=dict)
    seconds: float = 0.0

    @property
    def sha256(self) -> str:
        """Of the content."""
        return hashlib.sha256(self.content).hexdigest()


def prove(asked: str, products: Sequence[Product], layers: Iterable[EngineLayer]) -> Proof:
    """Hold every product against the layers that name its node and have its weights.

    Such a layer must take its first input and keep those weights in the precision `asked`. A product that no layer
    accounts for is an offender too: what cannot be shown is not proven.
    """
    by_node: dict[str, list[EngineLayer]] = {}
    for layer in layers:
        for node in layer.onnx_nodes:
            by_node.setdefault(node, []).append(layer)
    found = ((product, _why_not(asked, product, by_node.get(product.node, ()))) for product in products)
    return Proof(asked, len(products), tuple(Offender(product, why) for product, why in found if why))


def _why_not(asked: str, product: Product, layers: Sequence[EngineLayer]) -> str:
    """Why a product is not shown to run as asked; empty when it is."""
    kept = [(layer, w) for layer in layers for w in layer.weights if product.is_weight(w)]
    if not kept:
        return "no layer of the engine has its weights"
    for layer, weight in kept:
        if weight.precision != asked:
            return f"layer {layer.name} keeps its weights in {weight.precision}"
        if layer.inputs and layer.inputs[0].precision != asked:
            return f"layer {layer.name} reads {layer.inputs[0].precision}"
    return ""
