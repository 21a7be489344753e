"""What TensorRT for RTX builds of our models without a GPU: accepted, proven, equal kernels, equal bytes, seconds."""

from __future__ import annotations

import hashlib
import subprocess
import sys
import tempfile
from collections import Counter
from collections.abc import Iterator, Mapping, Sequence
from functools import partial
from pathlib import Path
from typing import Any

import numpy as np
import onnx

from benchmarks._speak import say
from benchmarks._timing import timed
from hwnas.lowering.op_models import model_to_time, network_to_time
from hwnas.lowering.precision import BETWEEN_OPS, PRODUCT_INPUTS, halved, in_precision, quantised
from hwnas.spaces import SearchSpace, load_space
from latency_tables import Op, ProfilerError
from profilers.engines.engine import Engine
from profilers.engines.layers import EngineLayer
from profilers.runtimes.tensorrt.build import BuildSettings, build_plan
from profilers.runtimes.tensorrt.package import TENSORRT_RTX, find_tensorrt

_SPACES, _PRECISIONS, _CAPABILITIES = (
    ("mbconv-32", "mbconv-224", "regnet-32"),
    ("fp32", "fp16", "int8"),
    ("8.6", "12.0"),
)
_KERNEL_SPACES = ("mbconv-32", "mbconv-224")


