import hashlib

import pytest
import torch
from torch import nn

from hwnas.lowering.onnx_graph import onnx_from_module
from hwnas.lowering.op_models import reference_network
from latency_tables import LatencyTable, Provenance
from profilers.runtimes.onnxruntime import OnnxRuntimeProfiler


@pytest.fixture
def network():
    """Two layers that one can count by hand: 3x8x8 to 2 logits."""
    torch.manual_seed(0)
    layers = nn.Conv2d(3, 4, 3, padding=1, bias=False), nn.BatchNorm2d(4), nn.ReLU()
    network = nn.Sequential(*layers, nn.AdaptiveAvgPool2d(1), nn.Flatten(), nn.Linear(4, 2))
    network[1].running_mean.uniform_(-1, 1)
    network[1].running_var.uniform_(0.5, 2)
    return network


@pytest.fixture(scope="session")
def reference_us():
    return 400.0


@pytest.fixture(scope="session")
def table(reference_us):
    """A table of this very machine, with no rows: verification needs its target and its reference only."""
    model = reference_network()
    digest = hashlib.sha256(model).hexdigest()
    target = OnnxRuntimeProfiler().target()
    return LatencyTable((), Provenance(target, "mbconv-32", reference_us, digest, {}, "2026-01-01", 1.0), model)


@pytest.fixture
def reference(table, tmp_path):
    path = tmp_path / "reference.onnx"
    path.write_bytes(table.reference_model)
    return path


@pytest.fixture
def model(network, tmp_path):
    path = tmp_path / "model.onnx"
    path.write_bytes(onnx_from_module(network, (3, 8, 8)))
    return path
