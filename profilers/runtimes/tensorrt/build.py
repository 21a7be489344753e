"""An ONNX model to a plan: parsed strongly typed, built for one GPU, its layers read from the build log."""

from __future__ import annotations

import re
from collections.abc import Callable
from dataclasses import asdict, dataclass
from typing import Any

from latency_tables import ProfilerError
from latency_tables.progress import Progress, silent
from profilers.engines.engine import Compiled
from profilers.engines.proof import Product, prove_products
from profilers.runtimes.tensorrt.layers import layers_of_log
from profilers.runtimes.tensorrt.package import TensorRt

_IMAGE_CHANNELS = 4  # an edge with more channels lies inside a network
_MB = 1 << 20
_PARSED_NODE = re.compile(r"(\S+) \[(\w+)\] inputs: ")


@dataclass(frozen=True)
class BuildSettings:
    """How a plan is built; all of it is among the plan's own `settings`.

    `capability` ("8.6") is the GPU to build for where the package can build for another one (TensorRT for RTX); None:
    the one that is there. `batches` (least, usual, most) are those of a model whose batch is dynamic. Hardware
    compatibility is NVIDIA's name of it, e.g. AMPERE_PLUS.
    """

    capability: str | None = None
    level: int = 3
    workspace_mb: int | None = None
    hardware_compatibility: str | None = None
    version_compatible: bool = False
    tf32: bool = False
    channels_last_edges: bool = True
    batches: tuple[int, int, int] = (1, 1, 1)


def build_plan(
    package: TensorRt,
    model: bytes,
    precision: str,
    settings: BuildSettings,
    cache: bytes | None = None,
    progress: Progress = silent,
) -> tuple[Compiled, bytes | None]:
    """The plan of a model and the timing cache after it (None where the package keeps none).

    Inner edges of the graph, those with more channels than an image has, are channels-last: else every op built
    alone gets transposing kernels that it has not in a network. Raises `ProfilerError` in one line that names node and
    operator when the model is refused; whether its products run in `precision` is for the proof to say. Ctrl-C ends a
    build cleanly.
    """
    with package.listening() as said:
        builder = package.trt.Builder(package.logger)
        network = builder.create_network(package.strongly_typed())
        _parse(package, network, model, said)
        _set_edges(package, network, settings)
        config = _config(package, builder, network, settings)
        kept = _timing_cache(package, config, cache)
        monitor = _monitor(package, progress)
        config.progress_monitor = monitor
        plan = builder.build_serialized_network(network, config)
        if monitor.interrupted:
            raise KeyboardInterrupt
        if plan is None:
            raise ProfilerError(f"{package.name} cannot build the model: {_reason(said)}")
        layers = layers_of_log(said)
        products = _products(package, network)
    used = {name: str(value) for name, value in asdict(settings).items()}
    return Compiled(bytes(plan), layers, prove_products(precision, products, layers), used), kept()


def _parse(package: TensorRt, network: Any, model: bytes, said: list[str]) -> None:
    parser = package.trt.OnnxParser(network, package.logger)
    if parser.parse(model) and network.num_outputs:  # it takes nothing at all for an empty network
        _refuse_unsigned(package, said)
        return
    if not parser.num_errors:
        raise ProfilerError(f"{package.name} refuses the model: {_reason(said) or 'it has no outputs'}")
    error = parser.get_error(0)
    node, operator = error.node_name(), error.node_operator()
    where = f"node {node} ({operator}): " if node or operator else ""
    raise ProfilerError(f"{package.name} refuses the model: {where}{_one_line(error.desc())}")


def _refuse_unsigned(package: TensorRt, said: list[str]) -> None:
    """Unsigned activations are read as signed ones, with a warning after the node's own message and no error."""
    node = ""
    for message in said:
        if found := _PARSED_NODE.match(message):
            node = f"node {found[1]} ({found[2]})"
        if "UINT8 zero_point" in message:
            raise ProfilerError(
                f"{package.name} refuses the model: {node} has unsigned activations, which would be read as signed; "
                "quantise them symmetrically to int8"
            )


def _set_edges(package: TensorRt, network: Any, settings: BuildSettings) -> None:
    if not settings.channels_last_edges:
        return
    formats = 1 << int(package.trt.TensorFormat.HWC)
    ends = [network.get_input(i) for i in range(network.num_inputs)]
    ends += [network.get_output(i) for i in range(network.num_outputs)]
    for tensor in ends:
        if len(tensor.shape) == 4 and tensor.shape[1] > _IMAGE_CHANNELS:
            tensor.allowed_formats = formats


