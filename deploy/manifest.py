"""What a stranger must know to use a shipped model: `model.json` beside it, and the same inside it as metadata."""

from __future__ import annotations

import hashlib
import json
from dataclasses import asdict, dataclass, replace
from pathlib import Path
from typing import Any

import onnx

from hwnas.data import RESIZING, Dataset
from hwnas.lowering.image_input import INPUT, OUTPUT
from latency_tables import HwnasError
from latency_tables.storage.files import write_atomically
from latency_tables.storage.serialise import from_plain, parse_json

FORMAT = 1
METADATA_KEY = "hwnas.model"
"""The key in the model's metadata under which the manifest stands as JSON, without the file's digest."""


class ManifestError(HwnasError):
    """A manifest that cannot be read, or is not of the model beside it."""


@dataclass(frozen=True)
class ImageInput:
    """What goes in: pixels 0..255. `mean` and `std`, of pixels / 255 by channel, are applied by the graph itself."""

    shape: tuple[int, ...]  # batch, channels, height, width
    mean: tuple[float, ...]
    std: tuple[float, ...]
    name: str = INPUT
    dtype: str = "uint8"
    layout: str = "NCHW"
    channel_order: str = "RGB"
    value_range: tuple[int, int] = (0, 255)
    resizing: str = RESIZING
    normalisation: str = "inside the graph"

    def describe(self) -> str:
        """The contract in one line."""
        low, high = self.value_range
        return (
            f"{self.name!r}: {self.dtype} {list(self.shape)} ({self.layout}), {self.channel_order}, raw pixels "
            f"{low}..{high}, {self.resizing}; normalisation is {self.normalisation}"
        )


@dataclass(frozen=True)
class Logits:
    """What comes out."""

    shape: tuple[int, ...]
    name: str = OUTPUT
    dtype: str = "float32"
    meaning: str = "logits, one per class in the order of the class names; their softmax is the probabilities"

    def describe(self) -> str:
        """The contract in one line."""
        return f"{self.name!r}: {self.dtype} {list(self.shape)}, {self.meaning}"


@dataclass(frozen=True)
class TrainingData:
    """The data set a model was trained on: its name and the sha256 of its images, labels and classes."""

    name: str
    digest: str


@dataclass(frozen=True)
class Lowering:
    """How a lower precision came to be, and what it costs. Accuracies in 0..1, on images of the validation split.

    `accuracy` is that of the file on its runtime; `proof_pct` is the share of matrix products that the runtime showed
    to run in the precision, None where it shows nothing.
    """

    method: str
    accuracy: float
    fp32_accuracy: float
    proof_pct: float | None = None

    @property
    def drop_points(self) -> float:
        """Percentage points of accuracy that the lower precision costs; negative where it gains."""
        return 100 * (self.fp32_accuracy - self.accuracy)

    def to_json(self) -> dict[str, Any]:
        """The same with the drop."""
        return asdict(self) | {"drop_points": self.drop_points}

    def describe(self) -> str:
        """The same in one line."""
        proof = "" if self.proof_pct is None else f"; {self.proof_pct:g} % of the matrix products run so"
        return (
            f"{100 * self.accuracy:.2f} % on validation, {100 * self.fp32_accuracy:.2f} % in fp32: "
            f"{self.drop_points:.2f} points; by {self.method}{proof}"
        )


