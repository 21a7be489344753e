"""One training by one process and by two: how far apart their losses and weights are afterwards."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path
from tempfile import TemporaryDirectory

import numpy as np
import torch

from hwnas.data import load_dataset
from hwnas.spaces import load_space
from hwnas.training import Batches, Recipe, load_checkpoint, share_trainings, train_network, train_supernet

_EPOCHS, _IMAGES = 3, 160


def difference(dtype: str, seed: int) -> float:
    """The largest difference of any loss or weight after three epochs of a supernet, and of its largest network.

    `dtype` is that of all tensors: float64, where only rounding at 1e-16 is added up in another order, or float32.
    """
    with TemporaryDirectory() as folder:
        outs = [Path(folder) / name for name in ("one", "two")]
        for processes, out in enumerate(outs, start=1):
            out.mkdir()
            launch = ["-m", "torch.distributed.run", "--standalone", "--nproc-per-node", str(processes)]
            arguments = ["-m", "benchmarks._shared_training", str(out), dtype, str(seed)]
            subprocess.run([sys.executable, *launch, *arguments], check=True)
        return max(_apart(*(load_checkpoint(out / name) for out in outs)) for name in ("supernet", "network"))


def _apart(one: object, two: object) -> float:
    curves = [np.array(c.metadata["curve"]["loss"]) for c in (one, two)]  # type: ignore[attr-defined]
    tensors = [
        float((value - two.tensors[name]).abs().max())  # type: ignore[attr-defined]
        for name, value in one.tensors.items()  # type: ignore[attr-defined]
        if name.startswith("model.") and value.is_floating_point()
    ]
    return max(float(np.abs(curves[0] - curves[1]).max()), *tensors)


def _train(out: Path, seed: int) -> None:
    data, recipe = load_dataset("digits", limit=_IMAGES), Recipe(_EPOCHS, batch=32)
    space, batches = load_space("mbconv-32", data.num_classes), Batches.of(data, recipe)
    supernet, _ = train_supernet(space, batches, recipe, seed, out / "supernet")
    largest = space.sandwich(np.random.default_rng(seed))[0]
    train_network(supernet.extract(largest), space.to_text(largest), batches, recipe, seed, out / "network")


if __name__ == "__main__":
    torch.set_num_threads(1)
    torch.set_default_dtype(getattr(torch, sys.argv[2]))
    share_trainings(lambda: _train(Path(sys.argv[1]), int(sys.argv[3])))