def rtx(networks: int, seed: int) -> tuple[dict[str, float], Mapping[str, Any]]:
    """All figures of builds; `networks` random ones per space are built in every precision for two GPUs."""
    figures, details = _builds(networks, seed)
    figures |= _ops()
    figures["wrong_forms_caught_pct"], details["wrong_forms"] = _wrong_forms()
    kernels, details["kernels"] = _equal_kernels(max(1, networks // 4), seed)
    figures |= kernels
    figures["plan_reproducible"] = float(_reproducible(seed))
    return figures, details


def _network(space: SearchSpace, arch: Any) -> bytes:
    """A network without the part that takes raw images: ends as its ops have them."""
    return model_to_time(space.build(arch), space.input_shape)


def _built(model: bytes, precision: str, capability: str = "8.6") -> Engine:
    package = find_tensorrt(TENSORRT_RTX)
    (made, _), seconds = timed(partial(build_plan, package, model, precision, BuildSettings(capability)))
    digest = hashlib.sha256(model).hexdigest()
    return Engine(digest, made.content, made.layers, made.proof, made.settings, seconds)


def _builds(networks: int, seed: int) -> tuple[dict[str, float], dict[str, Any]]:
    accepted, asked, proven, products = 0, 0, 0, 0
    seconds: dict[str, list[float]] = {name: [] for name in _SPACES}
    refused: list[str] = []
    for name in _SPACES:
        space = load_space(name)
        for arch in space.sample(np.random.default_rng(seed), networks):
            shipped = network_to_time(space, arch)
            for precision in _PRECISIONS:
                model = in_precision(shipped, precision, form="product-inputs")
                for capability in _CAPABILITIES:
                    asked += 1
                    try:
                        engine = _built(model, precision, capability)
                    except ProfilerError as e:
                        refused.append(f"{space.to_text(arch)} {precision} {capability}: {e}")
                        continue
                    accepted += 1
                    assert engine.proof is not None
                    seconds[name].append(engine.seconds)
                    products += engine.proof.products
                    proven += engine.proof.products - len(engine.proof.offenders)
                    refused += [f"{o.name}: {o.precision} ({o.layer})" for o in engine.proof.offenders]
        say(f"{name}: {accepted} of {asked} accepted, median {1e3 * np.median(seconds[name]):.0f} ms")
    medians = {name: 1e3 * float(np.median(of_space)) for name, of_space in seconds.items()}
    figures = {
        "rtx_accepted_pct": 100 * accepted / asked,
        "rtx_build_ms_32": medians["mbconv-32"],
        "rtx_build_ms_224": medians["mbconv-224"],
        "precision_proof_pct": 100 * proven / products,
    }
    return figures, {"builds": asked, "products": products, "complaints": refused}


def _op_model(space: SearchSpace, op: Op) -> bytes:
    return model_to_time(space.build_op(op), op.in_shape)


def _ops() -> dict[str, float]:
    space = load_space("mbconv-32")
    seconds = [_built(_op_model(space, op), "fp32").seconds for op in space.all_ops]
    say(f"{len(seconds)} ops of mbconv-32: {sum(seconds):.1f} s")
    return {"rtx_ops": float(len(seconds)), "rtx_ops_seconds": sum(seconds)}


def _wrong_forms() -> tuple[float, dict[str, str]]:
    """Files that are not what they are called; each must be refused, or its proof must name an offending node."""
    space = load_space("mbconv-32")
    model = _network(space, space.sample(np.random.default_rng(0), 1)[0])
    cases = {
        "onnxruntime's int8 form": (quantised(model, form=BETWEEN_OPS), "int8"),
        "unsigned with zero point 0": (_unsigned(quantised(model, form=PRODUCT_INPUTS)), "int8"),
        "fp32 called fp16": (model, "fp16"),
        "fp32 called int8": (model, "int8"),
        "fp16 with two blocks in fp32": (_beginning_in_fp32(halved(model)), "fp16"),
        "fp16 input, fp32 weight": (_mixed_types(halved(model)), "fp16"),
    }
    found: dict[str, str] = {}
    named = 0
    for name, (wrong, precision) in cases.items():
        try:
            proof = _built(wrong, precision).proof
            assert proof is not None
            proof.require("tensorrt-rtx")
            found[name] = "NOT CAUGHT"
        except ProfilerError as e:
            found[name] = str(e)
            named += any(f" {node.name} (" in str(e) for node in onnx.load_model_from_string(wrong).graph.node)
        say(f"{name}: {found[name]}")
    return 100 * named / len(cases), found


def _unsigned(model: bytes) -> bytes:
    """Activations as uint8 with zero point 0, which TensorRT reads as int8 with no more than a warning."""
    proto = onnx.load_model_from_string(model)
    readers = {node.input[2] for node in proto.graph.node if node.op_type == "QuantizeLinear"}
    for weight in proto.graph.initializer:
        if weight.name in readers:
            zeros = np.zeros(tuple(weight.dims), np.uint8)
            weight.CopyFrom(onnx.numpy_helper.from_array(zeros, weight.name))
    return bytes(proto.SerializeToString())


def _beginning_in_fp32(model: bytes) -> bytes:
    """An fp16 model whose first two blocks compute in fp32, with a cast before and behind them."""
    proto = onnx.load_model_from_string(model)
    graph = proto.graph
    first = [node for node in graph.node if node.name.startswith(("_0_", "_1_"))]
    rest = [node for node in graph.node if node not in first]
    _to_fp32(graph, {name for node in first for name in node.input})
    made = {name for node in first for name in node.output}
    leaving = dict.fromkeys(name for node in rest for name in node.input if name in made)
    source = graph.input[0].name
    begin = onnx.helper.make_node("Cast", [source], ["begin"], "begin", to=onnx.TensorProto.FLOAT)
    end = [onnx.helper.make_node("Cast", [n], [f"{n}.half"], f"{n}.half", to=onnx.TensorProto.FLOAT16) for n in leaving]
    for node in first:
        node.input[:] = ["begin" if name == source else name for name in node.input]
    for node in rest:
        node.input[:] = [f"{name}.half" if name in leaving else name for name in node.input]
    del graph.node[:]
    graph.node.extend([begin, *first, *end, *rest])
    return bytes(proto.SerializeToString())


def _to_fp32(graph: onnx.GraphProto, names: set[str]) -> None:
    for weight in graph.initializer:
        if weight.name in names:
            floats = onnx.numpy_helper.to_array(weight).astype(np.float32)
            weight.CopyFrom(onnx.numpy_helper.from_array(floats, weight.name))


def _mixed_types(model: bytes) -> bytes:
    """An fp16 model whose first convolution has fp32 weights."""
    proto = onnx.load_model_from_string(model)
    conv = next(node for node in proto.graph.node if node.op_type == "Conv")
    _to_fp32(proto.graph, {conv.input[1]})
    return bytes(proto.SerializeToString())


def _equal_kernels(networks: int, seed: int) -> tuple[dict[str, float], dict[str, Any]]:
    """The kernels of every op built alone against those of its block inside random networks, fp16."""
    equal, compared, without = 0, 0, 0
    differ: list[str] = []
    for name in _KERNEL_SPACES:
        space = load_space(name)
        alone: dict[str, Counter[Any]] = {}
        for arch in space.sample(np.random.default_rng(seed), networks):
            model = halved(_network(space, arch))
            layers = _built(model, "fp16").layers
            blocks = _by_block(layers)
            without += sum(len(_blocks_of(layer)) != 1 for layer in layers[1:])  # the first turns the image round
            for index, op in enumerate(space.ops(arch)):
                if op.key not in alone:
                    built = _built(halved(_op_model(space, op)), "fp16")
                    alone[op.key] = Counter(layer.kernel for layer in built.layers if layer.onnx_nodes)
                inside = Counter(layer.kernel for layer in blocks.get(index, ()))
                compared += 1
                equal += inside == alone[op.key]
                if inside != alone[op.key]:
                    differ.append(f"{op.key}: alone {dict(alone[op.key])}, inside {dict(inside)}")
        say(f"{name}: {equal} of {compared} ops have the kernels of their block")
    figures = {"op_kernels_equal_pct": 100 * equal / compared, "layers_without_block": float(without)}
    return figures, {"compared": compared, "differ": sorted(set(differ))}


def _by_block(layers: Sequence[EngineLayer]) -> dict[int, list[EngineLayer]]:
    blocks: dict[int, list[EngineLayer]] = {}
    for layer in layers:
        for index in _blocks_of(layer):
            blocks.setdefault(index, []).append(layer)
    return blocks


def _blocks_of(layer: EngineLayer) -> set[int]:
    """The ops of a network whose work a layer does: a node's name begins with the place of its block."""
    return {int(node.split("_")[1]) for node in layer.onnx_nodes}


def _reproducible(seed: int) -> bool:
    """Whether two processes build the same bytes."""
    space = load_space("mbconv-32")
    model = in_precision(network_to_time(space, space.sample(np.random.default_rng(seed), 1)[0]), "fp16")
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder) / "model.onnx"
        path.write_bytes(model)
        return len(set(_digests(path))) == 1


def _digests(model: Path) -> Iterator[str]:
    script = (
        "import sys; from pathlib import Path; from benchmarks._rtx import _built;"
        "print(_built(Path(sys.argv[1]).read_bytes(), 'fp16').sha256)"
    )
    for _ in range(2):
        done = subprocess.run([sys.executable, "-c", script, str(model)], capture_output=True, text=True, check=True)
        yield done.stdout.splitlines()[-1]
