"""The ten calls of CUDA that a runtime on an NVIDIA GPU needs, by pycuda or by the driver's own library."""

from profilers.device.cuda._base import Cuda
from profilers.device.cuda.by_name import open_cuda

__all__ = ["Cuda", "open_cuda"]
