"""A user's own class by its file, whatever that file does."""

import sys
from abc import ABC, abstractmethod

import pytest

from latency_tables import HwnasError
from latency_tables.plugins import is_own, make_own


class Animal(ABC):
    """What the plug-ins below must be."""

    @abstractmethod
    def legs(self): ...


OWN = """
from __future__ import annotations
from dataclasses import dataclass
from tests.latency_tables.test_plugins import Animal

print("hello from the file")

@dataclass(frozen=True)
class Spider(Animal):
    size: int

    def __post_init__(self):
        print("hello from the constructor")

    def legs(self):
        return 8 * self.size

class Shy(Spider):
    def __init__(self, size):
        raise RuntimeError("not\\ntoday")

class Leaving(Spider):
    def __init__(self, size):
        raise SystemExit(0)

class Abstract(Animal):
    def __init__(self, size):
        pass

NotAClass = 3
"""


@pytest.fixture
def own(tmp_path, monkeypatch):
    monkeypatch.setitem(sys.modules, "tests.latency_tables.test_plugins", sys.modules[__name__])
    file = tmp_path / "own.py"
    file.write_text(OWN)
    return file


def refusal(text):
    with pytest.raises(HwnasError) as e:
        make_own(text, Animal, "animal", size=2)
    assert "\n" not in str(e.value)
    return str(e.value)


def test_a_class_and_an_object_of_it(own, capfd):
    made = make_own(f"{own}:Spider", Animal, "animal", size=2)
    assert (type(made).__name__, made.legs()) == ("Spider", 16)
    said, aside = capfd.readouterr()
    assert said == ""  # standard output is for answers
    assert aside.count("hello from the file") == 1
    assert aside.count("hello from the constructor") == 1
    assert is_own(f"{own}:Spider")
    assert not is_own("onnxruntime-cuda")


def test_what_is_refused(own, tmp_path):
    assert refusal("no.py:Spider") == (
        "animal 'no.py:Spider': no.py is not a Python file; write path/to/file.py:ClassName"
    )
    for name in ("Absent", "NotAClass", "dataclass"):
        assert refusal(f"{own}:{name}") == f"animal '{own}:{name}': {own} has no Animal called {name}"
    assert refusal(f"{own}:Shy").endswith(": Shy(size=2) fails: RuntimeError: not today")
    assert refusal(f"{own}:Leaving").endswith(": Leaving(size=2) fails: SystemExit: 0")
    assert "Abstract(size=2) fails: TypeError: Can't instantiate abstract class Abstract" in refusal(f"{own}:Abstract")


@pytest.mark.parametrize(
    ("content", "why"),
    [
        ("import sys; sys.exit(0)", "SystemExit: 0"),
        ("1 / 0", "ZeroDivisionError: division by zero"),
        ("def", "SyntaxError: invalid syntax"),
        ("import nowhere_to_be_found", "ModuleNotFoundError: No module named 'nowhere_to_be_found'"),
        ("raise ValueError('two\\nlines')", "ValueError: two lines"),
    ],
)
def test_a_file_that_does_not_run(tmp_path, content, why):
    file = tmp_path / "broken.py"
    file.write_text(content)
    assert f"{file} does not run: {why}" in refusal(f"{file}:Spider")
    assert "own_broken" not in sys.modules
