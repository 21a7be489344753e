"""A trained network to a checked ONNX file that takes raw images and answers as torch does."""

from __future__ import annotations

from dataclasses import dataclass
from importlib.metadata import version
from pathlib import Path

import numpy as np
import onnx
import torch
from numpy.typing import NDArray
from torch import nn

from deploy.inference import OnnxInference
from deploy.manifest import Manifest
from hwnas.data import Dataset
from hwnas.lowering.image_input import with_image_input
from hwnas.lowering.onnx_graph import onnx_from_module
from hwnas.spaces.cost import count_macs, count_params
from latency_tables import HwnasError
from latency_tables.storage.files import write_atomically

PARITY_TOLERANCE = 1e-4
_PARITY_IMAGES = 32


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


def export_network(network: nn.Module, data: Dataset, path: Path, *, architecture: str, space: str) -> Export:
    """Write `network`, which was trained on `data`, as ONNX for one raw image, and its manifest beside it.

    The file that is to ship is checked: its logits on raw images of the validation split are those of torch on
    normalised ones. Raises `ExportError` when onnx.checker refuses the model or any logit differs by more than
    `PARITY_TOLERANCE`; nothing is written then.
    """
    in_shape = (3, data.size, data.size)
    mean, std = (a.astype(np.float64) for a in data.mean_std)
    model = with_image_input(onnx_from_module(network, in_shape), mean.tolist(), std.tolist())
    try:
        proto = onnx.load_model_from_string(model)
        onnx.checker.check_model(proto, full_check=True)
    except (onnx.checker.ValidationError, onnx.shape_inference.InferenceError) as e:
        raise ExportError(f"the exported model is not valid ONNX: {str(e).splitlines()[0]}") from None
    opset = proto.opset_import[0].version
    manifest = Manifest.of(data, architecture=architecture, space=space, opset=opset, hwnas_version=version("hwnas"))
    model = manifest.into(model)
    images = data.validation.images[:_PARITY_IMAGES]
    difference = parity(network, model, images, data)
    if not difference <= PARITY_TOLERANCE:
        raise ExportError(f"the exported model answers differently from torch: by {difference:.2g} at most")
    write_atomically(path, model)
    manifest.write(path)
    return Export(
        path,
        len(model) / 1e6,
        len(proto.graph.node),
        count_macs(network, in_shape),
        count_params(network),
        difference,
    )


def parity(network: nn.Module, model: bytes, images: NDArray[np.uint8], data: Dataset) -> float:
    """Largest difference of any logit between an ONNX model on raw images and torch on the same ones, normalised."""
    mean, std = (a[:, None, None] for a in data.mean_std)
    normalised = ((images / np.float32(255) - mean) / std).astype(np.float32)
    network.eval()
    with torch.no_grad():
        expected = network(torch.from_numpy(normalised)).numpy()
    return float(np.abs(OnnxInference(model).logits(images) - expected).max())
