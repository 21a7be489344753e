"""Where torch computes: this machine's CUDA device, or its CPU."""

from __future__ import annotations

import os

import torch

from latency_tables import HwnasError


def training_device(name: str = "auto") -> torch.device:
    """The device of a name: auto (CUDA where there is one, else the CPU), cpu, cuda or cuda:1.

    Under torchrun, `cuda` is the process's own. Raises `HwnasError` for a name torch does not know, and for CUDA where
    there is none.
    """
    if name == "auto":
        name = "cuda" if torch.cuda.is_available() else "cpu"
    try:
        device = torch.device(name)
    except RuntimeError:
        raise HwnasError(f"unknown device {name!r} to train on; there are auto, cpu, cuda, cuda:0") from None
    if device.type not in ("cpu", "cuda"):
        raise HwnasError(f"training on {name!r} is untested; there are auto, cpu, cuda, cuda:0")
    if device.type == "cuda":
        if not torch.cuda.is_available():
            why = "it is a build for CPUs" if torch.version.cuda is None else "the driver shows none"
            raise HwnasError(
                f"no CUDA device to train on: torch {torch.__version__} finds none ({why}); use auto or cpu"
            )
        index = device.index if device.index is not None else int(os.environ.get("LOCAL_RANK", 0))
        if index >= torch.cuda.device_count():
            raise HwnasError(f"no cuda:{index} to train on: this machine has {torch.cuda.device_count()} CUDA devices")
        device = torch.device("cuda", index)
    return device
