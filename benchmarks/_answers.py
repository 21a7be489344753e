"""What the files that ship answer to real images: every runtime against torch, int8 against fp32, on trained networks.

The networks have the weights of a supernet of `mbconv-32`, trained as in the main job. No times are taken.
"""

from __future__ import annotations

import tempfile
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray

from benchmarks._speak import DATA_FOLDER, say
from hwnas.data import Dataset, load_dataset
from hwnas.lowering.image_input import with_image_input
from hwnas.lowering.onnx_graph import onnx_from_module
from hwnas.lowering.precision import BETWEEN_OPS, PRODUCT_INPUTS, QuantisedForm, quantised
from hwnas.run.accuracy_model import SUPERNET_BATCH
from hwnas.spaces import load_space
from hwnas.training import Batches, Recipe, recalibrate, train_supernet
from profilers import Engine, Session
from profilers.runtimes import make_profiler
from profilers.runtimes._runtime import ShippedRuntime

_RUNTIMES = ("onnxruntime", "openvino", "ncnn")
_INT8 = (("onnxruntime", BETWEEN_OPS), ("openvino", BETWEEN_OPS), ("openvino", PRODUCT_INPUTS))
_IMAGES, _CALIBRATION_IMAGES = 500, 256


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
        images, labels = data.test.images[:_IMAGES], data.test.labels[:_IMAGES]
        for network in _networks(data, images, networks, seed, epochs):
            found: dict[str, Any] = {"accuracy_pct": _accuracy_pct(network.logits, labels)}
            for runtime in _RUNTIMES:
                logits = _logits(runtime, network.model, images)
                found[f"{runtime} max_abs"] = float(np.abs(logits - network.logits).max())
                same = (logits.argmax(1) == network.logits.argmax(1)).mean()
                found[f"{runtime} agreement_pct"] = 100 * float(same)
            parity += [value for key, value in found.items() if key.endswith("max_abs")]
            agreement += [value for key, value in found.items() if key.endswith("agreement_pct")]
            for runtime, form in _INT8:
                share, drop = _int8(runtime, form, network, data, images, labels)
                title = f"{runtime} int8 {'inputs' if form.inputs_only else 'between'}"
                found |= {f"{title} integer_pct": share, f"{title} drop_points": drop}
                shares.append(share)
                drops.append(drop)
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
    space, batches = load_space("mbconv-32", data.num_classes), Batches(data, SUPERNET_BATCH)
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder) / "supernet.safetensors"
        supernet, _ = train_supernet(space, batches, Recipe(epochs, learning_rate=1e-2), seed, path)
    mean, std = data.mean_std
    normalised = (images / np.float32(255) - mean[:, None, None]) / std[:, None, None]
    for arch in space.sample(np.random.default_rng(seed), count):
        network = supernet.extract(arch)
        recalibrate(network, batches.plain(data.train, limit=512))
        model = with_image_input(onnx_from_module(network, space.input_shape), mean.tolist(), std.tolist())
        with torch.inference_mode():
            logits = network(torch.from_numpy(normalised.astype(np.float32))).numpy()
        yield _Network(space.to_text(arch), model, logits)


def _logits(runtime: str, model: bytes, images: NDArray[np.uint8], precision: str = "fp32") -> NDArray[np.float32]:
    profiler = make_profiler(runtime, 1, 1, precision)
    return _each(profiler.open(model), images)


def _each(session: Session, images: NDArray[np.uint8]) -> NDArray[np.float32]:
    (name,) = session.input_specs
    with session:
        return np.concatenate([session.infer({name: image[None]})[0] for image in images])


def _int8(
    runtime: str,
    form: QuantisedForm,
    network: _Network,
    data: Dataset,
    images: NDArray[np.uint8],
    labels: NDArray[np.int64],
) -> tuple[float, float]:
    """Per cent of the products that ran as integers, and how many points of accuracy were lost."""
    model = quantised(network.model, data.train.images[:_CALIBRATION_IMAGES], form=form)
    profiler = make_profiler(runtime, 1, 1, "int8")
    assert isinstance(profiler, ShippedRuntime)
    compiled = profiler.compile(model)
    logits = _each(profiler.start(Engine("", compiled.content)), images)
    return compiled.proof.share_pct, _accuracy_pct(network.logits, labels) - _accuracy_pct(logits, labels)


def _accuracy_pct(logits: NDArray[np.float32], labels: NDArray[np.int64]) -> float:
    return 100 * float((logits.argmax(1) == labels).mean())
