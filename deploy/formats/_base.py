"""The plug-in point of a file format that a runtime opens."""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import ClassVar

from profilers import Int8Form, RuntimeSetting, Session
from profilers.engines.proof import Proof

Files = Mapping[str, bytes]
"""The files of one model, by their names."""


@dataclass(frozen=True)
class Built:
    """A model in some format: its files, what proves its precision, the runtime's version, settings worth telling."""

    files: Files = field(repr=False)
    proof: Proof
    version: str
    settings: Mapping[str, str] = field(default_factory=dict)


class Format(ABC):
    """One way to write a model that takes one image batch and gives logits.

    `build` makes files of an ONNX model, `open` runs such files. A file in this format is opened by `runtime`, wants
    8-bit integers as `int8_form` says, and is told to Triton's server by the line `triton`, None where it cannot.
    `is_engine`: the file is made for one device and is code for it, so nobody should open one that he does not trust.
    """

    name: ClassVar[str]
    runtime: ClassVar[str]
    int8_form: ClassVar[Int8Form] = "between-ops"
    triton: ClassVar[str | None] = None
    is_engine: ClassVar[bool] = False

    @abstractmethod
    def build(self, model: bytes, setting: RuntimeSetting) -> Built:
        """The files of an ONNX model. `setting` tells precision, batch and threads of the proof.

        Raises `ProfilerError` when the runtime is not installed or refuses the model; an engine that does not compute
        as asked is refused too.
        """

    @abstractmethod
    def open(self, files: Files, setting: RuntimeSetting) -> Session:
        """A session on the files of one model; raises `ProfilerError` when they are refused."""
