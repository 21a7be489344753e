"""Which way to CUDA: pycuda where it is installed, else the driver's own library, which every board has."""

from __future__ import annotations

from importlib.util import find_spec

from profilers.device.cuda._base import Cuda


def open_cuda(index: int = 0, way: str | None = None) -> Cuda:
    """GPU `index` by "pycuda" or by "driver"; None: pycuda where it is installed.

    Raises `ProfilerError` without a GPU.
    """
    if way == "pycuda" or (way is None and find_spec("pycuda") is not None):
        from profilers.device.cuda.pycuda_calls import PycudaCuda

        return PycudaCuda(index)
    from profilers.device.cuda.driver_calls import DriverCuda

    return DriverCuda(index)
