import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from torch import nn

from hwnas.training import CheckpointError, load_checkpoint, load_weights, save_checkpoint

TENSORS = {
    "model.weight": torch.arange(12.0).reshape(3, 4) / 7,
    "model.steps": torch.tensor(5, dtype=torch.int64),
    "empty": torch.zeros(0, 2),
}
METADATA = {"identity": {"recipe": {"epochs": 4, "rate": 3e-3}, "name": "é 中"}, "curve": [0.1, 0.25]}


@pytest.fixture(scope="module")
def saved(tmp_path_factory):
    path = tmp_path_factory.mktemp("checkpoint") / "saved.safetensors"
    save_checkpoint(path, TENSORS, METADATA)
    return path


def test_what_was_saved_is_loaded(saved):
    loaded = load_checkpoint(saved)
    assert loaded.metadata == METADATA
    assert loaded.tensors.keys() == TENSORS.keys()
    for name, tensor in TENSORS.items():
        assert loaded.tensors[name].dtype == tensor.dtype
        assert torch.equal(loaded.tensors[name], tensor)


def test_tensors_that_share_memory_or_are_not_contiguous_are_saved_too(tmp_path):
    base = torch.arange(24.0).reshape(1, 2, 3, 4)
    odd = {"a": base, "b": base[:, :, 1:], "c": base.contiguous(memory_format=torch.channels_last)}
    save_checkpoint(tmp_path / "odd", odd, {})
    loaded = load_checkpoint(tmp_path / "odd").tensors
    assert all(torch.equal(loaded[name], tensor) for name, tensor in odd.items())


def refusal(path):
    with pytest.raises(CheckpointError) as caught:
        load_checkpoint(path)
    assert len(str(caught.value).splitlines()) == 1
    assert str(path) in str(caught.value)
    return str(caught.value)


@settings(max_examples=300, deadline=None)
@given(st.data())
def test_any_flipped_bit_is_noticed(saved, data):
    content = bytearray(saved.read_bytes())
    place = data.draw(st.integers(0, len(content) - 1))
    content[place] ^= 1 << data.draw(st.integers(0, 7))
    damaged = saved.with_name("flipped")
    damaged.write_bytes(content)
    assert "truncated or damaged" in refusal(damaged)


@settings(max_examples=100, deadline=None)
@given(st.data())
def test_any_truncation_is_noticed(saved, data):
    content = saved.read_bytes()
    damaged = saved.with_name("truncated")
    damaged.write_bytes(content[: data.draw(st.integers(0, len(content) - 1))])
    assert "truncated or damaged" in refusal(damaged)


@settings(max_examples=100, deadline=None)
@given(st.binary(max_size=200))
def test_foreign_bytes_are_refused(saved, content):
    foreign = saved.with_name("foreign")
    foreign.write_bytes(content)
    refusal(foreign)


def test_bytes_added_at_the_end_are_noticed(saved):
    longer = saved.with_name("longer")
    longer.write_bytes(saved.read_bytes() + b"\0")
    refusal(longer)


def test_a_missing_file_and_a_folder_are_named(tmp_path):
    assert "No such file" in refusal(tmp_path / "nothing")
    assert "cannot read" in refusal(tmp_path)


def test_weights_of_another_network_are_refused(tmp_path):
    module = nn.Linear(3, 4)
    load_weights(module, {"weight": torch.ones(4, 3), "bias": torch.zeros(4)}, tmp_path)
    assert (module.weight == 1).all()
    for other in ({"weight": torch.ones(4, 3)}, {"weight": torch.ones(4, 2), "bias": torch.zeros(4)}, {}):
        with pytest.raises(CheckpointError, match="of another network") as caught:
            load_weights(module, other, tmp_path)
        assert "\n" not in str(caught.value)
