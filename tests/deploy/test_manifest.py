import hashlib
import json

import numpy as np
import pytest

from deploy.manifest import Manifest, ManifestError, read_manifest
from hwnas.data import Dataset, Split


@pytest.fixture
def data():
    """Red 0 and 255 in equal parts, green all 51, blue all 255."""
    images = np.zeros((4, 3, 8, 8), np.uint8)
    images[:, 0, :4], images[:, 1], images[:, 2] = 255, 51, 255
    split = Split(images, np.array([0, 1, 0, 1]))
    return Dataset("stripes", split, split, split, ("cat", "dog"), mirror=True)


@pytest.fixture
def shipped(data, model):
    """A model file with a manifest inside and beside it."""
    manifest = Manifest.of(data, architecture="a", space="s", opset=17, hwnas_version="1.2")
    model.write_bytes(manifest.into(model.read_bytes()))
    manifest.write(model)
    return model


def test_what_a_stranger_reads(shipped, data):
    content = json.loads(shipped.with_name("model.json").read_text())
    assert content["input"] == {
        "name": "image",
        "dtype": "uint8",
        "layout": "NCHW",
        "shape": [1, 3, 8, 8],
        "channel_order": "RGB",
        "value_range": [0, 255],
        "resizing": "turned upright as their EXIF says, then stretched to the input's size by Pillow's bilinear filter",
        "normalisation": "inside the graph",
        "mean": pytest.approx([0.5, 0.2, 1.0]),
        "std": pytest.approx([0.5, 1e-3, 1e-3]),
    }
    assert content["output"]["name"] == "logits"
    assert content["output"]["shape"] == [1, 2]
    assert "softmax" in content["output"]["meaning"]
    assert content["classes"] == ["cat", "dog"]
    assert content["data"] == {"name": "stripes", "digest": data.digest}
    assert content["sha256"] == hashlib.sha256(shipped.read_bytes()).hexdigest()
    assert {k: content[k] for k in ("architecture", "space", "precision", "opset", "hwnas_version", "format")} == {
        "architecture": "a", "space": "s", "precision": "fp32", "opset": 17, "hwnas_version": "1.2", "format": 1,
    }  # fmt: skip


def test_it_is_read_back(shipped, data):
    manifest = read_manifest(shipped)
    assert manifest.classes == data.classes
    assert manifest.input.describe() == (
        "'image': uint8 [1, 3, 8, 8] (NCHW), RGB, raw pixels 0..255, turned upright as their EXIF says, then stretched "
        "to the input's size by Pillow's bilinear filter; normalisation is inside the graph"
    )


def refusal(shipped):
    with pytest.raises(ManifestError) as caught:
        read_manifest(shipped)
    assert "\n" not in str(caught.value)
    return str(caught.value)


def test_another_file_is_noticed(shipped):
    shipped.write_bytes(shipped.read_bytes() + b"\x00")
    assert "is the manifest of another file than" in refusal(shipped)


def test_an_edited_manifest_is_noticed(shipped):
    beside = shipped.with_name("model.json")
    beside.write_text(beside.read_text().replace('"cat"', '"cow"'))
    assert refusal(shipped).startswith(f"{beside} says other things than {shipped} itself; export")


@pytest.mark.parametrize("content", ["", "[]", "{}", '{"format": 2}', '{"format": 1}', "[" * 10_000])
def test_a_damaged_manifest_is_named(shipped, content):
    beside = shipped.with_name("model.json")
    beside.write_text(content)
    assert refusal(shipped).startswith(f"{beside} is no manifest of a model (")


def test_a_missing_manifest_is_named(shipped):
    shipped.with_name("model.json").unlink()
    assert refusal(shipped) == (
        f"cannot read {shipped.with_name('model.json')}: No such file or directory; export the network again"
    )


def test_a_model_without_metadata_is_noticed(shipped, data):
    beside, manifest = shipped.with_name("model.json"), read_manifest(shipped)
    shipped.write_bytes(Manifest.into(manifest, shipped.read_bytes()).replace(b"hwnas.model", b"other.model"))
    manifest.write(shipped)
    assert refusal(shipped).startswith(f"{beside} says other things")