@dataclass(frozen=True)
class Manifest:
    """The contract of one model file. `sha256` is that of the file; inside the file itself it is None."""

    architecture: str
    space: str
    input: ImageInput
    output: Logits
    classes: tuple[str, ...]
    data: TrainingData
    opset: int
    hwnas_version: str
    precision: str = "fp32"
    sha256: str | None = None
    format: int = FORMAT
    lowering: Lowering | None = None  # of a precision other than fp32

    @classmethod
    def of(cls, data: Dataset, *, architecture: str, space: str, opset: int, hwnas_version: str) -> Manifest:
        """The manifest of a network that was trained on `data` and takes one image at a time."""
        mean, std = data.mean_std
        return cls(
            architecture=architecture,
            space=space,
            input=ImageInput((1, 3, data.size, data.size), tuple(map(float, mean)), tuple(map(float, std))),
            output=Logits((1, data.num_classes)),
            classes=tuple(map(_readable, data.classes)),
            data=TrainingData(_readable(data.name), data.digest),
            opset=opset,
            hwnas_version=hwnas_version,
        )

    def snippet(self) -> str:
        """Python that classifies `photo.jpg`, to be run where model.onnx and model.json are."""
        _, _, height, width = self.input.shape
        return f'''import json, numpy as np, onnxruntime
from PIL import Image, ImageOps

photo = ImageOps.exif_transpose(Image.open("photo.jpg")).convert("RGB")
pixels = np.asarray(photo.resize(({width}, {height}), Image.Resampling.BILINEAR)).transpose(2, 0, 1)
session = onnxruntime.InferenceSession("model.onnx", providers=["CPUExecutionProvider"])
(logits,) = session.run(["{self.output.name}"], {{"{self.input.name}": pixels[None]}})
print(json.load(open("model.json", encoding="utf-8"))["classes"][logits.argmax()])
'''

    def into(self, model: bytes) -> bytes:
        """The ONNX model with this manifest, less `sha256`, in its metadata."""
        proto = onnx.load_model_from_string(model)
        onnx.helper.set_model_props(proto, {METADATA_KEY: json.dumps(_plain(replace(self, sha256=None)))})
        return bytes(proto.SerializeToString())

    def is_inside(self, proto: onnx.ModelProto) -> bool:
        """Whether the metadata of an ONNX model says the same, less `sha256`."""
        said = {p.key: p.value for p in proto.metadata_props}.get(METADATA_KEY, "")
        try:
            return _parsed(said.encode(errors="replace")) == replace(self, sha256=None)
        except ValueError:
            return False

    def write(self, model: Path) -> None:
        """Write `model.json` beside the ONNX file `model`, with the file's digest."""
        content = _plain(replace(self, sha256=hashlib.sha256(model.read_bytes()).hexdigest()))
        write_atomically(manifest_path(model), (json.dumps(content, indent=1, ensure_ascii=False) + "\n").encode())


def manifest_path(model: Path) -> Path:
    """Where the manifest of an ONNX file is: model.json beside model.onnx."""
    return model.with_suffix(".json")


def read_manifest(model: Path) -> Manifest:
    """The manifest beside an ONNX file.

    Raises `ManifestError` when it is missing or damaged, is not of this very file, or says other things than the file.
    """
    path = manifest_path(model)
    try:
        manifest, content = _parsed(path.read_bytes()), model.read_bytes()
    except OSError as e:
        raise ManifestError(f"cannot read {e.filename}: {e.strerror}; export the network again") from None
    except ValueError as e:
        raise ManifestError(f"{path} is no manifest of a model ({e}); export the network again") from None
    if manifest.sha256 != hashlib.sha256(content).hexdigest():
        raise ManifestError(f"{path} is the manifest of another file than {model}; export the network again")
    if not manifest.is_inside(onnx.load_model_from_string(content)):
        raise ManifestError(f"{path} says other things than {model} itself; export the network again")
    return manifest


def _plain(manifest: Manifest) -> dict[str, Any]:
    """For JSON; nothing is said of a lowering where there was none."""
    return {name: v for name, v in asdict(manifest).items() if name != "lowering" or v is not None}


def _readable(name: str) -> str:
    """A file name as text: bytes that are no characters become question marks."""
    return name.encode(errors="replace").decode()


def _parsed(content: bytes) -> Manifest:
    """A manifest from JSON; raises ValueError in one line for anything else."""
    value: Any = parse_json(content)
    if isinstance(value, dict) and value.get("format") != FORMAT:
        raise ValueError(f"format {value.get('format')!r}, this version reads {FORMAT}")
    return from_plain(Manifest, value)
