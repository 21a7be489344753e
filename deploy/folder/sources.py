"""The ONNX files that models are built from: one per precision, form of int8 and batch, its contract inside."""

from __future__ import annotations

import hashlib
from dataclasses import dataclass, field, replace

import onnx
from onnx import helper

from deploy.folder.wanted import Handed
from deploy.manifest import Manifest
from deploy.onnx_file import checked_onnx, with_batch
from hwnas.lowering.precision import FORMS, halved, quantised
from profilers import Int8Form

_CALIBRATION_IMAGES = 256


@dataclass(frozen=True)
class Source:
    """An ONNX model and its contract, which says its digest."""

    content: bytes = field(repr=False)
    contract: Manifest


class Sources:
    """Makes each once."""

    def __init__(self, handed: Handed):
        self._handed = handed
        self._lowered: dict[tuple[str, str], bytes] = {}
        self._made: dict[tuple[str, str, int], Source] = {}

    def get(self, precision: str, form: Int8Form, batch: int) -> Source:
        """Raises `HwnasError` when the network cannot be had like this."""
        key = (precision, form if precision == "int8" else "", batch)
        if key not in self._made:
            self._made[key] = self._make(precision, form, batch)
        return self._made[key]

    def _make(self, precision: str, form: Int8Form, batch: int) -> Source:
        contract, content = self._handed.contract, self._lower(precision, form)
        if (precision, batch) != (contract.precision, 1):
            content = content if batch == 1 else with_batch(content, batch)
            contract = _contract(contract, precision, batch, content)
            content = contract.into(content)
        checked_onnx(content, f"the {precision} model")
        return Source(content, replace(contract, sha256=hashlib.sha256(content).hexdigest()))

    def _lower(self, precision: str, form: Int8Form) -> bytes:
        key = (precision, form if precision == "int8" else "")
        if key not in self._lowered:
            model = self._handed.model
            if precision == "fp16":
                model = halved(model)
            elif precision == "int8":
                images = self._handed.data.train.images[:_CALIBRATION_IMAGES]
                model = quantised(model, images, form=FORMS[form])
            self._lowered[key] = model
        return self._lowered[key]


def _contract(fp32: Manifest, precision: str, batch: int, content: bytes) -> Manifest:
    """That of the fp32 model of one image, for another precision and batch."""
    (output,) = onnx.load_model_from_string(content).graph.output
    dtype = helper.tensor_dtype_to_np_dtype(output.type.tensor_type.elem_type).name
    return replace(
        fp32,
        precision=precision,
        input=replace(fp32.input, shape=(batch, *fp32.input.shape[1:])),
        output=replace(fp32.output, shape=(batch, *fp32.output.shape[1:]), dtype=dtype),
    )
