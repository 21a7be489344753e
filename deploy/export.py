"""A trained network to a checked ONNX file that takes raw images and answers as torch does."""

from __future__ import annotations

from dataclasses import dataclass, replace
from importlib.metadata import version
from pathlib import Path

import numpy as np
import onnx
import torch
from numpy.typing import NDArray
from torch import nn

from deploy.answers import logits, open_to_answer
from deploy.lowered import lower
from deploy.manifest import Lowering, Manifest
from deploy.onnx_file import OnnxFileError, require_valid
from hwnas.data import Dataset
from hwnas.lowering.image_input import with_image_input
from hwnas.lowering.onnx_graph import onnx_from_module
from hwnas.spaces.cost import count_macs, count_params
from latency_tables import HwnasError
from latency_tables.storage.files import write_atomically
from profilers import Profiler

PARITY_TOLERANCE = 1e-4
_PARITY_IMAGES = 32


class ExportError(HwnasError):
    """An ONNX file that is invalid or answers differently from torch."""


@dataclass(frozen=True)
class Export:
    """What was written: ONNX bytes' size, node count, the network's cost, and how far the outputs are apart.

    `parity_max_abs` is that of the network in fp32; `lowering` says what another precision costs.
    """

    path: Path
    megabytes: float
    nodes: int
    macs: int
    params: int
    parity_max_abs: float
    precision: str = "fp32"
    lowering: Lowering | None = None


def export_network(
    network: nn.Module,
    data: Dataset,
    path: Path,
    *,
    architecture: str,
    space: str,
    profiler: Profiler | None = None,
    max_drop_points: float = 1.0,
) -> Export:
    """Write `network`, which was trained on `data`, as ONNX for one raw image, and its manifest beside it.

    In the precision of `profiler`, the runtime it is for; in fp32 where there is none. In fp32 it is checked: its
    logits on raw images of the validation split are those of torch on normalised ones. Another precision may cost
    `max_drop_points` percentage points of validation accuracy at most.

    Raises `ExportError` when onnx.checker refuses the model or any logit differs by more than `PARITY_TOLERANCE`, and
    what `deploy.lowered.lower` raises; nothing is written then.
    """
    model, in_shape = image_model(network, data), _in_shape(data)
    proto = _checked(model)
    opset = proto.opset_import[0].version
    manifest = Manifest.of(data, architecture=architecture, space=space, opset=opset, hwnas_version=version("hwnas"))
    difference = parity(
        network, model, data.validation.take(np.arange(min(_PARITY_IMAGES, len(data.validation)))).images, data
    )
    if not difference <= PARITY_TOLERANCE:
        raise ExportError(f"the exported model answers differently from torch: by {difference:.2g} at most")
    if profiler is not None and profiler.target().precision != manifest.precision:
        lowered = lower(model, data, profiler)
        lowered.require(max_drop_points)
        model, proto = lowered.model, _checked(lowered.model)
        opset = proto.opset_import[0].version
        manifest = replace(manifest, opset=opset, precision=lowered.precision, lowering=lowered.lowering)
    model = manifest.into(model)
    write_atomically(path, model)
    manifest.write(path)
    return Export(
        path,
        len(model) / 1e6,
        len(proto.graph.node),
        count_macs(network, in_shape),
        count_params(network),
        difference,
        manifest.precision,
        manifest.lowering,
    )


def image_model(network: nn.Module, data: Dataset) -> bytes:
    """The ONNX model, in fp32, of a network in eval mode that was trained on `data`: for one raw image."""
    mean, std = (a.astype(np.float64).tolist() for a in data.mean_std)
    return with_image_input(onnx_from_module(network, _in_shape(data)), mean, std)


def _in_shape(data: Dataset) -> tuple[int, int, int]:
    return 3, data.size, data.size


def _checked(model: bytes) -> onnx.ModelProto:
    proto = onnx.load_model_from_string(model)
    try:
        require_valid(proto, "the exported model")
    except OnnxFileError as e:
        raise ExportError(str(e)) from None
    return proto


def parity(network: nn.Module, model: bytes, images: NDArray[np.uint8], data: Dataset) -> float:
    """Largest difference of any logit between an ONNX model on raw images and torch on the same ones, normalised."""
    mean, std = (a[:, None, None] for a in data.mean_std)
    normalised = ((images / np.float32(255) - mean) / std).astype(np.float32)
    network.eval()
    with torch.no_grad():
        expected = network(torch.from_numpy(normalised)).numpy()
    with open_to_answer(model) as session:
        return float(np.abs(logits(session, images) - expected).max())
