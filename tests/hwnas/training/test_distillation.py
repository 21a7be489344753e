from dataclasses import replace

import numpy as np
import pytest
import torch
from torch import nn

from hwnas.data import Split
from hwnas.training import Batches, Recipe, load_teacher, train_network, train_supernet
from hwnas.training.distillation import agreement_loss
from latency_tables import HwnasError


def linear(seed):
    torch.manual_seed(seed)
    return nn.Sequential(nn.Flatten(), nn.Linear(3 * 16 * 16, 3))


@pytest.fixture(scope="module")
def files(tmp_path_factory):
    """One network as an ONNX file and as a torch program."""
    folder, network = tmp_path_factory.mktemp("teacher"), linear(1).eval()
    images = torch.zeros(4, 3, 16, 16)
    n = torch.export.Dim("n", min=1, max=4096)
    torch.export.save(torch.export.export(network, (images,), dynamic_shapes=({0: n},)), folder / "t.pt2")
    torch.onnx.export(
        network, (images,), folder / "t.onnx", dynamo=False, input_names=["x"], dynamic_axes={"x": {0: "n"}}
    )
    return folder, network


def test_agreement_is_the_cross_entropy_with_the_teachers_probabilities():
    logits = torch.tensor([[0.0, 0.0]])
    assert float(agreement_loss(logits, torch.tensor([[3.0, -1.0]]))) == pytest.approx(np.log(2))
    logits, teacher = torch.log(torch.tensor([[0.8, 0.2]])), torch.log(torch.tensor([[0.5, 0.5]]))
    assert float(agreement_loss(logits, teacher)) == pytest.approx(-(np.log(0.8) + np.log(0.2)) / 2)


@pytest.mark.parametrize("name", ["t.onnx", "t.pt2"])
def test_a_file_answers_as_its_network_does(files, name):
    folder, network = files
    images = torch.rand(7, 3, 16, 16)
    teacher = load_teacher(str(folder / name))
    torch.testing.assert_close(teacher.answers(images), network(images).detach(), atol=1e-5, rtol=1e-5)
    teacher.check(images, 3)
    with pytest.raises(HwnasError, match=r"not by logits \(7, 10\)"):
        teacher.check(images, 10)


@pytest.mark.parametrize("name", ["t.onnx", "t.pt2"])
def test_a_student_of_the_teacher_alone_does_not_see_the_labels(files, data, tmp_path, name):
    folder, _ = files
    others = replace(data, train=Split(data.train.images, np.roll(data.train.labels, 1)))

    def weights(distillation, dataset):
        student, recipe = linear(2), Recipe(2, distillation=distillation)
        path = tmp_path / f"{distillation}-{dataset.digest}"
        train_network(student, "s", Batches(dataset, 16), recipe, 0, path, teacher=load_teacher(str(folder / name)))
        return student[1].weight

    assert torch.equal(weights(1.0, data), weights(1.0, others))
    assert not torch.equal(weights(0.5, data), weights(0.5, others))
    assert not torch.equal(weights(1.0, data), linear(2)[1].weight)


def test_another_teacher_is_other_work(files, batches, tmp_path):
    folder, _ = files
    first, second = linear(2), linear(2)
    train_network(first, "s", batches, Recipe(1), 0, tmp_path / "c")
    train_network(second, "s", batches, Recipe(1), 0, tmp_path / "c", teacher=load_teacher(str(folder / "t.pt2")))
    assert not torch.equal(first[1].weight, second[1].weight)


def test_the_largest_network_of_a_step_teaches_the_others(space, batches, tmp_path):
    plain, _ = train_supernet(space, batches, Recipe(1), 0, tmp_path / "plain")
    taught, _ = train_supernet(space, batches, Recipe(1, own_teacher=True, distillation=0.9), 0, tmp_path / "taught")
    assert any(not torch.equal(a, b) for a, b in zip(plain.parameters(), taught.parameters(), strict=True))


def test_what_is_no_teacher_is_refused(tmp_path):
    with pytest.raises(HwnasError, match=r"give an \.onnx file, or a \.pt2 file"):
        load_teacher("teacher.pth")
    with pytest.raises(HwnasError, match="no such file"):
        load_teacher(str(tmp_path / "none.onnx"))
