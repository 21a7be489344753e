"""A space by name, or a user's own by file and class."""

import pytest

from hwnas.spaces import load_space
from hwnas.spaces.load import SPACES
from latency_tables import HwnasError

OWN = """
from hwnas.spaces import MBConvSpace
from hwnas.spaces.mbconv.presets import PRESETS

class Mine(MBConvSpace):
    def __init__(self, num_classes):
        super().__init__(PRESETS["mbconv-32"](), num_classes)
        self.name = "mine"

class NoClasses(Mine):
    def __init__(self):
        super().__init__(10)

NotASpace = dict
"""


@pytest.fixture
def own(tmp_path):
    file = tmp_path / "own.py"
    file.write_text(OWN)
    return file


@pytest.mark.parametrize("name", SPACES)
def test_presets_by_name(name):
    space = load_space(name, num_classes=7)
    assert (space.name, space.num_classes) == (name, 7)


def test_own_space(own):
    space = load_space(f"{own}:Mine", num_classes=3)
    assert (space.name, space.num_classes) == ("mine", 3)


@pytest.mark.parametrize(
    ("name", "says"),
    [
        ("mbconv-33", r"there are mbconv-32, .* or your own: file.py:ClassName"),
        ("{own}:Absent", "has no SearchSpace called Absent"),
        ("{own}:NotASpace", "has no SearchSpace called NotASpace"),
        ("{own}:NoClasses", r"NoClasses\(num_classes=10\) fails"),
        ("nowhere.py:Mine", "nowhere.py is not a Python file"),
        ("{broken}:Mine", "does not run: ZeroDivisionError"),
    ],
)
def test_bad_names(own, tmp_path, name, says):
    broken = tmp_path / "broken.py"
    broken.write_text("1 / 0")
    with pytest.raises(HwnasError, match=says) as caught:
        load_space(name.format(own=own, broken=broken))
    assert "\n" not in str(caught.value)
