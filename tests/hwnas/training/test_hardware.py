import pytest
import torch

from hwnas.training import training_device
from latency_tables import HwnasError


def test_auto_is_the_gpu_where_there_is_one():
    assert training_device("auto").type == ("cuda" if torch.cuda.is_available() else "cpu")
    assert training_device("cpu") == torch.device("cpu")


def test_a_name_that_torch_does_not_know():
    with pytest.raises(HwnasError, match="unknown device 'gpu' to train on; there are auto, cpu, cuda, cuda:0"):
        training_device("gpu")
    with pytest.raises(HwnasError, match="training on 'meta' is untested"):
        training_device("meta")


@pytest.mark.skipif(torch.cuda.is_available(), reason="this machine has a CUDA device")
def test_cuda_that_is_not_there_says_why():
    with pytest.raises(HwnasError, match=r"no CUDA device to train on: torch .* finds none .*; use auto or cpu"):
        training_device("cuda")
