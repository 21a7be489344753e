"""A trained network to a checked ONNX file that answers as torch does."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

import numpy as np
import onnx
import torch
from torch import nn

from hwnas.lowering.onnx_graph import onnx_from_module
from hwnas.spaces.cost import count_macs, count_params
from latency_tables import HwnasError
from latency_tables.storage.files import write_atomically

PARITY_TOLERANCE = 1e-4


class ExportError(HwnasError):
    """An ONNX file that is invalid or answers differently from torch."""


@dataclass(frozen=True)
class Export:
    """What was written: ONNX bytes' size, node count, the network's cost, and how far the outputs are apart."""

    path: Path
    megabytes: float
    nodes: int
    macs: int
    params: int
    parity_max_abs: float


def export_network(network: nn.Module, in_shape: tuple[int, ...], path: Path, images: np.ndarray) -> Export:
    """Write `network` as ONNX with batch 1, check it, and compare its logits with torch's on `images`.

    `images` are normalised float32 inputs [n, *in_shape]. Raises `ExportError` when onnx.checker refuses the
    model or any logit differs by more than `PARITY_TOLERANCE`.
    """
    model = onnx_from_module(network, in_shape)
    try:
        proto = onnx.load_model_from_string(model)
        onnx.checker.check_model(proto, full_check=True)
    except (onnx.checker.ValidationError, onnx.shape_inference.InferenceError) as e:
        raise ExportError(f"the exported model is not valid ONNX: {str(e).splitlines()[0]}") from None
    difference = parity(network, model, images)
    if not difference <= PARITY_TOLERANCE:
        raise ExportError(f"the exported model answers differently from torch: by {difference:.2g} at most")
    write_atomically(path, model)
    return Export(
        path,
        len(model) / 1e6,
        len(proto.graph.node),
        count_macs(network, in_shape),
        count_params(network),
        difference,
    )


def parity(network: nn.Module, model: bytes, images: np.ndarray) -> float:
    """Largest absolute difference of any logit between torch and onnxruntime, one image at a time."""
    import onnxruntime as ort

    session = ort.InferenceSession(model, providers=["CPUExecutionProvider"])
    name = session.get_inputs()[0].name
    network.eval()
    with torch.no_grad():
        expected = network(torch.from_numpy(images)).numpy()
    got = np.concatenate([session.run(None, {name: image[None]})[0] for image in images])
    return float(np.abs(got - expected).max())
