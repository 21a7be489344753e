"""What is refused before anything is measured, and before the folder is made."""

import platform
from dataclasses import replace

import pytest

from hwnas.run import Settings
from hwnas.run.check import check_run
from latency_tables import HwnasError

OWN = """
from torch import nn
from hwnas.spaces import SearchSpace, Slot
from latency_tables import Op

class Net(SearchSpace):
    name, input_shape, cardinalities = "own", (3, 8, 8), ({cardinalities},)

    def __init__(self, num_classes=10):
        self.num_classes = num_classes

    @property
    def slots(self):
        heads = [(Op.of("head", (3, 8, 8), hidden=h + 1, classes=self.num_classes),) for h in range({choices})]
        return (Slot((0,), tuple(heads)),)

    def build_op(self, op):
        {first}
        hidden = op["hidden"]
        return nn.Sequential(nn.Flatten(), nn.Linear(192, hidden), nn.Linear(hidden, op["classes"]))
"""


def refusal(settings, path, verb="run"):
    with pytest.raises(HwnasError) as caught:
        check_run(settings, path, verb)
    assert not path.exists()
    assert "\n" not in str(caught.value)
    return str(caught.value)


def test_the_defaults_pass_for_every_verb(tmp_path):
    for verb in ("run", "profile", "train-supernet", "search", "train", "export", "verify", "report"):
        check_run(Settings(), tmp_path / "run", verb)
    assert not (tmp_path / "run").exists()


@pytest.mark.parametrize(
    ("change", "says"),
    [
        ({"runtime": "torch", "precision": "int8"}, "torch is measured in fp32 or fp16, not in 'int8'"),
        ({"space": "nb201"}, "nb201 is no chain of ops, so it has no supernet"),
        ({"space": "nowhere"}, "unknown space 'nowhere'"),
        ({"runtime": "abacus"}, "unknown runtime 'abacus'"),
        ({"workers": "nobody"}, "unknown --workers 'nobody'"),
        ({"data": "/no/photos"}, "no such file or folder: '/no/photos'"),
        ({"data": "/no/photos.parquet"}, "no such file or folder: '/no/photos.parquet'"),
        ({"test_data": "x"}, "digits has its own test split"),
        ({"table": "/no/table"}, "/no/table is not a latency table"),
        ({"device": "raspberry"}, "cannot read the device 'raspberry'"),
        ({"device": "ssh://pi@board", "runtime": "own.py:Mine"}, "--device takes a runtime by its name"),
    ],
)
def test_what_cannot_end_well_is_said_at_once(tmp_path, change, says):
    assert says in refusal(replace(Settings(), **change), tmp_path / "run")


@pytest.mark.skipif(platform.machine() != "x86_64", reason="onnxruntime has fp16 kernels on other processors")
def test_a_precision_that_the_runtime_falls_back_from(tmp_path):
    says = refusal(Settings(precision="fp16"), tmp_path / "run")
    assert "onnxruntime runs" in says
    assert "in fp32, not in fp16" in says


def test_int8_is_a_whole_run_and_cells_can_be_profiled(tmp_path):
    check_run(Settings(precision="int8"), tmp_path / "run", "run")
    check_run(Settings(space="nb201"), tmp_path / "run", "profile")


@pytest.mark.parametrize(
    ("cardinalities", "choices", "first", "says"),
    [
        (9, 9, "pass", "own has 9 networks and needs 15 or more"),
        (20, 18, "pass", "own.py:Net' "),
        (20, 20, "raise KeyError('sort')", "fails when it is checked: KeyError: 'sort'"),
    ],
)
def test_an_own_space_is_held_to_its_contract(tmp_path, cardinalities, choices, first, says):
    file = tmp_path / "own.py"
    file.write_text(OWN.format(cardinalities=cardinalities, choices=choices, first=first))
    assert says in refusal(Settings(space=f"{file}:Net"), tmp_path / "run")


def test_a_folder_that_cannot_be_made(tmp_path):
    (tmp_path / "file").write_text("in the way")
    with pytest.raises(HwnasError, match=r"cannot write to .*file/run: .*file is not a folder; choose another --out"):
        check_run(Settings(), tmp_path / "file" / "run", "run")
