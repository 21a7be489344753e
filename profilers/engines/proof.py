"""The proof that an engine computes its matrix products in the precision asked for, from its own layers."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from math import prod

from latency_tables import ProfilerError
from profilers.engines.layers import EngineLayer, EngineTensor


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
    """A product that did not run as asked: its name and kind, the precision it ran in, and the layer that shows it."""

    name: str
    kind: str
    precision: str
    layer: str = ""


@dataclass(frozen=True)
class Proof:
    """Whether every matrix product of a model runs in the precision asked, by the layers of its engine.

    A model without any product (pooling, a sum) has nothing to run in a lower precision and passes.
    """

    asked: str
    products: int
    offenders: tuple[Offender, ...] = ()

    @property
    def share_pct(self) -> float:
        """Per cent of the products that run as asked; 100 for a model without any."""
        return 100.0 if self.products == 0 else 100 * (1 - len(self.offenders) / self.products)

    def require(self, runtime: str) -> None:
        """Raise `ProfilerError` that names the first offender, unless all products run as asked."""
        if self.offenders:
            first = self.offenders[0]
            where = f" (layer {first.layer})" if first.layer else ""
            raise ProfilerError(
                f"{runtime} runs {first.name} ({first.kind}) in {first.precision}{where}, not in {self.asked}; "
                f"make the models in {self.asked}, or profile them as {first.precision}"
            )


def prove_kernels(asked: str, kernels: Iterable[EngineLayer]) -> Proof:
    """For a runtime that says which of its kernels are matrix products: each must read its operand in `asked`."""
    products = tuple(kernels)
    wrong = (k for k in products if k.inputs[0].precision != asked)
    return Proof(asked, len(products), tuple(Offender(k.name, k.kind, k.inputs[0].precision) for k in wrong))


def prove_products(asked: str, products: Sequence[Product], layers: Iterable[EngineLayer]) -> Proof:
    """For a runtime that fuses: every product is held against the layers that name its node and have its weights.

    Such a layer must take its first input and keep those weights in `asked`. A product that no layer accounts for is
    an offender too: what cannot be shown is not proven.
    """
    by_node: dict[str, list[EngineLayer]] = {}
    for layer in layers:
        for node in layer.onnx_nodes:
            by_node.setdefault(node, []).append(layer)
    found = (_offender(asked, product, by_node.get(product.node, ())) for product in products)
    return Proof(asked, len(products), tuple(offender for offender in found if offender is not None))


def _offender(asked: str, product: Product, layers: Sequence[EngineLayer]) -> Offender | None:
    shown = False
    for layer in layers:
        weights = [w for w in layer.weights if product.is_weight(w)]
        for tensor in (*weights, *layer.inputs[:1]) if weights else ():
            if tensor.precision != asked:
                return Offender(product.node, product.kind, tensor.precision, layer.name)
            shown = True
    return None if shown else Offender(product.node, product.kind, "what no layer of the engine shows")
