import numpy as np
import pytest
import torch
from torch import nn

from deploy.inference import InferenceError, OnnxInference
from hwnas.lowering.image_input import with_image_input
from hwnas.lowering.onnx_graph import onnx_from_module


@pytest.fixture
def brightest():
    """Its three logits are the channels of a 1x1 image, in 0..1."""
    return with_image_input(onnx_from_module(nn.Sequential(nn.Flatten()), (3, 1, 1)), [0, 0, 0], [1, 1, 1])


IMAGES = np.array([[255, 51, 0], [0, 102, 51], [1, 2, 3]], np.uint8)[:, :, None, None]


def test_logits_by_hand(brightest):
    logits = OnnxInference(brightest).logits(IMAGES)
    assert logits.dtype == np.float32
    np.testing.assert_allclose(logits, IMAGES[:, :, 0, 0] / 255, rtol=1e-6)


def test_accuracy_by_hand(brightest):
    assert OnnxInference(brightest).accuracy(IMAGES, np.array([0, 1, 1])) == pytest.approx(2 / 3)


def test_a_file(brightest, tmp_path):
    (tmp_path / "m.onnx").write_bytes(brightest)
    assert OnnxInference(tmp_path / "m.onnx").logits(IMAGES).shape == (3, 3)


def test_a_model_of_more_images_at_once():
    network = nn.Sequential(nn.Conv2d(3, 4, 3), nn.AdaptiveAvgPool2d(1), nn.Flatten())
    images = torch.randn(4, 3, 8, 8, generator=torch.Generator().manual_seed(0))
    inference = OnnxInference(onnx_from_module(network, (3, 8, 8), batch=2))
    with torch.no_grad():
        np.testing.assert_allclose(inference.logits(images.numpy()), network(images).numpy(), atol=1e-5)
    with pytest.raises(InferenceError, match=r"takes images \[2, 3, 8, 8\], these are \[3, 3, 8, 8\]"):
        inference.logits(images[:3].numpy())


@pytest.mark.parametrize(
    ("images", "said"),
    [
        (IMAGES[:, :2], r"^the model takes images \[1, 3, 1, 1\], these are \[3, 2, 1, 1\]$"),
        (IMAGES[:0], r"these are \[0, 3, 1, 1\]$"),
        (IMAGES.astype(np.float32), r"^onnxruntime cannot run the model: .*uint8"),
    ],
)
def test_other_images_are_refused(brightest, images, said):
    with pytest.raises(InferenceError, match=said):
        OnnxInference(brightest).logits(images)


def test_what_is_no_model_is_refused(tmp_path):
    (tmp_path / "m.onnx").write_bytes(b"no model")
    with pytest.raises(InferenceError, match=r"^onnxruntime refuses .*m\.onnx: "):
        OnnxInference(tmp_path / "m.onnx")
    with pytest.raises(InferenceError, match=r"^onnxruntime refuses the model: "):
        OnnxInference(b"no model")
