import numpy as np
import pytest
import torch
from torch import nn

from deploy.answers import accuracy, answered, logits, open_to_answer, true_class_probability
from hwnas.data import Split
from hwnas.lowering.image_input import with_image_input
from hwnas.lowering.onnx_graph import onnx_from_module
from latency_tables import ProfilerError
from profilers.runtimes import make_profiler


@pytest.fixture
def brightest():
    """Its three logits are the channels of a 1x1 image, in 0..1."""
    return with_image_input(onnx_from_module(nn.Sequential(nn.Flatten()), (3, 1, 1)), [0, 0, 0], [1, 1, 1])


IMAGES = np.array([[255, 51, 0], [0, 102, 51], [1, 2, 3]], np.uint8)[:, :, None, None]


def test_logits_by_hand(brightest):
    with open_to_answer(brightest) as session:
        answers = logits(session, IMAGES)
    assert answers.dtype == np.float32
    np.testing.assert_allclose(answers, IMAGES[:, :, 0, 0] / 255, rtol=1e-6)


def test_a_split_is_answered_block_by_block(brightest):
    split = Split(np.tile(IMAGES, (200, 1, 1, 1)), np.arange(600) % 3)
    with open_to_answer(brightest) as session:
        answers, labels = answered(session, split)
    np.testing.assert_allclose(answers, split.images[:, :, 0, 0] / 255, rtol=1e-6)
    assert labels.tolist() == split.labels.tolist()


def test_accuracy_by_hand():
    answers = np.log(np.array([[1, 1, 2], [3, 1, 1], [1, 8, 1]], np.float32))
    labels = np.array([2, 1, 1])
    assert accuracy(answers, labels) == pytest.approx(2 / 3)
    assert true_class_probability(answers, labels) == pytest.approx((1 / 2 + 1 / 5 + 4 / 5) / 3)
    assert true_class_probability(answers + 1e4, labels) == pytest.approx(0.5, abs=1e-3)


def test_a_model_of_more_images_at_once():
    network = nn.Sequential(nn.Conv2d(3, 4, 3), nn.AdaptiveAvgPool2d(1), nn.Flatten())
    images = torch.randn(4, 3, 8, 8, generator=torch.Generator().manual_seed(0))
    session = open_to_answer(onnx_from_module(network, (3, 8, 8), batch=2))
    with torch.no_grad():
        np.testing.assert_allclose(logits(session, images.numpy()), network(images).numpy(), atol=1e-5)
    np.testing.assert_array_equal(logits(session, images[:3].numpy()), logits(session, images.numpy())[:3])


@pytest.mark.parametrize(
    ("images", "said"),
    [
        (IMAGES[:, :2], r"^the model takes images \[1, 3, 1, 1\], these are \[3, 2, 1, 1\]$"),
        (IMAGES[:0], r"these are \[0, 3, 1, 1\]$"),
        (IMAGES.astype(np.float32), r"^onnxruntime cannot run the model: .*uint8"),
    ],
)
def test_other_images_are_refused(brightest, images, said):
    with pytest.raises(ProfilerError, match=said):
        logits(open_to_answer(brightest), images)


def test_what_is_no_model_is_refused():
    with pytest.raises(ProfilerError, match=r"^onnxruntime refuses the model: "):
        open_to_answer(b"no model")


@pytest.mark.parametrize("runtime", ["onnxruntime", "openvino", "ncnn", "torch"])
def test_the_answers_are_those_of_the_runtime(network, runtime):
    pytest.importorskip(runtime)
    model = with_image_input(onnx_from_module(network.eval(), (3, 8, 8)), [0.5] * 3, [0.25] * 3)
    images = np.random.default_rng(0).integers(0, 256, (3, 3, 8, 8), np.uint8)
    with open_to_answer(model, make_profiler(runtime, 1, 1)) as session, open_to_answer(model) as reference:
        assert type(session).__module__ == f"profilers.runtimes.{runtime}"
        np.testing.assert_allclose(logits(session, images), logits(reference, images), atol=1e-4)


def test_onnxruntime_answers_for_a_runtime_that_cannot_show_it(brightest, own_runtime):
    with open_to_answer(brightest, make_profiler(own_runtime, 1, 1)) as session:
        np.testing.assert_allclose(logits(session, IMAGES), IMAGES[:, :, 0, 0] / 255, rtol=1e-6)
