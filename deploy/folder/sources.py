"""The ONNX files that models are built from: one per precision, form of int8 and batch, its contract inside."""

from __future__ import annotations

import hashlib
from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from functools import cached_property

import onnx

from deploy.folder.wanted import Handed
from deploy.lowered import lower_to, values_seen
from deploy.manifest import Manifest
from deploy.onnx_file import checked_onnx, with_batch
from hwnas.lowering.ranges import Seen
from profilers import Int8Form


@dataclass(frozen=True)
class Source:
    """An ONNX model and its contract, which says its digest."""

    content: bytes = field(repr=False)
    contract: Manifest


class Sources:
    """Makes each once."""

    def __init__(self, handed: Handed):
        self._handed = handed
        self._made: dict[tuple[str, str, int], Source] = {}

    def get(self, precision: str, form: Int8Form, batch: int) -> Source:
        """Raises `HwnasError` when the network cannot be had like this."""
        key = (precision, form if precision == "int8" else "", batch)
        if key not in self._made:
            self._made[key] = self._make(precision, form, batch)
        return self._made[key]

    @cached_property
    def _seen(self) -> Mapping[str, Seen]:
        """What all lower precisions are calibrated on."""
        return values_seen(self._handed.files[0][0], self._handed.data)

    def _make(self, precision: str, form: Int8Form, batch: int) -> Source:
        if batch == 1:
            return self._one(precision, form)
        one = self.get(precision, form, 1)
        content = with_batch(one.content, batch)
        contract = replace(
            one.contract,
            input=replace(one.contract.input, shape=(batch, *one.contract.input.shape[1:])),
            output=replace(one.contract.output, shape=(batch, *one.contract.output.shape[1:])),
        )
        return _source(contract.into(content), contract)

    def _one(self, precision: str, form: Int8Form) -> Source:
        """For one image: the file that is there already, else made of the fp32 one."""
        for content, contract, its_form in self._handed.files:
            if contract.precision == precision and (precision != "int8" or its_form == form):
                return _source(content, contract)
        (content, contract, _), *_ = self._handed.files
        lowered = lower_to(content, self._handed.data, precision, form, seen=self._seen)
        opset = onnx.load_model_from_string(lowered.model).opset_import[0].version
        contract = replace(contract, precision=precision, lowering=lowered.lowering, opset=opset)
        return _source(contract.into(lowered.model), contract)


def _source(content: bytes, contract: Manifest) -> Source:
    checked_onnx(content, f"the {contract.precision} model")
    return Source(content, replace(contract, sha256=hashlib.sha256(content).hexdigest()))
