"""One small trained-looking network, handed over once in every CPU format and precision."""

import shutil

import numpy as np
import pytest
import torch
from torch import nn

from deploy.export import export_network
from deploy.folder import Handed, Wanted, write_folder
from deploy.manifest import read_manifest
from hwnas.data import Dataset, Split


def split(count, seed):
    """Bright images are of class 1."""
    images = np.random.default_rng(seed).integers(0, 128, (count, 3, 8, 8), np.uint8)
    labels = np.arange(count) % 2
    return Split(images + 128 * labels[:, None, None, None].astype(np.uint8), labels)


@pytest.fixture(scope="session")
def handed(tmp_path_factory):
    """Two convolutions and a classifier that tells bright images from dark ones."""
    torch.manual_seed(0)
    layers = nn.Conv2d(3, 8, 3, padding=1), nn.ReLU(), nn.Conv2d(8, 8, 3, padding=1), nn.ReLU()
    network = nn.Sequential(*layers, nn.AdaptiveAvgPool2d(1), nn.Flatten(), nn.Linear(8, 2))
    data = Dataset("light: \U0001f98a", split(64, 0), split(10, 1), split(9, 2), ("dark", "bright"), mirror=True)
    mean, std = (a[:, None, None] for a in data.mean_std)
    pixels = torch.from_numpy(((data.train.images / np.float32(255) - mean) / std).astype(np.float32))
    optimiser = torch.optim.Adam(network.parameters(), lr=0.02)
    for _ in range(60):
        optimiser.zero_grad()
        nn.functional.cross_entropy(network(pixels), torch.from_numpy(data.train.labels)).backward()
        optimiser.step()
    path = tmp_path_factory.mktemp("trained") / "model.onnx"
    export_network(network, data, path, architecture="two layers", space="by hand")
    return Handed("light", ((path.read_bytes(), read_manifest(path), "between-ops"),), data)


@pytest.fixture(scope="session")
def whole(handed, tmp_path_factory):
    """The folder with ONNX and OpenVINO in fp32 and int8; nothing is measured. Look, but do not touch."""
    pytest.importorskip("openvino")
    folder = tmp_path_factory.mktemp("handover") / "folder"
    wanted = Wanted(("onnx", "openvino"), ("fp32", "int8"), measure=False, max_drop_points=100)
    write_folder(handed, wanted, folder)
    return folder


@pytest.fixture
def one(handed, tmp_path):
    """A folder of one fp32 ONNX model that a test may do anything to."""
    write_folder(handed, Wanted(measure=False), tmp_path / "one")
    return tmp_path / "one"


@pytest.fixture
def own(whole, tmp_path):
    """A copy that a test may do anything to."""
    return shutil.copytree(whole, tmp_path / "own")


@pytest.fixture(autouse=True)
def _own_state(monkeypatch, tmp_path):
    """The record of engines that were built here is the test's own."""
    monkeypatch.setenv("XDG_STATE_HOME", str(tmp_path / "state"))


@pytest.fixture
def one_process(monkeypatch):
    """Times are taken in one process, which is enough to see that they are."""
    monkeypatch.setattr("deploy.folder.measure._PROCESSES", 1)
