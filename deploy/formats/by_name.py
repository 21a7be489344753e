"""Formats by the names that the command line and manifests know them by."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

from deploy.formats._base import Format
from deploy.formats.onnx_file import OnnxFormat
from deploy.formats.openvino_ir import OpenVinoFormat
from deploy.formats.tensorrt_plan import TensorRtFormat, TensorRtRtxFormat
from latency_tables import HwnasError

FORMATS: Mapping[str, type[Format]] = {
    kind.name: kind for kind in (OnnxFormat, OpenVinoFormat, TensorRtFormat, TensorRtRtxFormat)
}


def make_format(name: str, capabilities: Sequence[str] = ()) -> Format:
    """The format of that name; `capabilities` are those that engines are built for, none: of the GPU that is here.

    Raises `HwnasError` that lists the known ones.
    """
    if name not in FORMATS:
        raise HwnasError(f"unknown format {name!r}; there are {', '.join(FORMATS)}")
    kind = FORMATS[name]
    return kind(capabilities) if issubclass(kind, TensorRtFormat) else kind()
