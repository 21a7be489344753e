"""`hwnas kit`, `hwnas table import` and `--device`: what cannot be is one line."""

import json

import pytest

from latency_tables.progress import silent
from profilers import Protocol, RuntimeSetting, read_plan
from profilers.boards.kit import Part, measure_kit, pack_kit, read_kit


@pytest.mark.parametrize(
    "device", ["raspberry", "http://raspberry", "ssh://", "ssh://pi:secret@raspberry", "ssh://a:b"]
)
def test_a_device_that_is_none(device, two_ops, refused, tmp_path):
    said = refused("table", "measure", two_ops, "--device", device, "--out", tmp_path / "table")
    assert "cannot read the device" in said
    assert not (tmp_path / "table").exists()


def test_a_board_that_is_unknown(two_ops, refused, tmp_path):
    pytest.importorskip("asyncssh")
    said = refused("table", "measure", two_ops, "--device", "ssh://pi@board.invalid", "--out", tmp_path / "table")
    assert "the host board.invalid is unknown" in said


def test_a_run_on_a_board_that_is_unknown(refused, tmp_path):
    pytest.importorskip("asyncssh")
    said = refused("run", "--device", "ssh://pi@board.invalid", "--out", tmp_path / "run")
    assert "the host board.invalid is unknown" in said
    assert not (tmp_path / "run" / "stages").exists()


def test_measuring_a_kit_that_is_none(refused, tmp_path):
    (tmp_path / "kit.pyz").write_text("no kit")
    for there in ((), ("--device", "ssh://pi@board.invalid")):
        assert "is not a kit" in refused("table", "measure", tmp_path / "kit.pyz", *there, "--out", tmp_path / "table")


def test_importing_what_no_kit_left(refused, tmp_path):
    assert "is not what a kit left" in refused("table", "import", tmp_path, "--out", tmp_path / "table")
    assert not (tmp_path / "table").exists()


def test_damaged_records_are_counted(two_ops, hwnas, tmp_path):
    protocol = Protocol(group_us=300, maximum_runs=6, groups=1, minimum_rounds=2, maximum_rounds=2, disturbed_rounds=0)
    pack_kit({"ops": Part(read_plan(two_ops), protocol)}, RuntimeSetting("onnxruntime"), tmp_path / "kit.pyz")
    results = tmp_path / "results"
    measure_kit(read_kit(tmp_path / "kit.pyz"), results, lambda stage: silent)
    lines = (results / "ops.jsonl").read_bytes().splitlines(keepends=True)
    (results / "ops.jsonl").write_bytes(b"".join([lines[0], b"x" + lines[1], *lines[2:]]))
    done = hwnas("table", "import", results, "--out", tmp_path / "table", "--json")
    assert done.returncode == 0
    assert done.stderr.startswith("warning: damaged records left out: 1; copy the folder again")
    answer = json.loads(done.stdout)
    assert (answer["damaged"], answer["ops"], answer["networks"]) == (1, 2, 0)


@pytest.mark.parametrize(
    ("words", "why"),
    [
        (("--networks", "-1"), "--networks"),
        (("--seed", "-1"), "--seed"),
        (("--threads", "0"), "--threads"),
        (("--space", "plane-32"), "unknown space 'plane-32'"),
        (("--out", "/dev/null/kit.pyz"), "cannot write /dev/null/kit.pyz: "),
        (("--precision", "int3"), "int3"),
    ],
)
def test_a_kit_that_cannot_be_made(words, why, refused, tmp_path):
    out = () if "--out" in words else ("--out", tmp_path / "kit.pyz")
    assert why in refused("kit", "--networks", 0, *out, *words)
    assert list(tmp_path.iterdir()) == []


def test_models_of_one_precision_are_not_measured_in_another(two_ops, refused, tmp_path):
    setting = RuntimeSetting("onnxruntime", precision="int8")
    pack_kit({"ops": Part(read_plan(two_ops), Protocol())}, setting, tmp_path / "kit.pyz")
    said = refused("table", "measure", tmp_path / "kit.pyz", "--precision", "fp16", "--out", tmp_path / "table")
    assert said.endswith("kit.pyz are in int8; make a kit in fp16")


def test_a_kit_of_an_own_space_that_breaks_the_contract(refused, tmp_path):
    (tmp_path / "own.py").write_text(
        "from torch import nn\n"
        "from hwnas import Op, SearchSpace, Slot\n"
        "class Net(SearchSpace):\n"
        "    name, input_shape, cardinalities, num_classes = 'own', (3, 8, 8), (2,), 10\n"
        "    slots = (Slot((0,), ((Op.of('a', (3, 8, 8)),), (Op.of('b', (3, 8, 8)),))),)\n"
        "    def __init__(self, num_classes=10): pass\n"
        "    def build_op(self, op): return nn.Flatten()\n"
    )
    said = refused("kit", "--space", f"{tmp_path / 'own.py'}:Net", "--out", tmp_path / "kit.pyz")
    assert "breaks the contract of spaces" in said
    assert "gives (192,), but what follows takes (10,)" in said
    assert not (tmp_path / "kit.pyz").exists()