def _config(package: TensorRt, builder: Any, network: Any, settings: BuildSettings) -> Any:
    trt = package.trt
    config = builder.create_builder_config()
    config.profiling_verbosity = trt.ProfilingVerbosity.DETAILED
    config.builder_optimization_level = settings.level
    if not settings.tf32:
        config.clear_flag(trt.BuilderFlag.TF32)
    if settings.workspace_mb is not None:
        config.set_memory_pool_limit(trt.MemoryPoolType.WORKSPACE, settings.workspace_mb * _MB)
    if settings.hardware_compatibility is not None:
        level = package.option("HardwareCompatibilityLevel", settings.hardware_compatibility)
        config.hardware_compatibility_level = level
    if settings.version_compatible:
        config.set_flag(package.option("BuilderFlag", "VERSION_COMPATIBLE"))
    if settings.capability is not None:
        config.num_compute_capabilities = 1
        config.set_compute_capability(package.capability(settings.capability), 0)
    _add_profile(builder, config, network, settings)
    return config


def _add_profile(builder: Any, config: Any, network: Any, settings: BuildSettings) -> None:
    """Batches from least to most for every input whose first dimension is dynamic."""
    profile, dynamic = builder.create_optimization_profile(), False
    for i in range(network.num_inputs):
        tensor = network.get_input(i)
        batch, *shape = tensor.shape
        if -1 in shape:
            raise ProfilerError(f"input {tensor.name} is dynamic in more than its batch: {list(tensor.shape)}")
        if batch == -1:
            dynamic = True
            profile.set_shape(tensor.name, *((size, *shape) for size in settings.batches))
    if dynamic:
        config.add_optimization_profile(profile)


def _timing_cache(package: TensorRt, config: Any, cache: bytes | None) -> Callable[[], bytes | None]:
    """Give the build its cache; what it holds afterwards. TensorRT for RTX times nothing at build time."""
    if package.is_rtx or cache is None:
        return lambda: None
    timing = config.create_timing_cache(cache)
    config.set_timing_cache(timing, False)
    return lambda: bytes(config.get_timing_cache().serialize())


def _monitor(package: TensorRt, progress: Progress) -> Any:
    """Tells `progress` the steps of the build; the build ends when `progress` raises KeyboardInterrupt."""
    interface = package.trt.IProgressMonitor

    class Monitor(interface):  # type: ignore[misc, valid-type]
        def __init__(self) -> None:
            interface.__init__(self)
            self.interrupted = False
            self._steps: dict[str, int] = {}

        def phase_start(self, name: str, parent: str | None, steps: int) -> None:
            self._steps[name] = steps

        def phase_finish(self, name: str) -> None:
            self._steps.pop(name, None)

        def step_complete(self, name: str, step: int) -> bool:
            try:
                progress(step + 1, max(self._steps.get(name, 0), step + 1), name)
            except KeyboardInterrupt:  # nothing may be raised through the builder
                self.interrupted = True
            return not self.interrupted

    return Monitor()


def _products(package: TensorRt, network: Any) -> list[Product]:
    """Convolutions and matrix products that have weights, as the parser understood them."""
    trt, found = package.trt, []
    for i in range(network.num_layers):
        layer = network.get_layer(i)
        if layer.type == trt.LayerType.CONVOLUTION:
            shape = layer.get_input(0).shape
            layer.__class__ = trt.IConvolutionLayer
            kernel = (layer.num_output_maps, shape[1] // layer.num_groups, *layer.kernel_size_nd)
            found.append(Product(_node(layer), "Conv", kernel))
        elif layer.type == trt.LayerType.MATRIX_MULTIPLY:
            found.append(Product(_node(layer), "Gemm", tuple(layer.get_input(1).shape)))
    return found


def _node(layer: Any) -> str:
    return str(layer.metadata).removeprefix("[ONNX Layer: ").removesuffix("]") or str(layer.name)


def _reason(said: list[str]) -> str:
    """The last message that reads as an error, in one line."""
    errors = [message for message in said if "rror" in message]
    return _one_line((errors or said or ["no reason given"])[-1])


def _one_line(text: str) -> str:
    return " ".join(text.split())
