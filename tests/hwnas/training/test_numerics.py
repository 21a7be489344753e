import pytest
import torch

from hwnas.training import Numerics


@pytest.fixture(autouse=True)
def as_before():
    before = Numerics.current()
    yield
    before.apply()


def test_what_one_process_has_another_takes_on():
    torch.set_num_threads(3)
    torch.use_deterministic_algorithms(True, warn_only=True)
    ours = Numerics.current()
    assert ours == Numerics(threads=3, deterministic=True, warn_only=True)
    Numerics(threads=1, deterministic=False, warn_only=False).apply()
    assert torch.get_num_threads() == 1
    assert not torch.are_deterministic_algorithms_enabled()
    ours.apply()
    assert Numerics.current() == ours
