"""What the files that ship answer to real images: every runtime against torch, int8 against fp32, on trained networks.

int8 is calibrated on training images, in the way that validation likes best; what it costs is that on the test images.
The networks have the weights of a supernet of `mbconv-32`, trained as in the main job. No times are taken.
"""

from __future__ import annotations

import tempfile
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray

from benchmarks._speak import DATA_FOLDER, say
from deploy.answers import accuracy, logits, open_to_answer
from deploy.export import image_model
from deploy.lowered import lower
from hwnas.data import Dataset, load_dataset
from hwnas.spaces import load_space
from hwnas.training import Batches, load_recipes, recalibrate, train_supernet
from profilers.runtimes import make_profiler

_RUNTIMES = ("onnxruntime", "openvino", "ncnn")
_INT8 = ("onnxruntime", "openvino")
_IMAGES = 500


@dataclass(frozen=True)
class _Network:
    """A network as it ships, and what torch answers to the images, [n, classes]."""

    arch: str
    model: bytes
    logits: NDArray[np.float32]


def answers(networks: int, seed: int, epochs: int) -> tuple[dict[str, float], Mapping[str, Any]]:
    """Parity and agreement of every runtime, and what int8 costs, on digits and on a subset of CIFAR-10."""
    figures: dict[str, float] = {}
    details: dict[str, Any] = {}
    parity, agreement, shares, drops = [], [], [], []
    for name, data in _data():
        test = data.test.take(np.arange(min(_IMAGES, len(data.test))))
        images, labels = test.images, test.labels
        for network in _networks(data, images, networks, seed, epochs):
            found: dict[str, Any] = {"accuracy_pct": 100 * accuracy(network.logits, labels)}
            for runtime in _RUNTIMES:
                said = _answers(runtime, "fp32", network.model, images)
                found[f"{runtime} max_abs"] = float(np.abs(said - network.logits).max())
                same = (said.argmax(1) == network.logits.argmax(1)).mean()
                found[f"{runtime} agreement_pct"] = 100 * float(same)
            parity += [value for key, value in found.items() if key.endswith("max_abs")]
            agreement += [value for key, value in found.items() if key.endswith("agreement_pct")]
            for runtime in _INT8:
                lowered = lower(network.model, data, make_profiler(runtime, 1, 1, "int8"))
                how, said = lowered.lowering, _answers(runtime, "int8", lowered.model, images)
                assert how.proof_pct is not None
                shares.append(how.proof_pct)
                drops.append(found["accuracy_pct"] - 100 * accuracy(said, labels))
                title = f"{runtime} int8"
                found |= {f"{title} integer_pct": shares[-1], f"{title} drop_points": drops[-1]}
                found |= {f"{title} method": how.method, f"{title} validation_drop_points": how.drop_points}
            details.setdefault(name, {})[network.arch] = found
        say(f"{name}: parity {max(parity):.2g}, agreement {min(agreement):.4g} %, int8 drops {max(drops):.3g} points")
    figures |= {"parity_max_abs": max(parity), "top1_agreement_pct": min(agreement), "int8_integer_pct": min(shares)}
    figures |= {"int8_drop_points": max(drops), "int8_drop_points_mean": float(np.mean(drops))}
    return figures, details


def _data() -> Iterator[tuple[str, Dataset]]:
    yield "digits", load_dataset("digits")
    train = DATA_FOLDER / "cifar10" / "train.parquet"
    if train.exists():
        yield "cifar10", load_dataset(str(train), test_source=str(train.with_name("test.parquet")), limit=2000)
    else:
        say("no CIFAR-10 beside the repository: digits alone")


def _networks(data: Dataset, images: NDArray[np.uint8], count: int, seed: int, epochs: int) -> Iterator[_Network]:
    recipe = replace(load_recipes("cpu-minutes").supernet, epochs=epochs)
    space, batches = load_space("mbconv-32", data.num_classes), Batches.of(data, recipe)
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder) / "supernet.safetensors"
        supernet, _ = train_supernet(space, batches, recipe, seed, path)
    mean, std = data.mean_std
    normalised = (images / np.float32(255) - mean[:, None, None]) / std[:, None, None]
    for arch in space.sample(np.random.default_rng(seed), count):
        network = supernet.extract(arch)
        recalibrate(network, batches.plain(data.train, limit=512))
        model = image_model(network, data)
        with torch.inference_mode():
            logits = network(torch.from_numpy(normalised.astype(np.float32))).numpy()
        yield _Network(space.to_text(arch), model, logits)


def _answers(runtime: str, precision: str, model: bytes, images: NDArray[np.uint8]) -> NDArray[np.float32]:
    with open_to_answer(model, make_profiler(runtime, 1, 1, precision)) as session:
        return logits(session, images)
